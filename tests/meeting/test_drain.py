"""How a server ends when it is asked to: everybody is told, and a second asking is taken at its word."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.meeting.processes import CLIPS, Command, Meeting, meeting


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as current:
        yield current


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_everybody_is_told_that_the_server_shuts_down(room: Meeting, number: signal.Signals) -> None:
    peers = [await room.join(name, "test") for name in ("Ana", "Ben")]
    for name in ("Ana", "Ben"):
        await room.person(name, lambda p: p["video"] is not None)
    async with asyncio.timeout(10):
        assert await room.server.end(number) == 0
    for peer in peers:
        assert (await peer.event("disconnected"))["reason"] == "shutdown"
    assert "Traceback" not in room.server.stderr


def child_of(command: Command) -> int:
    """The pid of the participant that a server runs for its host."""
    threads = Path(f"/proc/{command.process.pid}/task").iterdir()
    (child,) = " ".join((thread / "children").read_text() for thread in threads).split()
    return int(child)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once_what_takes_its_time(room: Meeting, number: signal.Signals) -> None:
    ana = await room.join("Ana", "test", "--no-labels")
    await ana.event("connected")
    await room.server.end()
    await ana.event("disconnected")
    seen = len(ana.events)
    port = ("--port", str(room.port), "--secret-file", str(room._secret_file))
    server = await room.run("serve", *port, "--camera", str(CLIPS / "mei.mp4"), "--json")
    await server.event("joined", lambda e: e["name"] == "Host")
    await ana.event("connected", after=seen)
    child = child_of(server)
    os.kill(child, signal.SIGSTOP)  # the host's own tile will not leave by itself
    try:
        server.process.send_signal(number)
        await ana.event("disconnected", after=seen)  # the end has begun
        assert server.process.returncode is None
        assert await server.end(number) == -number
    finally:
        os.kill(child, signal.SIGKILL)
