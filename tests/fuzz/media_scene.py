"""A meeting that is attacked at its media ports: Ana, who stays and watches the grid, and whoever means harm."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest
from aioice.ice import Connection
from aiortc.rtcdtlstransport import RTCDtlsTransport
from google_crc32c import value as crc32c

from signaling import rtcguard
from signaling.limits import Rate, RequestLimits
from signaling.server import RunningServer, ServeConfig, running
from tests.fake_peer import FakePeer, until
from tests.fuzz.process import open_files, resident_bytes
from tests.signaling.conftest import CONFIG, Client

MOST_BUSY_S = 3.0
"""CPU time of the event loop between two turns of it: a fault takes more, or never ends."""

MOST_GROWTH = 150 * 2**20
"""Bytes of memory over all of one attack, the attacker's own included."""

MOST_LINES = 10
"""Of log for one attack, however many packets it has."""

PACKETS_A_TURN = 16


class Lines(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("aioice"):  # the server logs its errors alone
            self.records.append(record)


def dtls(peer: FakePeer) -> RTCDtlsTransport:
    """What everything of `peer` goes over."""
    return peer.connection.getTransceivers()[0].receiver.transport


def ice(peer: FakePeer) -> Connection:
    return dtls(peer).transport._connection


def host_port(peer: FakePeer) -> tuple[str, int]:
    """Where the host hears `peer`."""
    return ice(peer)._nominated[1].remote_addr


def payload_types(peer: FakePeer) -> list[int]:
    """Of what the peer may send: VP8, its retransmissions, and one that nobody agreed on."""
    return [codec.payloadType for codec in peer.connection.getTransceivers()[0]._codecs] + [120]


def own_ssrc(peer: FakePeer) -> int:
    return peer.connection.getTransceivers()[0].sender._ssrc


def sctp_packet(peer: FakePeer, *chunks: bytes, tag: int | None = None) -> bytes:
    """An SCTP packet (RFC 9260 3) as `peer` would send it to the host."""
    sctp = peer.connection.sctp
    assert sctp is not None
    tag = sctp._remote_verification_tag if tag is None else tag
    head = b"".join(number.to_bytes(size, "big") for number, size in ((5000, 2), (5000, 2), (tag, 4)))
    body = b"".join(chunk + bytes(-len(chunk) % 4) for chunk in chunks)
    return head + crc32c(head + bytes(4) + body).to_bytes(4, "little") + body


def chunk(kind: int, body: bytes = b"", flags: int = 0, length: int | None = None) -> bytes:
    """An SCTP chunk; its `length` may lie."""
    return bytes([kind, flags]) + (len(body) + 4 if length is None else length).to_bytes(2, "big") + body


class Scene:
    """The meeting, and what is watched in it."""

    def __init__(self, server: RunningServer, http: aiohttp.ClientSession) -> None:
        self.client = Client(server, http)
        self.ana = FakePeer()
        self.lines = Lines()
        self.unexpected: list[str] = []
        self.longest_busy_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.unexpected.append(repr(context)))
        logging.getLogger().addHandler(self.lines)
        logging.getLogger("asyncio").addHandler(self.lines)
        self.ana, _ = await self.client.join("?name=Ana")
        await until(lambda: len(self.ana.grid) > 2)
        self._tasks = [asyncio.create_task(self._watch())]
        self.start_lines, self.start_bytes = len(self.lines.records), resident_bytes()
        self.start_tasks, self.start_files = len(asyncio.all_tasks()), open_files()

    async def _watch(self) -> None:
        """For how long the loop lets nobody have a turn."""
        while True:
            began_s = time.thread_time()
            await asyncio.sleep(0)
            self.longest_busy_s = max(self.longest_busy_s, time.thread_time() - began_s)
            await asyncio.sleep(0.02)

    async def attacker(self) -> FakePeer:
        """A participant with keys, whose own sender is quiet."""
        peer, _ = await self.client.join("?name=Mallory")
        assert peer.track is not None
        peer.track.running.clear()
        return peer

    async def nobody_noticed(self) -> None:
        """The picture goes on, the server answers, and nothing is left lying about but a few lines of log."""
        frames = len(self.ana.grid)
        await until(lambda: len(self.ana.grid) >= frames + 3)
        async with self.client.request("GET", "/healthz") as response:
            assert response.status == 200
        assert self.ana.connection.connectionState == "connected"
        gc.collect()
        await asyncio.sleep(0)
        assert self.unexpected == []
        lines = self.lines.records[self.start_lines :]
        assert len(lines) <= MOST_LINES, [line.getMessage() for line in lines]
        assert not [line.getMessage() for line in lines if line.exc_info or "Traceback" in line.getMessage()]
        assert self.longest_busy_s < MOST_BUSY_S
        assert resident_bytes() - self.start_bytes < MOST_GROWTH

    async def all_gone(self, *peers: FakePeer) -> None:
        """When `peers` leave, nothing of them stays."""
        for peer in peers:
            await peer.close()
            self.client.peers.remove(peer)
        room = self.client.room
        ids = [participant.id for participant in room.participants() if participant.name == "Mallory"]
        for participant in ids:
            room.remove(participant)
        await until(lambda: len(asyncio.all_tasks()) <= self.start_tasks)
        await until(lambda: open_files() <= self.start_files)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in self.client.peers:
            await peer.close()
        logging.getLogger().removeHandler(self.lines)
        logging.getLogger("asyncio").removeHandler(self.lines)


@asynccontextmanager
async def attacked() -> AsyncIterator[Scene]:
    """A meeting to attack."""
    plenty = Rate(10**6, 1e6)
    limits = RequestLimits(strangers=plenty, requests=plenty, joins=plenty)
    patch = pytest.MonkeyPatch()
    patch.setattr(rtcguard, "MAX_FAULTS", 10**9)  # or much of what is tried would not be heard
    config = ServeConfig(secret=CONFIG.secret, port=0, rooms=CONFIG.rooms, grid=CONFIG.grid, limits=limits)
    async with running(config) as server, aiohttp.ClientSession() as http:
        scene = Scene(server, http)
        try:
            await scene.begin()
            yield scene
        finally:
            await scene.end()
            patch.undo()


async def send_rtp(peer: FakePeer, packets: Iterable[bytes]) -> int:
    """Protect and send what can be; how many that were."""
    sent = 0
    for number, packet in enumerate(packets):
        try:
            await dtls(peer)._send_rtp(packet)
            sent += 1
        except ConnectionError:
            break
        except Exception:
            continue
        if number % PACKETS_A_TURN == 0:
            await asyncio.sleep(0)
    return sent


async def send_sctp(peer: FakePeer, packets: Iterable[bytes]) -> int:
    """Encrypt and send; how many before the connection was gone."""
    sent = 0
    for number, packet in enumerate(packets):
        try:
            await dtls(peer)._send_data(packet)
        except ConnectionError:
            break
        sent += 1
        if number % PACKETS_A_TURN == 0:
            await asyncio.sleep(0)
    return sent


def send_datagram(transport: asyncio.DatagramTransport, data: bytes, to: tuple[str, int]) -> None:
    """At once and also when empty, which asyncio keeps to itself."""
    own = transport.get_extra_info("socket")
    with socket.socket(own.family, own.type, fileno=os.dup(own.fileno())) as again, suppress(OSError):
        again.sendto(data, to)


async def send_raw(peer: FakePeer, packets: Iterable[bytes]) -> None:
    """From `peer`'s own port, without any keys."""
    for number, packet in enumerate(packets):
        send_datagram(ice(peer)._nominated[1].protocol.transport, packet, host_port(peer))
        if number % PACKETS_A_TURN == 0:
            await asyncio.sleep(0)


class Stranger(asyncio.DatagramProtocol):
    """Somebody with a socket and nothing else, who counts what comes back."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.sent = self.answered = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, _: Any) -> None:
        self.answered += len(data)

    def send(self, data: bytes, to: tuple[str, int]) -> None:
        self.sent += len(data)
        send_datagram(self.transport, data, to)

    def close(self) -> None:
        self.transport.close()


async def stranger(address: str) -> Stranger:
    """A stranger on this machine."""
    _, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Stranger, local_addr=(address, 0))
    return protocol
