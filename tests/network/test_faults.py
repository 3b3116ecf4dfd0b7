"""Whole meetings over bad networks: a server and two participants in namespaces, one of them behind a bad cable.

`benchmarks/faults.py` measures the same at length. Here it is asked whether it works at all, with limits that a busy
machine of two cores keeps.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.meeting.processes import CLIPS, Command, Meeting
from tests.network.link import Condition
from tests.network.meeting import meeting
from tests.network.network import Network, network

ANA, BEN = 2, 3
"""Their namespaces; only Ana's cable is ever bad."""

CUT_S = 10.0
BACK_S = 5.0
"""From the end of a fault until the picture is there again, both ways."""

SLACK_S = 3.0
"""For a machine that does other things."""

GRIDS = 6
"""Reports of the grid, one a second, over which a bad network is watched."""


@pytest.fixture
async def net(first_of_all: None) -> AsyncIterator[Network]:
    async with network(BEN) as made:
        yield made


@pytest.fixture
async def room(net: Network, tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(net, tmp_path / "secret", "tests.network.calm") as current:
        yield current


@pytest.fixture
async def ben(net: Network, room: Meeting) -> Command:
    return await room.join("Ben", str(CLIPS / "ben.mp4"), within=net[BEN].prefix)


@pytest.fixture
async def ana(net: Network, room: Meeting, ben: Command) -> Command:
    """Ana and Ben are here; Ana's command."""
    command = await room.join("Ana", within=net[ANA].prefix)
    for name in ("Ana", "Ben"):
        await room.person(name, is_well)
    await command.event("grid", lambda event: event["fps"] > 5)
    return command


def is_well(person: dict[str, Any]) -> bool:
    return person["state"] == "live" and person["video"] is not None and person["mood"] is not None


async def grids(command: Command, count: int = GRIDS) -> list[dict[str, Any]]:
    """The next reports of the grid."""
    found = []
    for _ in range(count):
        found.append(await command.event("grid", after=len(command.events)))
    return found


async def is_back(room: Meeting, command: Command, after: int, participant: str, timeout_s: float) -> None:
    """Wait until Ana has her own tile again, with video and mood, and sees the grid."""
    async with asyncio.timeout(timeout_s):
        await command.event("connected", after=after)
        person = await room.person("Ana", is_well)
        await command.event("grid", lambda event: event["fps"] > 0, after=after)
    assert person["id"] == participant


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(Condition(loss=0.05), id="loss of 5 percent"),
        pytest.param(Condition(delay_s=0.15, jitter_s=0.03), id="150 ms late, give or take 30"),
    ],
)
async def test_the_meeting_goes_on_over_a_bad_network(
    net: Network, room: Meeting, ana: Command, condition: Condition
) -> None:
    await net.set(ANA, condition)
    seen = await grids(ana)
    person = await room.person("Ana", is_well)
    assert min(grid["fps"] for grid in seen) >= 5
    assert person["video"]["fps"] >= 8
    assert person["mood"]["age_s"] < 3
    assert not [event for event in ana.events if event["event"] == "disconnected"]


@pytest.mark.parametrize("kbps", [300, 1000])
async def test_a_slow_network_shows_the_small_grid_and_slows_nobody_else(
    net: Network, room: Meeting, ana: Command, ben: Command, kbps: int
) -> None:
    before = len(ana.events)
    await net.set(ANA, Condition(kbps=kbps))
    await ana.event("grid", lambda event: event["width"] == 640 and event["fps"] >= 4, after=before)
    seen = await grids(ben)
    assert min(grid["fps"] for grid in seen) >= 8
    assert (await room.person("Ben", is_well))["video"]["fps"] >= 8
    assert (await room.person("Ana", is_well))["mood"]["age_s"] < 3
    assert not [event for event in ana.events if event["event"] == "disconnected"]


async def test_a_cut_of_ten_seconds_ends_in_the_same_tile(net: Network, room: Meeting, ana: Command) -> None:
    participant = (await room.person("Ana", is_well))["id"]
    before = len(ana.events)
    await net.set(ANA, Condition(cut=True))
    end_s = time.monotonic() + CUT_S
    await room.person("Ana", lambda person: person["state"] == "stale")
    await ana.event("disconnected", after=before)
    assert (await room.person("Ben", is_well))["video"]["fps"] >= 8
    await asyncio.sleep(end_s - time.monotonic())
    before = len(ana.events)
    await net.set(ANA, Condition())
    await is_back(room, ana, before, participant, BACK_S + SLACK_S)


async def test_a_participant_whose_address_changes_comes_back_to_the_same_tile(
    net: Network, room: Meeting, ana: Command
) -> None:
    participant = (await room.person("Ana", is_well))["id"]
    before = len(ana.events)
    net[ANA].move(2)
    await ana.event("disconnected", after=before)
    await is_back(room, ana, before, participant, BACK_S + SLACK_S)
    assert room.server.stderr == ana.stderr == ""
