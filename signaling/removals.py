"""Whom a host sent away: their personal tokens open nothing any more, also after a restart of the server."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import stat
import tempfile
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

    A line is added to the file for each, so that two servers with one secret can share it; each reads it at its start.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Read what is in `path`, and drop from it what is over. Raises `ConfigInvalid` where it cannot be read."""
        self._path = path
        self._until: dict[str, float] = {}
        self._unsaved: list[str] = []
        if path is None:
            return
        try:
            superfluous = self._read(read_bounded(path, MAX_BYTES).decode(errors="replace"))
        except FileNotFoundError:
            return
        except OSError as error:
            found = error.strerror or error
            raise ConfigInvalid(f"expected to read who was removed from {path}, got: {found}") from error
        if superfluous:
            try:
                _replace(path, self._until)
            except OSError as error:  # it is only longer than it needs to be
                logger.warning("could not shorten %s: %s", path, error.strerror)

    def __contains__(self, participant: str) -> bool:
        return self._until.get(participant, 0.0) > time.time()

    def add(self, participant: str) -> None:
        """Nobody is let in as `participant` from now on; `save` makes it last."""
        self._put(participant, time.time() + RESUME_TTL_S)
        self._unsaved.append(_line(participant, self._until[participant]))

    async def save(self) -> None:
        """Write down what is new. Where that fails, it holds until the server ends, and the log says so."""
        lines, self._unsaved = self._unsaved[-MAX_REMOVED:], []
        if self._path is None or not lines:
            return
        try:
            await asyncio.to_thread(_append, self._path, "\n" + "".join(lines))  # the last one may have broken off
        except OSError as error:
            self._unsaved = lines + self._unsaved  # the next one's turn
            logger.warning("could not write down who was removed: %s; it holds until the server ends", error.strerror)

    def _read(self, text: str) -> bool:
        """Whether there is something in `text` that need not be kept."""
        superfluous = False
        for line in filter(None, text.split("\n")):  # one that broke off, as on a full disk, spoils no other
            found = LINE.fullmatch(line)
            if found is not None and int(found[1]) > time.time():
                self._put(found[2], float(found[1]))
            else:
                superfluous = True
        return superfluous

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
    data = text.encode()
    # O_NONBLOCK: to open a pipe that nobody reads would wait for ever.
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "a pipe or a device, no file")
        if os.write(descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, "only a part of it could be written")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(path: Path, until: Mapping[str, float]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as made:  # a name and mode of its own
        try:
            made.writelines(_line(participant, until_s) for participant, until_s in until.items())
            made.flush()
            os.fsync(made.fileno())
            Path(made.name).replace(path)
        except OSError:
            Path(made.name).unlink()
            raise
