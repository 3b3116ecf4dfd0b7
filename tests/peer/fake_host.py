"""A host in this process that does what a test says: real HTTP, real WebRTC, no rooms and no tokens of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCDataChannel, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from signaling import protocol, rtc
from signaling.codec import Vp8Encoder

INVITE = "invite-token"
RESUME = "resume-token"
GRID_WIDTH, GRID_HEIGHT, GRID_FPS = 320, 180, 15


class FakeGrid(MediaStreamTrack):
    """A grey grid, a key frame every time, so that any frame can be the first."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._encoder = Vp8Encoder(GRID_WIDTH, GRID_HEIGHT, GRID_FPS, 200)
        self._pts = 0

    async def recv(self) -> object:
        if self.readyState != "live":
            raise MediaStreamError
        await asyncio.sleep(1 / GRID_FPS)
        self._pts += 1
        return self._encoder.encode(
            np.full((GRID_HEIGHT * 3 // 2, GRID_WIDTH), 128, np.uint8), self._pts, key_frame=True
        )


@dataclass
class FakeSession:
    """One connection as the host sees it."""

    id: str
    name: str
    token: str
    connection: RTCPeerConnection
    grid: FakeGrid
    channel: RTCDataChannel | None = None
    frames: list[rtc.EncodedFrame] = field(default_factory=list)
    messages: list[protocol.FromParticipant] = field(default_factory=list)
    receiver: rtc.FrameReceiver | None = None
    deleted: bool = False

    def send(self, message: protocol.FromHost) -> None:
        assert self.channel is not None
        self.channel.send(protocol.encode(message))


class FakeHost:
    """`sessions` in order of arrival; `refuse` answers the next offers with these statuses and codes, and with
    `retry_after` if there is one."""

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []
        self.refuse: list[tuple[int, str]] = []
        self.retry_after: str | None = None
        self.offers: list[tuple[str, str]] = []
        """(name, bearer token) of every offer, refused ones too."""
        self.offered_s: list[float] = []
        """When they came (monotonic s)."""
        self.pinging = True
        self.port = 0
        self._changed = asyncio.Condition()
        self._pinger: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/r/main?token={INVITE}"

    async def offer(self, request: web.Request) -> web.Response:
        name, token = request.query["name"], request.headers["Authorization"].removeprefix("Bearer ")
        assert request.content_type == "application/sdp"
        self.offers.append((name, token))
        self.offered_s.append(time.monotonic())
        await self.tell()
        if self.refuse:
            status, code = self.refuse.pop(0)
            headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
            body = {"error": {"code": code, "message": f"refused: {code}"}}
            return web.json_response(body, status=status, headers=headers)
        session = await self._accept(await request.text(), name, token)
        headers = {"Location": f"/sessions/{session.id}", protocol.RESUME_HEADER: RESUME}
        sdp = session.connection.localDescription.sdp
        return web.Response(status=201, text=sdp, content_type="application/sdp", headers=headers)

    async def delete(self, request: web.Request) -> web.Response:
        session = next(one for one in self.sessions if one.id == request.match_info["id"])
        assert request.headers["Authorization"] == f"Bearer {RESUME}"
        session.deleted = True
        await session.connection.close()
        await self.tell()
        return web.Response(status=200)

    async def _accept(self, sdp: str, name: str, token: str) -> FakeSession:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        session = FakeSession(str(len(self.sessions)), name, token, connection, FakeGrid())

        self.sessions.append(session)

        def on_frame(frame: rtc.EncodedFrame) -> None:
            session.frames.append(frame)
            self.tell_soon()

        def on_channel(channel: RTCDataChannel) -> None:
            def on_message(data: str | bytes) -> None:
                session.messages.append(protocol.decode_from_participant(data))
                self.tell_soon()

            session.channel = channel
            channel.on("message", on_message)
            session.send(protocol.Welcome(protocol.VERSION, f"p{session.id}", "main", RESUME))

        connection.on("datachannel", on_channel)
        incoming = connection.addTransceiver("video", direction="recvonly")
        session.receiver = rtc.FrameReceiver(incoming, on_frame)
        outgoing = connection.addTransceiver(session.grid, direction="sendonly")
        for transceiver in (incoming, outgoing):
            transceiver.setCodecPreferences(rtc.codec_capabilities("VP8"))
        await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        return session

    async def ping_all(self) -> None:
        number = 0
        while True:
            await asyncio.sleep(0.1)
            number += 1
            for session in self.sessions:
                if self.pinging and session.channel is not None and session.channel.readyState == "open":
                    session.send(protocol.Ping(number))

    def tell_soon(self) -> None:
        asyncio.ensure_future(self.tell())  # noqa: RUF006  ends at once

    async def tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def session(self, number: int) -> FakeSession:
        """Wait for the session with this number whose data channel is open."""
        await self.until(lambda: len(self.sessions) > number and self.sessions[number].channel is not None)
        return self.sessions[number]

    async def until(self, condition: object, timeout_s: float = 20.0) -> None:
        """Wait until `condition()` holds."""
        assert callable(condition)
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    async def start(self, port: int = 0) -> None:
        app = web.Application()
        app.router.add_post("/whip/main", self.offer)
        app.router.add_delete("/sessions/{id}", self.delete)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]
        self._pinger = asyncio.create_task(self.ping_all())

    async def stop(self) -> None:
        assert self._pinger is not None
        self._pinger.cancel()
        await self._runner.cleanup()  # first, so that no session begins behind our back
        for session in self.sessions:
            session.grid.stop()
            await session.connection.close()


@asynccontextmanager
async def running_host() -> AsyncIterator[FakeHost]:
    host = FakeHost()
    await host.start()
    try:
        yield host
    finally:
        await host.stop()
