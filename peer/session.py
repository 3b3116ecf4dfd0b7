"""One connection to the meeting: our picture out, the grid in, and the data channel `mood`, until it ends."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientSession
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.exceptions import InvalidStateError
from yarl import URL

from peer import whip
from peer.mood import MoodBoard
from peer.sender import SenderTrack
from peer.source import Source
from signaling import protocol, rtc
from signaling.errors import MessageInvalid
from signaling.network import is_ours
from signaling.sctp import bound_channels

MOOD_REPEAT_S = 0.9 * protocol.MOOD_EVERY_S
"""A little sooner than promised, since timers only ever fire late."""

MAX_BUFFERED_BYTES = 4096
"""With more than this waiting, the channel is not draining: the next mood will be newer anyway."""

WELCOME_PATIENCE_S = 2.0
"""The channel may lose `welcome`, which says nothing that the meeting needs: then it is done without."""

WATCH_EVERY_S = 0.25
CLOSE_PATIENCE_S = 3.0


@dataclass(frozen=True)
class SessionConfig:
    """Patience, in seconds."""

    connect_s: float = 10.0
    """From the answer to an open data channel: ICE and DTLS take well under one second on a working network."""

    silent_s: float = 5.0
    """The host pings every second; five in a row are not lost by chance, and people notice a frozen picture then."""


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """Why a session ended. `by_host`: it said so itself, with `bye`."""

    reason: str
    by_host: bool = False


@dataclass(frozen=True)
class SessionEvents:
    """Who hears of what happens; every callback runs on the event loop and returns at once."""

    on_connected: Callable[[str], None]
    """With the participant's id, or "" where `welcome` got lost."""
    on_grid_frame: Callable[[rtc.EncodedFrame], None]
    on_resume: Callable[[str], None]
    """With the personal token that takes this tile back."""


class MeetingSession:
    """`open`, then `run` until it ends, then `close`, whatever happened; each once."""

    def __init__(
        self,
        http: ClientSession,
        source: Source,
        moods: MoodBoard | None,
        events: SessionEvents,
        config: SessionConfig,
    ) -> None:
        """`moods` None: labels are never sent."""
        self._http, self._moods, self._events, self._config = http, moods, events, config
        self._answer: whip.Answer | None = None
        self._token = ""
        self._relay_missing = False
        self._participant: str | None = None
        self._seq = 0
        self._heard_s = time.monotonic()
        self._end: asyncio.Future[SessionEnd] = asyncio.get_running_loop().create_future()
        self._welcomed = asyncio.Event()
        self._opened = asyncio.Event()
        self._track = SenderTrack(source)
        self._connection = rtc.peer_connection()
        self._connection.on("connectionstatechange", self._on_state)
        self._add_media(self._connection)
        self._channel = self._connection.createDataChannel(protocol.CHANNEL_LABEL, ordered=False, maxRetransmits=0)
        bound_channels(self._connection)
        self._channel.on("open", self._opened.set)
        self._channel.on("message", self._on_message)
        self._channel.on("close", lambda: self._finish(SessionEnd("channel closed")))

    def _add_media(self, connection: RTCPeerConnection) -> None:
        """Our picture first, then the grid: the host answers the sections in this order."""
        vp8 = rtc.codec_capabilities("VP8")
        ours = connection.addTransceiver(self._track, direction="sendonly")
        ours.setCodecPreferences(vp8)
        rtc.on_key_frame_request(ours.sender, self._track.frames.ask_key_frame)
        rtc.on_bitrate_estimate(ours.sender, self._track.frames.estimate)
        rtc.limit_retransmissions(ours.sender)
        grid = connection.addTransceiver("video", direction="recvonly")
        grid.setCodecPreferences(vp8)
        self._receiver = rtc.FrameReceiver(grid, self._events.on_grid_frame)

    async def open(self, url: URL, token: str) -> None:
        """Exchange offer and answer. Raises `whip.Refused` or `whip.Unreachable`."""
        servers = await whip.ice_servers(self._http, url, token)
        rtc.use_ice_servers(self._connection, servers)
        await self._connection.setLocalDescription(await self._connection.createOffer())
        offer = self._connection.localDescription.sdp
        self._relay_missing = any(server.relays for server in servers) and " typ relay" not in offer
        self._answer = await whip.publish(self._http, url, token, offer)
        self._token = self._answer.resume or token
        if self._answer.resume:
            self._events.on_resume(self._answer.resume)
        try:
            await self._connection.setRemoteDescription(RTCSessionDescription(self._answer.sdp, "answer"))
        except Exception as error:  # whatever aiortc finds wrong in what should have been an answer
            raise whip.Unreachable(f"expected an SDP answer, got one that fails: {error!r:.200}") from error

    async def run(self) -> SessionEnd:
        """Connect, and take part until the session ends."""
        try:
            async with asyncio.timeout(self._config.connect_s):
                if not await self._until(self._opened):
                    return self._unconnected(self._end.result())
        except TimeoutError:
            return self._unconnected(SessionEnd("no connection"))
        self._heard_s = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._announce()), tasks.create_task(self._watch())]
            if self._moods is not None:
                helpers.append(tasks.create_task(self._tell_moods(self._moods)))
            end = await asyncio.shield(self._end)
            for helper in helpers:
                helper.cancel()
        return end

    async def close(self, *, leave: bool) -> None:
        """End everything; `leave` tells the host that we do not come back."""
        self._finish(SessionEnd("closed"))
        if leave and self._answer is not None:
            await whip.leave(self._http, self._answer.session, self._token)
        await self._track.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_PATIENCE_S):
                await self._connection.close()

    def need_key_frame(self) -> None:
        """Whoever decodes the grid lost the thread."""
        self._receiver.need_key_frame()

    async def _until(self, event: asyncio.Event) -> bool:
        """Wait for `event`, or for the end of the session; whether it was the event."""
        waiting = asyncio.ensure_future(event.wait())
        try:
            await asyncio.wait((waiting, self._end), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return event.is_set()

    def _unconnected(self, end: SessionEnd) -> SessionEnd:
        """Why the session never began; the log has said what became of the relay."""
        if end.by_host or not self._relay_missing:
            return end
        return SessionEnd(f"{end.reason}, and no relay from the TURN server")

    async def _announce(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WELCOME_PATIENCE_S):
                await self._welcomed.wait()
        self._events.on_connected(self._participant or "")

    async def _watch(self) -> None:
        address = rtc.local_address(self._connection)
        while time.monotonic() - self._heard_s < self._config.silent_s:
            await asyncio.sleep(WATCH_EVERY_S)
            if address is not None and not is_ours(address):
                self._finish(SessionEnd("address gone"))  # another network: there is nothing to wait for
                return
        self._finish(SessionEnd("host silent"))

    async def _tell_moods(self, moods: MoodBoard) -> None:
        seen = moods.changes
        while True:
            if moods.decision is not None:
                verdict = moods.decision.verdict
                self._seq += 1
                self._send(protocol.Mood(verdict.label, round(verdict.score, 4), verdict.reason, self._seq))
            seen = await moods.wait_change(seen, MOOD_REPEAT_S)

    def _send(self, message: protocol.FromParticipant) -> None:
        if self._channel.readyState != "open" or self._channel.bufferedAmount > MAX_BUFFERED_BYTES:
            return
        with contextlib.suppress(ConnectionError, InvalidStateError):  # closed before the channel heard of it
            self._channel.send(protocol.encode(message))

    def _on_message(self, data: str | bytes) -> None:
        self._heard_s = time.monotonic()
        try:
            message = protocol.decode_from_host(data)
        except MessageInvalid:
            return  # a later version's message, none of our business
        match message:
            case protocol.Ping():
                self._send(protocol.Pong(message.id))
            case protocol.Send():
                self._track.frames.ask(message)
            case protocol.Welcome():
                self._participant = message.participant
                if message.resume:
                    self._token = message.resume
                    self._events.on_resume(message.resume)
                self._welcomed.set()
            case protocol.Bye():
                self._finish(SessionEnd(message.reason, by_host=True))
            case protocol.Roster():
                pass  # names of others: nothing of ours shows them

    def _on_state(self) -> None:
        if self._connection.connectionState in ("failed", "closed"):
            self._finish(SessionEnd("connection " + self._connection.connectionState))

    def _finish(self, end: SessionEnd) -> None:
        if not self._end.done():
            self._end.set_result(end)
