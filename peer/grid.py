"""The shared grid as it arrives: its size and rate, without decoding a single frame."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from signaling.codec import vp8_size
from signaling.rtc import EncodedFrame

RATE_WINDOW_S = 2.0
MIN_SPAN_S = 0.5
"""The frame rate is counted over the window, or over what there is of it since the first frame."""


@dataclass(frozen=True, slots=True)
class GridState:
    """Pixels, complete frames per second, and how many there were in all."""

    width: int
    height: int
    fps: float
    frames: int


class GridMeter:
    """Counts complete frames; the size stands in the header of each key frame (RFC 6386 9.1)."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._arrivals: deque[float] = deque()
        self._first_s = 0.0
        self.frames = 0

    def add(self, frame: EncodedFrame) -> None:
        """One complete frame came."""
        if self.frames == 0:
            self._first_s = frame.arrived_s
        self.frames += 1
        self._arrivals.append(frame.arrived_s)
        self._size = vp8_size(frame.data) or self._size
        self._forget_before(frame.arrived_s - RATE_WINDOW_S)

    def state(self, now: float | None = None) -> GridState | None:
        """The grid at `now` (monotonic s); None before the first key frame."""
        if self._size is None:
            return None
        now = time.monotonic() if now is None else now
        self._forget_before(now - RATE_WINDOW_S)
        span_s = min(RATE_WINDOW_S, max(now - self._first_s, MIN_SPAN_S))
        return GridState(*self._size, round(len(self._arrivals) / span_s, 1), self.frames)

    def _forget_before(self, start_s: float) -> None:
        while self._arrivals and self._arrivals[0] < start_s:
            self._arrivals.popleft()
