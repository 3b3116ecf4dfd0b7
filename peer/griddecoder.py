"""The shared grid as pictures, for `--window` only: decoded in a thread of its own that never falls behind."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

import av
import numpy as np

from peer.source import Pixels
from signaling.codec import VideoDecoder
from signaling.rtc import EncodedFrame

MAX_WAITING = 10
"""Frames, under a second: beyond it they are dropped up to the next key frame, since inter frames need all before."""


class GridDecoder:
    """Takes encoded frames on the event loop, and holds the newest picture for whoever draws it."""

    def __init__(self, need_key_frame: Callable[[], None]) -> None:
        """`need_key_frame` is called from the decoder's thread."""
        self._need_key_frame = need_key_frame
        self._waiting: deque[EncodedFrame] = deque()
        self._changed = threading.Condition()
        self._skipping = False
        self._stopping = False
        self._picture: Pixels | None = None
        self._thread = threading.Thread(target=self._run, name="edgeattend-grid", daemon=True)

    def start(self) -> None:
        """Begin decoding."""
        self._thread.start()

    def close(self) -> None:
        """Stop; blocks for at most one frame."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def add(self, frame: EncodedFrame) -> None:
        """One complete frame came; never blocks."""
        overflow = False
        with self._changed:
            if frame.key:
                self._skipping = False
                self._waiting.clear()
            elif len(self._waiting) >= MAX_WAITING:
                self._waiting.clear()
                self._skipping = overflow = True
            if not self._skipping:
                self._waiting.append(frame)
                self._changed.notify_all()
        if overflow:
            self._need_key_frame()

    def forget(self) -> None:
        """The meeting was left: what was seen last is not the present."""
        with self._changed:
            self._waiting.clear()
            self._picture = None

    def picture(self) -> Pixels | None:
        """The newest picture, (H, W, 3) uint8 BGR; None before the first."""
        return self._picture

    def _run(self) -> None:
        decoder: VideoDecoder | None = None
        while (frame := self._next()) is not None:
            if decoder is None or frame.key:
                decoder = VideoDecoder(frame.codec)
            try:
                decoded = decoder.decode(frame.data)
            except av.FFmpegError:
                with self._changed:
                    self._skipping = True
                    self._waiting.clear()
                self._need_key_frame()
                continue
            if decoded is not None:
                self._picture = np.asarray(decoded.to_ndarray(format="bgr24"), np.uint8)

    def _next(self) -> EncodedFrame | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or bool(self._waiting))
            return None if self._stopping else self._waiting.popleft()
