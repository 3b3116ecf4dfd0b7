"""The file that keeps calibrations: one small JSON on this device that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

import msgspec

from peer.perception.calibration import Offset
from signaling.errors import EdgeAttendError
from signaling.files import read_bounded

FILE_NAME = "calibrations.json"
VERSION = 1
MAX_BYTES = 1 << 20
"""Some 5,000 people."""


class CalibrationUnusable(EdgeAttendError):  # noqa: N818  as its siblings in signaling.errors
    """A calibration that cannot be read, kept, or held against this model."""

    code, status = "calibration_unusable", 500


class Entry(msgspec.Struct, frozen=True):
    """One person before one source, as one model (its SHA-256) saw them."""

    name: str
    source: str
    model: str
    offset: Offset


class _File(msgspec.Struct, frozen=True):
    version: int
    people: list[Entry]


class _Version(msgspec.Struct, frozen=True):
    version: int


class Calibrations:
    """The file `FILE_NAME` in `folder`, which need not exist. Messages name neither people nor angles."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def load(self, name: str, source: str, model: str) -> Offset | None:
        """The offset of `name` before `source`; None where there is none.

        Raises `CalibrationUnusable` for a damaged file, another version's, and one made with another model: models
        err differently.
        """
        for entry in self._read():
            if (entry.name, entry.source) == (name, source):
                if entry.model != model:
                    raise CalibrationUnusable(
                        "expected a calibration made with this model, got one of another: not used;"
                        " join with --calibrate to make it anew"
                    )
                return entry.offset
        return None

    def save(self, entry: Entry) -> None:
        """Keep `entry` in the place of an older one; a file that cannot be read is begun anew.

        Raises `CalibrationUnusable` where nothing can be written.
        """
        people = [one for one in self._readable() if (one.name, one.source) != (entry.name, entry.source)]
        self._write([*people, entry])

    def forget(self, name: str) -> None:
        """Forget `name` before every source; a file that cannot be read is removed, since they may be in it.

        Raises `CalibrationUnusable` where nothing can be written.
        """
        people = [entry for entry in self._readable() if entry.name != name]
        if people:
            self._write(people)
            return
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def _readable(self) -> list[Entry]:
        try:
            return self._read()
        except CalibrationUnusable:
            return []

    def _read(self) -> list[Entry]:
        try:
            data = read_bounded(self._path, MAX_BYTES)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise CalibrationUnusable(
                f"expected to read calibrations at {self._path}, got: {error.strerror or error}: not used"
            ) from error
        try:
            version = msgspec.json.decode(data, type=_Version).version
            if version != VERSION:
                raise CalibrationUnusable(
                    f"expected calibrations of version {VERSION} at {self._path}, got version {version}: not used;"
                    " join with --calibrate to begin anew"
                )
            return msgspec.json.decode(data, type=_File).people
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise CalibrationUnusable(
                f"expected calibrations at {self._path}, got a damaged file: not used;"
                " join with --calibrate to begin anew"
            ) from error

    def _write(self, people: list[Entry]) -> None:
        """Aside and renamed: a meeting that starts meanwhile reads the old file or the new one."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, aside = tempfile.mkstemp(prefix=FILE_NAME, dir=self._path.parent)  # mode 600
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(msgspec.json.encode(_File(VERSION, people)))
                Path(aside).replace(self._path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(aside).unlink()
                raise
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> CalibrationUnusable:
        return CalibrationUnusable(f"expected to write calibrations at {self._path}, got: {error.strerror or error}")
