"""What all fuzz tests have in common."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import pytest

from signaling import rtcguard
from tests.fuzz.watched import nothing_left_behind
from tests.host.conftest import Meeting

collect_ignore_glob = [] if sys.platform == "linux" else ["test_*.py"]
"""What is left behind is read from /proc, and pipes stand in for files."""

CLOSE_S = 20.0
"""Longer than any room takes to close, on a machine with much else to do."""


@pytest.fixture(autouse=True)
def no_strain(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is, the host refuses nobody for it."""
    monkeypatch.setattr("host.headroom.STRAINED_S", float("inf"))


@pytest.fixture(autouse=True)
def nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is thrown reaches what is tested, and does not fall for its pace."""
    for name in ("_packets", "_chunks"):
        monkeypatch.setattr(rtcguard, name, rtcguard._Allowance(10**9, 1e9))


@pytest.fixture
async def meeting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    """A room that closes with its peers; what it leaves behind is looked for around it."""
    monkeypatch.setattr("host.room.TICK_S", 0.02)
    async with nothing_left_behind():
        meeting = Meeting()
        meeting.room.start()
        yield meeting
        await asyncio.wait_for(meeting.room.close(), CLOSE_S)
        await asyncio.gather(*(peer.close() for peer in meeting.peers))
