"""Whole meetings of real processes: server, Python participants, over real HTTP, ICE, DTLS and VP8."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.meeting.processes import CLIPS, Command, Meeting, meeting


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as current:
        yield current


def live_with_label(person: dict[str, Any]) -> bool:
    return person["state"] == "live" and person["video"] is not None and person["mood"] is not None


def command_lines(pid: int) -> Iterator[str]:
    """Of a process and of all that it started, as everybody on this machine can read them."""
    yield Path(f"/proc/{pid}/cmdline").read_text()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from command_lines(int(child))


async def test_demo_shows_every_participant_in_the_grid_with_labels_and_no_command_line_has_a_token() -> None:
    demo = Command("demo", "--seconds", "14", "--port", "0", "--no-browser", "--json")
    await demo.start()
    await demo.event("state", lambda event: event["name"] == "Omar" and event["state"] == "live")
    if sys.platform == "linux":
        seen = list(command_lines(demo.process.pid))
        assert len(seen) == 5  # the host and four participants
        assert not [line for line in seen if "token" in line or "eyJ" in line]
    summary = await demo.event("summary")
    assert await demo.exit_code() == 0, demo.stderr
    assert len(summary["participants"]) == 4
    for person in summary["participants"]:
        assert person["in_grid"], person
        assert person["labels"], person
        assert person["frames_received"] > 0, person


async def test_link_may_come_on_standard_input(room: Meeting) -> None:
    command = Command("join", "-", "--name", "Ana", "--source", "test", "--no-labels", "--json", "--seconds", "10")
    await command.start(room.ready["participant_url"] + "\n")
    await command.event("connected")
    assert await command.end() == 0


async def test_labels_follow_what_a_person_does(room: Meeting) -> None:
    ana = await room.join("Ana", str(CLIPS / "ana.mp4"))
    await room.server.event("label", lambda e: e["label"] == "attentive")
    await room.server.event("label", lambda e: e["label"] == "not_attentive")
    grid = await ana.event("grid", lambda e: e["fps"] > 0)
    assert (grid["width"], grid["height"]) == (1280, 720)


async def test_participant_who_shares_no_label_sends_none(room: Meeting) -> None:
    await room.join("Quiet", str(CLIPS / "ben.mp4"), "--no-labels")
    person = await room.person("Quiet", lambda p: p["video"] is not None and p["joined_s"] > 3)
    assert person["mood"] is None


async def test_killed_participant_turns_stale_and_is_removed_while_others_go_on(room: Meeting) -> None:
    ana, _ = await room.join("Ana"), await room.join("Ben", str(CLIPS / "ben.mp4"))
    await room.person("Ana", live_with_label)
    await room.person("Ben", live_with_label)
    await ana.end(signal.SIGKILL)
    await room.person("Ana", lambda p: p["state"] == "stale", timeout_s=8)
    await room.nobody("Ana", timeout_s=15)
    person = await room.person("Ben", live_with_label)
    assert person["video"]["fps"] > 5


async def test_participant_who_leaves_is_gone_at_once(room: Meeting) -> None:
    ana = await room.join("Ana")
    await room.person("Ana", live_with_label)
    assert await ana.end() == 0
    assert "Ana" not in [p["name"] for p in (await room.status())["participants"]]


async def test_everybody_comes_back_to_their_tile_when_the_host_restarts(room: Meeting) -> None:
    peers = [await room.join("Ana"), await room.join("Ben", str(CLIPS / "ben.mp4"))]
    before = {name: (await room.person(name, live_with_label))["id"] for name in ("Ana", "Ben")}
    await room.server.end(signal.SIGKILL)
    for peer in peers:
        await peer.event("disconnected")
    await room.open()
    after = {name: (await room.person(name, live_with_label))["id"] for name in ("Ana", "Ben")}
    assert after == before


async def test_ctrl_c_ends_the_server_cleanly(room: Meeting) -> None:
    ana = await room.join("Ana")
    await room.person("Ana", live_with_label)
    async with asyncio.timeout(10):
        assert await room.server.end(signal.SIGINT) == 0
    said = room.server.stderr.splitlines()
    assert [line for line in said if "headroom: " not in line] == []  # a busy machine may have to be said
    await ana.event("disconnected")
    assert await ana.end(signal.SIGTERM) == 0


async def test_camera_that_is_missing_leaves_a_dark_tile_and_the_session(room: Meeting) -> None:
    peer = await room.join("Nocam", "camera:97")
    await peer.event("source", lambda e: e["state"] == "lost" and e["reason"])
    person = await room.person("Nocam", lambda p: p["state"] == "live")
    assert person["video"] is None


async def test_test_pattern_has_no_face(room: Meeting) -> None:
    await room.join("Pattern", "test")
    person = await room.person("Pattern", lambda p: p["mood"] is not None and p["mood"]["reason"] == "no_face")
    assert person["mood"]["label"] == "not_attentive"
    assert person["mood"]["score"] == 0.0


async def test_host_takes_part_with_a_camera_of_its_own(tmp_path: Path) -> None:
    async with meeting(tmp_path / "secret") as room:
        await room.server.end()
        server = await room.run(
            "serve", "--port", "0", "--json", "--camera", str(CLIPS / "mei.mp4"), "--camera-name", "Me"
        )
        joined = await server.event("joined")
        assert joined["name"] == "Me"
        await server.event("label")
        assert await server.end() == 0
