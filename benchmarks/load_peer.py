"""A cheap participant: sends VP8 that was encoded before, receives the grid, answers pings. For load, not for life."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import av
import cv2
import numpy as np
from aiortc import MediaStreamTrack, RTCSessionDescription
from numpy.typing import NDArray

from signaling import rtc
from signaling.codec import Vp8Encoder
from signaling.protocol import (
    CHANNEL_LABEL,
    RESUME_HEADER,
    Label,
    Mood,
    Ping,
    Pong,
    Reason,
    Send,
    decode_from_host,
    encode,
)

Pixels = NDArray[Any]

CLIPS = Path(__file__).parent.parent / "peer" / "clips"
PEOPLE = ("ana", "ben", "mei", "omar", "zuri")
"""Who the demo clips show."""


def read_clip(clip: str, width: int, height: int, frames: int) -> Iterator[Pixels]:
    """`frames` pictures of a demo clip, looped, scaled to `width` x `height`: (H, W, 3) uint8 BGR."""
    capture = cv2.VideoCapture(str(CLIPS / f"{clip}.mp4"))
    given = 0
    while given < frames:
        ok, bgr = capture.read()
        if not ok:
            if not capture.set(cv2.CAP_PROP_POS_FRAMES, 0):
                raise FileNotFoundError(f"expected the demo clip {CLIPS / clip}.mp4")
            continue
        yield cv2.resize(bgr, (width, height), interpolation=cv2.INTER_AREA)
        given += 1
    capture.release()


def encode_clip(width: int, height: int, fps: int, kbps: int, *, clip: str = "ana", frames: int = 120) -> list[bytes]:
    """`frames` VP8 frames of a demo clip; the first is a key frame."""
    encoder = Vp8Encoder(width, height, fps, kbps)
    encoded: list[bytes] = []
    for number, bgr in enumerate(read_clip(clip, width, height, frames)):
        packet = encoder.encode(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8), number)
        assert packet is not None
        encoded.append(bytes(packet))
    return encoded


class EncodedTrack(MediaStreamTrack):
    """Sends encoded frames in a loop, at their rate; starts over at the key frame when one is asked for."""

    kind = "video"

    def __init__(self, frames: list[bytes], fps: int) -> None:
        super().__init__()
        self._frames = frames
        self._fps = fps
        self._start = time.monotonic()
        self._number = 0
        self._index = 0

    def restart(self) -> None:
        """The next frame is the key frame."""
        self._index = 0

    def replace(self, frames: list[bytes], fps: int | None = None) -> None:
        """Send these from now on, maybe at another rate; the first is a key frame."""
        self._frames = frames
        self._index = 0
        if fps is not None and fps != self._fps:
            self._fps, self._number = fps, math.ceil((time.monotonic() - self._start) * fps)

    async def recv(self) -> av.Packet[Any]:
        """The next packet, when it is due."""
        await asyncio.sleep(max(0.0, self._start + self._number / self._fps - time.monotonic()))
        packet: av.Packet[Any] = av.Packet(self._frames[self._index])
        packet.pts = self._number
        packet.time_base = Fraction(1, self._fps)
        self._index = (self._index + 1) % len(self._frames)
        self._number += 1
        return packet


class Refused(Exception):  # noqa: N818  what happened
    """The host did not let somebody in."""

    def __init__(self, status: int, text: str, retry_after_s: str | None) -> None:
        super().__init__(f"{status}: {text}")
        self.status, self.text, self.retry_after_s = status, text, retry_after_s


class LoadPeer:
    """One connection that publishes `track` (or only watches, without one) and counts the grid's frames."""

    def __init__(
        self, track: MediaStreamTrack | None, on_grid: Callable[[rtc.EncodedFrame], None] | None = None
    ) -> None:
        self._track = track
        self._on_grid = on_grid
        self._connection = rtc.peer_connection()
        self._seq = 0
        self._mood_task: asyncio.Task[None] | None = None
        self.grid_frames = 0
        self.grid_bytes = 0
        self.first_grid_s: float | None = None
        self._saw_grid = asyncio.Event()
        self.asked: Send | None = None
        self.posted_s = 0.0
        self.resume = self.location = ""

    async def join(
        self,
        http: aiohttp.ClientSession,
        url: str,
        token: str,
        on_key_frame_request: Callable[[], None] | None = None,
    ) -> None:
        """Offer, post, connect; returns when the answer is applied. An `EncodedTrack` restarts by itself.

        Raises `Refused`.
        """
        connection = self._connection
        if self._track is not None:
            sending = connection.addTransceiver(self._track, direction="sendonly")
            sending.setCodecPreferences(rtc.codec_capabilities("VP8"))
            if isinstance(self._track, EncodedTrack):
                on_key_frame_request = self._track.restart
            if on_key_frame_request is not None:
                rtc.on_key_frame_request(sending.sender, on_key_frame_request)
        grid = connection.addTransceiver("video", direction="recvonly")
        grid.setCodecPreferences(rtc.codec_capabilities("VP8"))
        self.receiver = rtc.FrameReceiver(grid, self._count)
        if self._track is not None:
            self._channel = connection.createDataChannel(CHANNEL_LABEL, ordered=False, maxRetransmits=0)
            self._channel.on("message", self._on_message)
        await connection.setLocalDescription(await connection.createOffer())
        self.posted_s = time.monotonic()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
        async with http.post(url, data=connection.localDescription.sdp, headers=headers) as response:
            text = await response.text()
            if response.status != 201:
                raise Refused(response.status, text, response.headers.get("Retry-After"))
            self.resume = response.headers.get(RESUME_HEADER, "")
            self.location = response.headers["Location"]
        await connection.setRemoteDescription(RTCSessionDescription(text, "answer"))
        if self._track is not None:
            self._mood_task = asyncio.create_task(self._send_moods())

    @property
    def lost(self) -> bool:
        """Whether there was a connection that is gone."""
        return self._connection.connectionState in ("failed", "closed")

    async def wait_for_grid(self, timeout_s: float) -> float:
        """Seconds from the posted offer to the first grid frame. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            await self._saw_grid.wait()
        assert self.first_grid_s is not None
        return self.first_grid_s - self.posted_s

    async def traffic(self) -> tuple[int, int]:
        """Bytes sent and received by now: RTP, RTCP and data channel, encrypted, without UDP and IP headers."""
        stats = await self._connection.getStats()
        transports = {entry.id: entry for entry in stats.values() if entry.type == "transport"}.values()
        return sum(t.bytesSent for t in transports), sum(t.bytesReceived for t in transports)

    async def close(self) -> None:
        """Leave without a word."""
        if self._mood_task is not None:
            self._mood_task.cancel()
            await asyncio.gather(self._mood_task, return_exceptions=True)
        await self._connection.close()

    def _count(self, frame: rtc.EncodedFrame) -> None:
        if self.first_grid_s is None:
            self.first_grid_s = time.monotonic()
            self._saw_grid.set()
        self.grid_frames += 1
        self.grid_bytes += len(frame.data)
        if self._on_grid is not None:
            self._on_grid(frame)

    def _on_message(self, data: str) -> None:
        message = decode_from_host(data)
        if isinstance(message, Ping):
            self._channel.send(encode(Pong(message.id)))
        elif isinstance(message, Send):
            self.asked = message

    async def _send_moods(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if self._channel.readyState == "open":
                self._seq += 1
                attentive = self._seq % 6 < 4
                label = Label.ATTENTIVE if attentive else Label.NOT_ATTENTIVE
                self._channel.send(encode(Mood(label, 0.91 if attentive else 0.12, Reason.FACE, self._seq)))
