"""A room for every test that needs one, and the peers in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from host.admission import Admission
from host.record import Event
from host.renderer import GridConfig
from host.room import Room
from tests.fake_peer import FakePeer, until

GRID = GridConfig(320, 180, 15, 300)


class Meeting:
    """A room that is open, what it reported, and the peers to close after it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.room = Room("main", GRID, self.events.append)
        self.peers: list[FakePeer] = []

    def kinds(self, participant: str | None = None) -> list[str]:
        """The kinds of events so far, of one participant or of all."""
        return [e["event"] for e in self.events if participant in (None, e["participant"])]

    def state(self, participant: str) -> str | None:
        """The state of a tile; None without one."""
        return next((str(p.state) for p in self.room.participants() if p.id == participant), None)

    async def publish(self, participant: str, peer: FakePeer, name: str = "") -> str:
        """Let `peer` in as `participant`, without a wait for the connection; the session id."""
        self.peers.append(peer)
        admission = Admission(
            participant, name or participant.title(), lambda: f"resume-{participant}", f"owner-{participant}"
        )
        session_id, answer = await self.room.publish(await peer.offer(), admission)
        peer.answer = answer
        return session_id

    async def join(self, participant: str, peer: FakePeer | None = None, name: str = "") -> tuple[FakePeer, str]:
        """A peer that is connected and live, and its session id."""
        peer = peer or FakePeer()
        session_id = await self.publish(participant, peer, name)
        await peer.accept(peer.answer)
        await until(lambda: self.state(participant) == "live")
        return peer, session_id

    async def watch(self, owner: str = "viewer") -> tuple[FakePeer, str]:
        """A viewer that is connected, and its session id."""
        peer = FakePeer(None)
        self.peers.append(peer)
        session_id, answer = await self.room.watch(await peer.offer(), owner)
        await peer.accept(answer)
        return peer, session_id


@pytest.fixture
async def meeting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    monkeypatch.setattr("host.room.TICK_S", 0.02)
    meeting = Meeting()
    meeting.room.start()
    yield meeting
    await meeting.room.close()
    await asyncio.gather(*(peer.close() for peer in meeting.peers))
