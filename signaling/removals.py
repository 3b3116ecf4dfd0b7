"""Whom a host sent away: their personal tokens open nothing any more, also after a restart of the server."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path

from signaling.errors import ConfigInvalid
from signaling.files import read_bounded
from signaling.tokens import RESUME_TTL_S

logger = logging.getLogger(__name__)

MAX_REMOVED = 10_000
"""The last ones. Of more in one day, the oldest could come back."""

MAX_BYTES = 16 << 20
"""Of the file, which a start makes short again; more than a year of a host who does nothing else."""

LINE = re.compile(r"([0-9]{1,12}) ([A-Za-z0-9_-]{1,64})")
"""When nothing can be opened by them any more (Unix s), and who: an id that the server drew at random."""


class Removals:
    """Participant ids, remembered for as long as a personal token is valid; in a file, if there is one.

    A line is added to the file for each, so that two servers with one secret can share it.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read what is in `path`, and drop from it what is over. Raises `ConfigInvalid` if that cannot be done."""
        self._path = path
        self._until: dict[str, float] = {}
        self._unsaved: list[str] = []
        if path is not None and path.exists():
            try:
                self._read(read_bounded(path, MAX_BYTES).decode(errors="replace"))
                _replace(path, self._until)
            except OSError as error:
                found = error.strerror or error
                raise ConfigInvalid(
                    f"expected a file of removed participants at {path} to read and write, got: {found}"
                ) from error

    def __contains__(self, participant: str) -> bool:
        return self._until.get(participant, 0.0) > time.time()

    def add(self, participant: str) -> None:
        """Nobody is let in as `participant` from now on; `save` makes it last."""
        self._put(participant, time.time() + RESUME_TTL_S)
        self._unsaved.append(_line(participant, self._until[participant]))

    async def save(self) -> None:
        """Write down what is new. Where that fails, it holds until the server ends, and the log says so."""
        lines, self._unsaved = self._unsaved, []
        if self._path is None or not lines:
            return
        try:
            await asyncio.to_thread(_append, self._path, "".join(lines))
        except OSError as error:
            logger.warning("could not write down who was removed: %s; it holds until the server ends", error.strerror)

    def _read(self, text: str) -> None:
        for line in text.splitlines():  # one that broke off, as on a full disk, spoils no other
            found = LINE.fullmatch(line)
            if found is not None and int(found[1]) > time.time():
                self._put(found[2], float(found[1]))

    def _put(self, participant: str, until_s: float) -> None:
        self._until.pop(participant, None)
        self._until[participant] = until_s
        while len(self._until) > MAX_REMOVED:
            del self._until[next(iter(self._until))]


def removals_file(secret_file: Path) -> Path:
    """Where they are kept: beside the secret, without which they mean nothing."""
    return secret_file.with_name(secret_file.name + "-removed")


def _line(participant: str, until_s: float) -> str:
    return f"{until_s:.0f} {participant}\n"


def _append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, text.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, until: Mapping[str, float]) -> None:
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    _append(made, "".join(_line(participant, until_s) for participant, until_s in until.items()))
    made.replace(path)
