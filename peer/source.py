"""Where pictures come from: one small interface over camera, file and test pattern, each with a thread of its own.

Only the latest frame is kept: whoever is slow misses frames, and nobody ever works through a backlog.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

logger = logging.getLogger(__name__)

Pixels = NDArray[np.uint8]

CLOSE_PATIENCE_S = 2.0
"""How long `close` waits for the thread: a camera driver can hang in a read for longer than anybody wants to wait."""


class SourceState(enum.StrEnum):
    """opening -> live <-> lost, or opening -> lost: a source that is lost tries again by itself."""

    OPENING = "opening"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: (H, W, 3) uint8 BGR, its number from 1 on, and when it was taken (monotonic s)."""

    bgr: Pixels
    seq: int
    captured_s: float


StateListener = Callable[[SourceState, str], None]
"""Called from the source's thread with the new state and, for `lost`, the reason in words."""


def _nobody(_state: SourceState, _reason: str) -> None:
    pass


class Source(ABC):
    """A running sequence of frames. A subclass publishes from `_run`, in the source's own thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._frame: Frame | None = None
        self._seq = 0
        self._state = SourceState.OPENING
        self._reason = ""
        self._listener: StateListener = _nobody
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run_to_the_end, name="edgeattend-source", daemon=True)

    @property
    def state(self) -> SourceState:
        """Whether frames come now."""
        return self._state

    @property
    def reason(self) -> str:
        """Why the source is lost, in words; empty while it is not."""
        return self._reason

    def start(self, listener: StateListener = _nobody) -> None:
        """Begin, blocking while files are opened. Raises `SourceUnavailable` for a source that can never work."""
        self._listener = listener
        self._prepare()
        self._thread.start()

    def close(self) -> None:
        """End the thread and release the device; blocks for at most `CLOSE_PATIENCE_S`."""
        self._stopping.set()
        with self._changed:
            self._frame = None
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(CLOSE_PATIENCE_S)
            if self._thread.is_alive():
                logger.warning("the source did not end within %.0f s; it ends with the process", CLOSE_PATIENCE_S)

    def latest(self) -> Frame | None:
        """The newest frame; None before the first one and while the source is lost."""
        return self._frame

    def wait_newer(self, seq: int, timeout_s: float) -> Frame | None:
        """Block until there is a frame newer than number `seq`; None when there is none within `timeout_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping.is_set() or self._is_newer(seq), timeout_s)
            return self._frame if self._is_newer(seq) else None

    def _is_newer(self, seq: int) -> bool:
        return self._frame is not None and self._frame.seq > seq

    def _prepare(self) -> None:  # noqa: B027  most sources have nothing to check
        """Check what can be checked before the thread starts."""

    @abstractmethod
    def _run(self) -> None:
        """Publish frames until `_stopping` is set."""

    def _run_to_the_end(self) -> None:
        try:
            self._run()
        except Exception:  # the thread is the last one to see it, and the meeting goes on without this picture
            logger.exception("the source failed")
            self._set_state(SourceState.LOST, "the source failed; see the log")

    def _publish(self, bgr: Pixels) -> None:
        with self._changed:
            if self._stopping.is_set():
                return
            self._seq += 1
            self._frame = Frame(bgr, self._seq, time.monotonic())
            self._changed.notify_all()
        self._set_state(SourceState.LIVE)

    def _set_state(self, state: SourceState, reason: str = "") -> None:
        if (state, reason) == (self._state, self._reason) or self._stopping.is_set():
            return
        self._state, self._reason = state, reason
        if state is SourceState.LOST:
            with self._changed:
                self._frame = None  # an old picture must not pass for the present
        self._listener(state, reason)
