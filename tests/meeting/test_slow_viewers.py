"""Viewers whose process stands still: the meeting of all others goes on as before."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.meeting.processes import Command, Meeting, meeting

FRAMES = 60
"""Of the grid, while one viewer is stopped: four seconds."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as current:
        yield current


async def watch(room: Meeting) -> Command:
    """A viewer that gets the grid."""
    url, token = room.ready["whep_url"], room.ready["tokens"]["viewer"]
    viewer = Command(url, module="tests.meeting.watch_whep", environment={"EDGEATTEND_TOKEN": token})
    await viewer.start()
    room._commands.append(viewer)
    await viewer.event("frames")
    return viewer


async def metric(room: Meeting, name: str) -> float:
    async with aiohttp.ClientSession() as http, http.get(f"{room.origin}/metrics") as response:
        families = text_string_to_metric_families(await response.text())
        (sample,) = [sample for family in families for sample in family.samples if sample.name == name]
        return float(sample.value)


def frames(viewer: Command) -> int:
    return int(viewer.events[-1]["frames"])


async def test_one_that_is_stopped_slows_nobody_and_goes_on_when_it_is_woken(room: Meeting) -> None:
    await room.join("Ana", "test")
    await room.person("Ana", lambda p: p["video"] is not None)
    stopped, other = await watch(room), await watch(room)
    stopped.process.send_signal(signal.SIGSTOP)
    got, composed = frames(other), await metric(room, "edgeattend_grid_frames_total")
    await other.event("frames", lambda e: e["frames"] >= got + FRAMES)
    got, composed = frames(other) - got, await metric(room, "edgeattend_grid_frames_total") - composed
    assert got >= 0.9 * composed - 5  # some are on their way, and told later
    assert await metric(room, "edgeattend_queue_drops_total") == 0  # UDP takes everything: nothing waits for anybody
    person = await room.person("Ana", lambda p: p["state"] == "live")
    assert person["video"]["fps"] > 5
    seen = len(stopped.events)
    stopped.process.send_signal(signal.SIGCONT)
    await stopped.event("frames", after=seen)
