"""Files that somebody else made, read within bounds: a pipe is never waited for, and a file of 1 TB never loaded."""

from __future__ import annotations

import errno
import stat
from pathlib import Path


def check_regular(path: Path) -> None:
    """Raises `OSError`, whose `strerror` is for people, where `path` is missing or no regular file.

    To open a named pipe would wait for somebody to write into it, for ever.
    """
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise OSError(errno.EISDIR, "a folder")
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "a pipe or a device, no file")


def read_bounded(path: Path, most: int) -> bytes:
    """All bytes of the regular file `path`, at most `most`. Raises `OSError` like `check_regular`, and for a larger
    file, of which nothing is kept."""
    check_regular(path)
    size = path.stat().st_size
    data = b""
    if size <= most:
        with path.open("rb") as file:
            data = file.read(size + 1)
            if size < len(data):  # /proc has files of size 0 that are not empty
                data += file.read(most)
    if max(size, len(data)) > most:
        raise OSError(errno.EFBIG, f"a file of more than {most:,} bytes")
    return data
