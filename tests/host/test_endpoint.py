"""The room's end of connections, and a STUN server that answers, or does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aioice import stun
from aiortc import RTCPeerConnection

from host.endpoint import STUN_PAUSE_S, Endpoint
from tests.fake_clock import FakeClock

PUBLIC = ("203.0.113.5", 40_000)


class FakeStun(asyncio.DatagramProtocol):
    """Tells everybody the same address, or nothing."""

    def __init__(self) -> None:
        self.answers = True
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = stun.parse_message(data)
        self.asked += 1
        if self.answers:
            response = stun.Message(request.message_method, stun.Class.RESPONSE, request.transaction_id)
            response.attributes["XOR-MAPPED-ADDRESS"] = PUBLIC
            self._transport.sendto(bytes(response), addr)


@pytest.fixture
async def server() -> AsyncIterator[tuple[FakeStun, str]]:
    loop = asyncio.get_running_loop()
    transport, fake = await loop.create_datagram_endpoint(FakeStun, local_addr=("0.0.0.0", 0))
    yield fake, f"stun:127.0.0.1:{transport.get_extra_info('sockname')[1]}"
    transport.close()


@asynccontextmanager
async def gathered(room: Endpoint) -> AsyncIterator[RTCPeerConnection]:
    """A connection that has gathered its candidates, as a session does."""
    connection = room.connect()
    connection.createDataChannel("mood")
    began_s = time.monotonic()
    await connection.setLocalDescription(await connection.createOffer())
    room.gathered(connection, time.monotonic() - began_s)
    try:
        yield connection
    finally:
        await connection.close()


async def test_without_stun_there_are_the_machine_s_own_addresses_alone() -> None:
    async with gathered(Endpoint()) as connection:
        assert " typ host" in connection.localDescription.sdp
        assert " typ srflx" not in connection.localDescription.sdp


async def test_stun_adds_the_address_outside(server: tuple[FakeStun, str]) -> None:
    async with gathered(Endpoint(server[1])) as connection:
        assert f"{PUBLIC[0]} {PUBLIC[1]} typ srflx" in connection.localDescription.sdp


async def test_a_stun_server_that_does_not_answer_keeps_one_waiting_and_not_everybody(
    server: tuple[FakeStun, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    clock.install(monkeypatch, "host.endpoint")
    fake, uri = server
    fake.answers = False
    room = Endpoint(uri)
    async with gathered(room):
        asked = fake.asked
        assert asked > 0
    assert f"the STUN server {uri} does not answer" in caplog.text
    fake.answers = True
    async with gathered(room) as connection:
        assert " typ srflx" not in connection.localDescription.sdp
        assert fake.asked == asked
    clock.advance(STUN_PAUSE_S)
    async with gathered(room) as connection:
        assert " typ srflx" in connection.localDescription.sdp
    assert caplog.text.count("does not answer") == 1
