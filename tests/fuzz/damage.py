"""What can be wrong with a file: damaged bytes, and things that are no file at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import TypeVar

Result = TypeVar("Result")

PATIENCE_S = 60.0
"""Whatever reads a file ends long before: this is for what waits for ever, on the busiest of machines."""
SPARSE_BYTES = 1 << 40
"""Of zeros that take no room on the disk."""
ODDITIES = ("empty", "text", "zeros", "folder", "pipe", "sparse", "missing", "loop", "device")


def damaged(data: bytes, dice: Random) -> bytes:
    """`data` with one to four things wrong, as by a bad disk, a broken download or a mean hand."""
    out = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 4))):
        place = dice.randrange(len(out) + 1)
        end = min(place + dice.choice((1, 4, 64, 1024)), len(out))
        kind = dice.randrange(7)
        if kind == 0:
            del out[place:]
        elif kind == 1:
            for _ in range(dice.choice((1, 8, 64))):
                if out:
                    out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
        elif kind == 2:
            out[place:end] = bytes(end - place)
        elif kind == 3:
            out[place:end] = b"\xff" * (end - place)
        elif kind == 4:
            out[place:place] = dice.randbytes(dice.choice((1, 4, 64)))
        elif kind == 5:
            out[place:place] = out[place:end]
        else:
            del out[place:end]
    return bytes(out)


def make_odd(path: Path, kind: str) -> Path:
    """One of `ODDITIES` at `path`, in the place of what is there."""
    if path.is_file() or path.is_symlink():
        path.unlink()
    match kind:
        case "empty":
            path.touch()
        case "text":
            path.write_text("Dear reader, this is no such file.\n" * 40)
        case "zeros":
            path.write_bytes(bytes(100_000))
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "sparse":
            with path.open("wb") as file:
                file.truncate(SPARSE_BYTES)
        case "loop":
            path.symlink_to(path)
        case "device":
            path.symlink_to("/dev/zero")
    return path


def each_damage(path: Path, data: bytes, rounds: int, dice: Random) -> Iterator[bytes]:
    """Write `data`, damaged, to `path` so many times. The file of a round that fails stays."""
    for _ in range(rounds):
        found = damaged(data, dice)
        path.write_bytes(found)
        yield found


def in_time(call: Callable[[], Result]) -> Result:
    """What `call` gives or raises; a failure where it does not end."""
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # it is raised again by the test
            errors.append(error)

    thread = threading.Thread(target=work, name="fuzz", daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), f"expected an end within {PATIENCE_S:.0f} s, got none"
    if errors:
        raise errors[0]
    return results[0]
