"""Standard output that can neither block nor break a meeting: written by a thread of its own, from a bounded queue."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import TextIO

MAX_QUEUED = 1000
"""Texts that wait for a reader who sleeps; more are dropped."""

CLOSE_PATIENCE_S = 1.0


class Output:
    """Looks like a text stream to whoever writes; `write` returns at once and never raises.

    Characters that the stream's encoding does not have become `?`. When the reader goes away the rest is dropped,
    and `on_broken` is called once, from the writing thread.
    """

    def __init__(self, stream: TextIO, on_broken: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self._on_broken = on_broken
        self._texts: queue.Queue[str | None] = queue.Queue(MAX_QUEUED)
        self._thread = threading.Thread(target=self._run, name="output", daemon=True)
        self._thread.start()

    def write(self, text: str) -> int:
        """Queue `text`."""
        with contextlib.suppress(queue.Full):
            self._texts.put_nowait(text)
        return len(text)

    def flush(self) -> None:
        """Every text is flushed as it is written."""

    def isatty(self) -> bool:
        """Whether a person looks at a terminal."""
        return self._stream.isatty()

    def close(self) -> None:
        """Write what waits, for at most `CLOSE_PATIENCE_S`."""
        with contextlib.suppress(queue.Full):
            self._texts.put(None, timeout=CLOSE_PATIENCE_S)
            self._thread.join(CLOSE_PATIENCE_S)

    def _run(self) -> None:
        while (text := self._texts.get()) is not None:
            try:
                self._stream.write(self._encodable(text))
                self._stream.flush()
            except (OSError, ValueError):  # ValueError: the stream is closed
                self._silence()
                self._on_broken()
                return

    def _encodable(self, text: str) -> str:
        encoding = self._stream.encoding or "utf-8"
        return text.encode(encoding, "replace").decode(encoding)

    def _silence(self) -> None:
        """Let nothing be left in the stream's buffer that Python would trip over when it ends."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)
