"""Participants who reach the host over a relay alone: real coturn, set up as docs/deploy says, and real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint

from signaling import icecheck
from signaling.check import Verdict
from signaling.ice import IceConfig, IceServers
from signaling.process import LINK_VARIABLE
from tests.meeting.processes import CLIPS, Command, Meeting
from tests.turn_server import TURNSERVER, WHY_NOT, TurnServer, turn_server

pytestmark = pytest.mark.skipif(TURNSERVER is None, reason=WHY_NOT)

RELAY_ONLY = "tests.meeting.relay_only"


@pytest.fixture
async def coturn(tmp_path: Path) -> AsyncIterator[TurnServer]:
    async with turn_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def meeting(folder: Path, uri: str, secret: str) -> AsyncIterator[Meeting]:
    """A meeting whose server names `uri`, with credentials made of `secret`."""
    (folder / "turn-secret").write_text(secret + "\n")
    options = ("--turn", uri, "--turn-secret-file", str(folder / "turn-secret"))
    async with aiohttp.ClientSession() as http:
        current = Meeting(folder / "secret", http, options=options)
        try:
            await current.open()
            yield current
        finally:
            await current.close()


@asynccontextmanager
async def joined(room: Meeting) -> AsyncIterator[Command]:
    """Ana, who has no way to the host but over a relay."""
    source = str(CLIPS / "ana.mp4")
    command = Command(
        *("join", "--name", "Ana", "--source", source, "--no-labels", "--json"),
        module=RELAY_ONLY,
        environment={LINK_VARIABLE: room.ready["participant_url"]},
    )
    await command.start()
    try:
        yield command
    finally:
        await command.end()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_who_has_no_way_but_a_relay_is_seen_live_and_sees_the_grid(
    coturn: TurnServer, tmp_path: Path, transport: str
) -> None:
    async with meeting(tmp_path, coturn.turn(transport), coturn.secret) as room, joined(room) as ana:
        await room.person("Ana", lambda entry: entry["state"] == "live" and (entry["video"] or {}).get("fps", 0) > 5)
        await ana.event("grid", lambda event: event["fps"] > 5)
        assert await ana.end() == 0
        assert ana.stderr == ""
        await room.nobody("Ana")


async def test_wrong_credentials_give_no_relay_and_the_participant_is_told_why(
    coturn: TurnServer, tmp_path: Path
) -> None:
    wrong = "another secret than the one of coturn"
    async with meeting(tmp_path, coturn.turn(), wrong) as room, joined(room) as ana:
        error = await ana.event("error")
        assert error["code"] == "no_connection"
        assert error["message"].endswith("and no relay from the TURN server")
        await ana.end()
        assert f"{coturn.address}:{coturn.port} does not take these credentials: 401" in ana.stderr
        for text in (ana.stderr, room.server.stderr, str(ana.events), str(room.server.events)):
            assert wrong not in text


async def test_doctor_gets_a_relay_with_good_credentials_alone(coturn: TurnServer) -> None:
    good = replace(coturn.config("tcp"), stun=coturn.stun)
    expired = replace(coturn.config(), credential_ttl_s=-60.0)
    wrong = replace(coturn.config(), turn_secret="another secret than the one of coturn")
    stun, turn = await asyncio.to_thread(icecheck.checks, good)
    assert (stun.verdict, turn.verdict) == (Verdict.OK, Verdict.OK), (stun, turn)
    for config in (expired, wrong):
        (check,) = await asyncio.to_thread(icecheck.checks, config)
        assert check.verdict is Verdict.FAILED
        assert check.found.endswith("does not take these credentials: 401 Unauthorized")
        assert "clocks" in check.advice


async def test_the_relay_reaches_the_host_and_nothing_else(coturn: TurnServer) -> None:
    refused: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()
    released = asyncio.Event()

    class Relayed(asyncio.DatagramProtocol):
        def error_received(self, exc: Exception) -> None:
            refused.set_result(exc)

        def connection_lost(self, exc: Exception | None) -> None:
            released.set()

    (server,) = IceServers(coturn.config()).issue()
    address = (coturn.address, coturn.port)
    transport, _ = await create_turn_endpoint(Relayed, address, server.username, server.credential)
    transport.sendto(b"let me in", ("192.168.1.1", 80))
    error = await asyncio.wait_for(refused, 10)
    assert isinstance(error, TransactionFailed)
    assert error.response.error_code == 403
    transport.close()
    await asyncio.wait_for(released.wait(), 10)


async def test_doctor_tells_of_servers_that_are_not_there() -> None:
    config = IceConfig(turn=("turn:127.0.0.1:9?transport=tcp", "turn:[::1]:3478"), turn_secret="x" * 32)
    dead, unreadable = await asyncio.to_thread(icecheck.checks, config)
    assert dead.verdict is Verdict.FAILED
    assert "turn:127.0.0.1:9?transport=tcp cannot be reached" in dead.found
    assert unreadable.verdict is Verdict.WARNING
