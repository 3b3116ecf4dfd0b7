"""Our picture on its way out: the source's latest frame, scaled to what the tile can show, as VP8 packets.

aiortc would encode in the event loop's shared threads, at the camera's size, and ignore what the host asks for.
Here one thread per session scales and encodes, and aiortc only packetises.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from peer.bitrate import BitrateGovernor
from peer.source import Frame, Pixels, Source
from signaling.codec import Planes, Vp8Encoder
from signaling.protocol import Send

logger = logging.getLogger(__name__)

DEFAULT_SEND = Send(width=640, height=480, fps=15, kbps=500)
"""Until the host says what the tile needs."""

MIN_SIDE_PX = 16
"""VP8's macroblock."""

ROUNDING = 1e-6
"""So that 2.9999999 counts as 3 where a product of floats is rounded down."""

POLL_S = 0.25
"""How long one call waits for a frame; also how long `close` may take."""

EARLY_SHARE = 0.3
"""A frame may go out this share of an interval before it is due: a source at the asked rate is never held back by a
clock that runs out of step with it, and the average rate stays the asked one."""


def fit(width: int, height: int, send: Send) -> tuple[int, int]:
    """The largest even size in pixels within the box of `send`, with the picture's aspect and not larger than it."""
    scale = min(1.0, send.width / width, send.height / height)
    return _even(width * scale), _even(height * scale)


def _even(length: float) -> int:
    return max(MIN_SIDE_PX, int(length / 2 + ROUNDING) * 2)


def to_planes(bgr: Pixels, width: int, height: int) -> Planes:
    """Scale (H, W, 3) uint8 BGR to `width` x `height`, both even, and convert to I420 (BT.601)."""
    if bgr.shape[:2] != (height, width):
        bgr = cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)


class FrameSender:
    """Makes packets in one thread; what the network says may come from any other."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._send = DEFAULT_SEND
        self._governor = BitrateGovernor(DEFAULT_SEND.kbps)
        self._key_wanted = False
        self._encoder: Vp8Encoder | None = None
        self._seq = 0
        self._start_s: float | None = None
        self._last_s = -1.0
        self._due_s = 0.0
        self._closing = threading.Event()

    def ask(self, send: Send) -> None:
        """The host wants this size, rate and bitrate from the next frame on."""
        with self._lock:
            if send != self._send:
                self._send = send
                self._governor.ask(send.kbps, time.monotonic())

    def ask_key_frame(self) -> None:
        """A receiver cannot go on without a key frame."""
        with self._lock:
            self._key_wanted = True

    def estimate(self, bits_per_s: int) -> None:
        """The receiver believes that this much gets through."""
        with self._lock:
            self._governor.estimate(bits_per_s, time.monotonic())

    def close(self) -> None:
        """Let a waiting `next_packet` return."""
        self._closing.set()

    def next_packet(self) -> av.Packet[av.VideoStream] | None:
        """Wait for the next frame that is due, and encode it; None if there is none within `POLL_S`. Blocks."""
        with self._lock:
            send, kbps = self._send, self._governor.current(time.monotonic())
        frame = self._due_frame(1.0 / send.fps)
        if frame is None:
            return None
        height, width = frame.bgr.shape[:2]
        size = fit(width, height, send)
        encoder = self._encoder_for(size, send.fps, kbps)
        with self._lock:
            key_frame, self._key_wanted = self._key_wanted, False
        planes = to_planes(frame.bgr, *size)
        packet = encoder.encode(planes, self._next_pts(frame, send.fps), key_frame=key_frame)
        with self._lock:
            if packet is None:
                self._key_wanted = self._key_wanted or key_frame
            else:
                self._governor.sent(packet.size, time.monotonic())
        return packet

    def _due_frame(self, interval_s: float) -> Frame | None:
        """The newest frame not yet sent, at `interval_s` on average or at the source's rate if that is lower."""
        frame = self._source.wait_newer(self._seq, POLL_S)
        early_s = self._due_s - EARLY_SHARE * interval_s - time.monotonic()
        if frame is not None and early_s > 0:
            if self._closing.wait(min(early_s, POLL_S)):
                return None
            frame = self._source.latest()
        if frame is None or frame.seq == self._seq:
            return None
        self._seq = frame.seq
        # After a gap the clock starts anew: it must not let a burst through to make up for it.
        self._due_s = max(self._due_s + interval_s, time.monotonic() + (1 - EARLY_SHARE) * interval_s)
        return frame

    def _encoder_for(self, size: tuple[int, int], fps: int, kbps: int) -> Vp8Encoder:
        old = self._encoder
        if old is not None and (old.width, old.height, old.fps, old.kbps) == (*size, fps, kbps):
            return old
        self._encoder = Vp8Encoder(*size, fps, kbps)
        return self._encoder

    def _next_pts(self, frame: Frame, fps: int) -> int:
        """Capture time in units of 1/fps: strictly increasing, also in seconds from one frame rate to another."""
        if self._start_s is None:
            self._start_s = frame.captured_s
        pts = max(round((frame.captured_s - self._start_s) * fps), int(self._last_s * fps + ROUNDING) + 1)
        self._last_s = pts / fps
        return pts


class SenderTrack(MediaStreamTrack):
    """The video track of one session. `recv` waits while there is no picture, and raises only at its end."""

    kind = "video"

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.frames = FrameSender(source)
        self._executor = ThreadPoolExecutor(1, "edgeattend-sender")
        self._failed = False

    async def recv(self) -> Any:
        """aiortc's hook: the next `av.Packet`."""
        loop = asyncio.get_running_loop()
        while self.readyState == "live":
            try:
                packet = await loop.run_in_executor(self._executor, self.frames.next_packet)
            except Exception:  # an error here would end the track for good
                if self.readyState != "live":
                    break
                if not self._failed:
                    logger.exception("a frame could not be sent; the next ones are tried")
                self._failed = True
                await asyncio.sleep(POLL_S)
                continue
            if packet is not None:
                return packet
        raise MediaStreamError

    async def close(self) -> None:
        """End the track and its thread."""
        self.stop()
        self.frames.close()
        await asyncio.to_thread(self._executor.shutdown)
