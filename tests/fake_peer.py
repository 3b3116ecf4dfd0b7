"""A participant or viewer in this process: a real WebRTC connection that does only what a test tells it to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from fractions import Fraction
from typing import Any, TypeVar

import av
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from signaling import rtc
from signaling.protocol import (
    CHANNEL_LABEL,
    FromHost,
    FromParticipant,
    Label,
    Mood,
    Ping,
    Pong,
    Reason,
    decode_from_host,
    encode,
)
from tests.media import flat_vp8

WAIT_S = 15.0
FPS = 15
T = TypeVar("T")


async def until(condition: Callable[[], T], timeout_s: float = WAIT_S) -> T:
    """The first value of `condition` that is true; `TimeoutError` if none comes."""
    async with asyncio.timeout(timeout_s):
        while not (value := condition()):  # noqa: ASYNC110  (nobody but us can tell when it holds)
            await asyncio.sleep(0.005)
        return value


class OneColour(MediaStreamTrack):
    """A camera in front of a wall: the same key frame again and again."""

    kind = "video"

    def __init__(self, yuv: tuple[int, int, int]) -> None:
        super().__init__()
        self._data = flat_vp8(160, 120, yuv)
        self._number = 0
        self.running = asyncio.Event()
        self.running.set()

    async def recv(self) -> av.Packet[Any]:
        """The next frame at its time."""
        await asyncio.sleep(1 / FPS)
        await self.running.wait()
        packet: av.Packet[Any] = av.Packet(self._data)
        packet.pts, packet.time_base = self._number, Fraction(1, FPS)
        self._number += 1
        return packet


class FakePeer:
    """Sends one colour (None: only watches), keeps every message and grid frame, answers pings while `polite`."""

    def __init__(self, yuv: tuple[int, int, int] | None = (81, 90, 240)) -> None:
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.messages: list[FromHost] = []
        self.grid: list[rtc.EncodedFrame] = []
        self.polite = True
        self.key_requests = 0
        self.track: OneColour | None = None
        self.channel: Any = None
        self.answer = ""
        self._seq = 0
        if yuv is not None:
            self.track = OneColour(yuv)
            sending = self.connection.addTransceiver(self.track, direction="sendonly")
            sending.setCodecPreferences(rtc.codec_capabilities("VP8"))
            rtc.on_key_frame_request(sending.sender, self._count_key_request)
            self.channel = self.connection.createDataChannel(CHANNEL_LABEL, ordered=False, maxRetransmits=0)
            self.channel.on("message", self._on_message)
        receiving = self.connection.addTransceiver("video", direction="recvonly")
        receiving.setCodecPreferences(rtc.codec_capabilities("VP8"))
        rtc.FrameReceiver(receiving, self.grid.append)

    async def offer(self) -> str:
        """The SDP to post."""
        await self.connection.setLocalDescription(await self.connection.createOffer())
        text: str = self.connection.localDescription.sdp
        return text

    async def accept(self, answer: str) -> None:
        """Apply the host's answer, and wait until the connection stands and messages can be sent."""
        await self.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: self.connection.connectionState == "connected")
        if self.channel is not None:
            await until(lambda: self.channel.readyState == "open")

    def send(self, message: FromParticipant | str | bytes) -> None:
        """One message, or any text or bytes."""
        self.channel.send(message if isinstance(message, str | bytes) else encode(message))

    def mood(self, label: Label, score: float = 0.9, reason: Reason = Reason.FACE) -> None:
        """The next mood."""
        self._seq += 1
        self.send(Mood(label, score, reason, self._seq))

    async def hear(self, kind: type[T]) -> T:
        """The latest message of a kind; waits for the first."""
        return (await until(lambda: self.heard(kind)))[-1]

    def heard(self, kind: type[T]) -> list[T]:
        """All messages of a kind so far."""
        return [message for message in self.messages if isinstance(message, kind)]

    def fall_silent(self) -> None:
        """Keep the connection, but send nothing any more."""
        self.polite = False
        if self.track is not None:
            self.track.running.clear()

    async def close(self) -> None:
        """Leave without a word."""
        await self.connection.close()

    def _count_key_request(self) -> None:
        self.key_requests += 1

    def _on_message(self, data: str) -> None:
        message = decode_from_host(data)
        self.messages.append(message)
        if isinstance(message, Ping) and self.polite and self.channel.readyState == "open":
            self.send(Pong(message.id))


@asynccontextmanager
async def closing(*peers: FakePeer) -> AsyncIterator[None]:
    """Closes `peers` at the end, whatever happened."""
    try:
        yield
    finally:
        await asyncio.gather(*(peer.close() for peer in peers))
