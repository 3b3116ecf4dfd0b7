"""`python -m training.faces.worker ASSETS OUT SIZE`: a process that renders the groups it is told.

Numbers of images come in, one line each; out goes a line per image, `{"truth": {...}}` or `{"failed": number,
"error": text}`. A process of its own, since Blender is one program per process and can crash as a whole.
"""

from __future__ import annotations

import io
import os
import signal
import sys
from pathlib import Path

import cv2
import msgspec

from training.faces.studio import Studio


def main(arguments: list[str]) -> None:
    """Render until there is no more to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    assets, out, size = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    cv2.setNumThreads(1)
    answers = _own_output()
    studio = Studio(assets, size, size)
    for line in sys.stdin:
        number = int(line)
        try:
            answer = {"truth": msgspec.to_builtins(studio.render(number, out))}
        except Exception as error:  # one image; the next may well do
            answer = {"failed": number, "error": f"{type(error).__name__}: {error}"}
        answers.write(msgspec.json.encode(answer) + b"\n")
        answers.flush()


def _own_output() -> io.BufferedWriter:
    """Standard output for answers alone: Blender writes progress to file descriptor 1, which from now on is nowhere."""
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return os.fdopen(kept, "wb")


if __name__ == "__main__":
    main(sys.argv[1:])
