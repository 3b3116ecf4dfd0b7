"""Files that are whole or absent: written aside, then renamed, so that nothing half done ever looks finished."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from signaling.files import check_regular, read_bounded
from training.errors import TrainingFailed

CHUNK_BYTES = 1 << 20

MAX_JSON_BYTES = 256 << 20
"""The splits of a million images; everything else is far below."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes `path`'s place when the block ends well, and goes when it does not.

    Its name keeps the suffix, since many writers choose the format by it.
    Raises `TrainingFailed` when the disk is full or the file cannot be written.
    """
    aside = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        aside.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):  # where there is no such folder, the error above is the one to hear about
            aside.unlink()


def remove(path: Path) -> None:
    """Take a file away if it is there. Raises `TrainingFailed`."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(path, error) from error


def write_bytes(path: Path, data: bytes) -> None:
    """`data` as the whole of `path`. Raises `TrainingFailed`."""
    with writing(path) as aside:
        aside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """`text` as the whole of `path`, UTF-8. Raises `TrainingFailed`."""
    write_bytes(path, text.encode())


def write_json(path: Path, value: Any) -> None:
    """`value` as JSON, indented for people. Raises `TrainingFailed`, also for NaN, which JSON has no word for."""
    try:
        text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise TrainingFailed(f"expected finite numbers in {path.name}, got: {error}") from error
    write_text(path, text + "\n")


def read_json(path: Path, *, what: str, advice: str) -> Any:
    """The JSON of `path`. Raises `TrainingFailed`: "expected `what` at `path`, got …: `advice`"."""
    try:
        return json.loads(read_bounded(path, MAX_JSON_BYTES), parse_constant=_refuse_constant)
    except OSError as error:
        raise TrainingFailed(f"expected {what} at {path}, got: {error.strerror or error}: {advice}") from error
    except (ValueError, RecursionError) as error:
        raise TrainingFailed(f"expected {what} at {path}, got no JSON ({error}): {advice}") from error


def read_array(path: Path) -> NDArray[Any]:
    """The array of an `.npy` file, mapped and not loaded. Raises `OSError`, or `ValueError` for another file."""
    check_regular(path)
    return np.lib.format.open_memmap(path, mode="r")  # np.load would also take archives, and fail later


def check_unpacked(path: Path, most: int) -> None:
    """Raise `OSError` where `path` is no regular file, `BadZipFile` where it is no zip archive, and `OSError` where
    its members have more than `most` bytes together: zip packs a thousand to one."""
    check_regular(path)
    with ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > most:
        raise OSError(errno.EFBIG, f"{size:,} bytes unpacked, more than {most:,}")


def _refuse_constant(word: str) -> None:
    raise ValueError(word)  # NaN or Infinity, for which JSON has no word


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex, read in pieces. Raises `OSError`."""
    check_regular(path)
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(CHUNK_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def _refused(path: Path, error: OSError) -> TrainingFailed:
    if error.errno in NO_ROOM:
        return TrainingFailed(
            f"expected room on the disk for {path}, got none: free some and run the command again;"
            " what is done so far stays done"
        )
    return TrainingFailed(
        f"expected to be allowed to write {path}, got: {error.strerror or error}: change that, or take another --out"
    )
