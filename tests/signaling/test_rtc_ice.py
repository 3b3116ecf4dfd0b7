"""ICE servers of an aiortc connection, and what is said of a relay that does not come about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiortc import RTCPeerConnection

from signaling import rtc
from signaling.ice import IceServer

STUN, TURN = IceServer("stun:a:1"), IceServer("turn:b:2?transport=tcp", "name", "credential")


@pytest.fixture
async def connection() -> AsyncIterator[RTCPeerConnection]:
    made = rtc.peer_connection()
    made.createDataChannel("mood")
    yield made
    await made.close()


def ice(connection: RTCPeerConnection) -> Any:
    assert connection.sctp is not None
    return connection.sctp.transport.transport._connection


async def test_the_first_of_each_kind_is_used(connection: RTCPeerConnection) -> None:
    rtc.use_ice_servers(
        connection,
        [IceServer("turn:[::1]:3478", "x", "y"), TURN, STUN, IceServer("stun:c:3"), IceServer("turn:d:4", "x", "y")],
    )
    used = ice(connection)
    assert used.stun_server == ("a", 1)
    assert (used.turn_server, used.turn_transport, used.turn_ssl) == (("b", 2), "tcp", False)
    assert (used.turn_username, used.turn_password) == ("name", "credential")


async def test_without_servers_there_are_none(connection: RTCPeerConnection) -> None:
    rtc.use_ice_servers(connection, [])
    assert ice(connection).stun_server is None
    assert ice(connection).turn_server is None


async def test_a_turn_server_that_is_not_there_is_told_of_and_does_not_keep_us_out(
    connection: RTCPeerConnection, caplog: pytest.LogCaptureFixture
) -> None:
    rtc.use_ice_servers(connection, [IceServer("turn:127.0.0.1:9?transport=tcp", "name", "credential")])
    await connection.setLocalDescription(await connection.createOffer())
    assert " typ host" in connection.localDescription.sdp
    assert "no relay: the TURN server 127.0.0.1:9 cannot be reached" in caplog.text
    assert "credential" not in caplog.text


async def test_a_turn_server_that_is_silent_is_not_waited_for_longer_than_a_moment(
    connection: RTCPeerConnection, caplog: pytest.LogCaptureFixture
) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0)
    )
    port = transport.get_extra_info("sockname")[1]
    rtc.use_ice_servers(connection, [IceServer(f"turn:127.0.0.1:{port}", "name", "credential")])
    async with asyncio.timeout(2 * rtc.GATHERING_S):  # aioice itself waits longer
        await connection.setLocalDescription(await connection.createOffer())
    await asyncio.sleep(0)  # what was given up has its last word
    transport.close()
    assert f"no relay: the TURN server 127.0.0.1:{port} does not answer" in caplog.text
