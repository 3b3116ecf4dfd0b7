"""A participant's video: the encoded frames that wait for the compositor, and the last decoded one."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import av
from av.video.frame import VideoFrame

from signaling.codec import VideoDecoder
from signaling.rtc import EncodedFrame

MAX_PENDING_FRAMES = 45
"""Three grid intervals' worth at 15 frames/s would do; this much covers a compositor that stalls for a second."""

FPS_WINDOW_S = 2.0

DECODE_SHARE, DECODE_AT_ONCE_S = 0.5, 0.1
"""Of the compositor's time, which all share, for one participant: 1080p at 30 frames/s takes half of that share. Frames
of 250 bytes that each decode into 4096x2304 pixels, 45 of them at once, held everybody's picture for a third of a
second."""


class VideoSlot:
    """Frames go in on the event loop (`push`) and come out in the compositor's thread (`take`).

    Decoding happens where the frame is used: no thread per participant, no hop per frame, and the newest frame
    always replaces the one before. A VP8 frame needs its predecessors, so none is skipped; but when the
    compositor stalls and `MAX_PENDING_FRAMES` wait, or when they take more than `DECODE_SHARE` of its time, all are
    dropped and `need_key_frame` is called (on the loop).
    """

    def __init__(self, need_key_frame: Callable[[], None]) -> None:
        self._need_key_frame = need_key_frame
        self._pending: deque[EncodedFrame] = deque()
        self._decoder: VideoDecoder | None = None
        self._codec = ""
        self._broken = False
        self._arrivals: deque[float] = deque(maxlen=128)
        self._left_s, self._filled_s = DECODE_AT_ONCE_S, time.monotonic()
        self.size: tuple[int, int] | None = None
        self.last_frame_s: float | None = None
        self.dropped = 0
        self.decode_errors = 0

    def push(self, frame: EncodedFrame) -> None:
        """Queue one encoded frame. Event loop only."""
        if self._broken or len(self._pending) >= MAX_PENDING_FRAMES:
            self.dropped += len(self._pending)
            self._pending.clear()
            self._broken = False
            if not frame.key:
                self.dropped += 1
                self._need_key_frame()
                return
        self._pending.append(frame)
        self._arrivals.append(frame.arrived_s)
        self.last_frame_s = frame.arrived_s

    def take(self) -> VideoFrame | None:
        """The newest frame (yuv420p) if one has come since the last call. Compositor's thread only."""
        newest: VideoFrame | None = None
        now = time.monotonic()
        self._left_s = min(DECODE_AT_ONCE_S, self._left_s + (now - self._filled_s) * DECODE_SHARE)
        self._filled_s = now
        while self._pending:
            if self._left_s <= 0:
                self.dropped += len(self._pending)
                self._pending.clear()
                self._broken = True  # after the rest is gone: what comes between is no key frame to go on from
                break
            try:
                encoded = self._pending.popleft()
            except IndexError:  # `push` dropped the rest meanwhile
                break
            began_s = time.thread_time()  # others on a busy machine are not this participant's doing
            newest = self._decode(encoded) or newest
            self._left_s -= time.thread_time() - began_s
        if newest is not None:
            self.size = (newest.width, newest.height)
        return newest

    def fps(self) -> float:
        """Frames/s that arrived over the last `FPS_WINDOW_S`."""
        since = time.monotonic() - FPS_WINDOW_S
        return sum(1 for arrived in list(self._arrivals) if arrived >= since) / FPS_WINDOW_S

    def _decode(self, encoded: EncodedFrame) -> VideoFrame | None:
        if self._decoder is None or encoded.codec != self._codec:
            self._decoder = VideoDecoder(encoded.codec)
            self._codec = encoded.codec
        try:
            return self._decoder.decode(encoded.data)
        except av.FFmpegError:
            self.decode_errors += 1
            self._broken = True  # the next push asks for a key frame, on the loop
            return None
