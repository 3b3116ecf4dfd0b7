"""What goes wrong around a meeting: processes that die or stop, cameras that go, disks that fill, files that change."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.meeting.processes import CLIPS, ROOT, Command, Meeting, meeting

BACK_S = 10.0
"""From a server's return until everybody is back in their tile."""

SLACK_S = 4.0
"""For a machine that does other things."""

STOPPED_S = 20.0

FULL = Path("/dev/full")
"""Writing to it fails as on a full disk."""

INTO_FULL = ("sh", "-c", f'exec "$@" >{FULL}', "sh")
"""In front of a command: its standard output goes there."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as current:
        yield current


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in which there is no room for another byte."""
    folder = tmp_path / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs root: a small disk cannot be mounted here ({mounted.stderr.strip()})")
    try:
        (folder / "filler").write_bytes(b"x" * 4096)
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def is_well(person: dict[str, Any]) -> bool:
    return person["state"] == "live" and person["video"] is not None and person["mood"] is not None


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write_clip(path: Path) -> None:
    """Two seconds of grey, so that a source that plays it soon opens it again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in range(30):
            picture = np.full((120, 160, 3), 60 + number * 4, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())


async def test_everybody_is_back_within_ten_seconds_of_a_killed_server_s_return(room: Meeting) -> None:
    names = ("Ana", "Ben", "Mei")
    peers = [await room.join(name, str(CLIPS / f"{name.lower()}.mp4")) for name in names]
    before = {name: (await room.person(name, is_well))["id"] for name in names}
    tiles = [one["id"] for one in (await room.status())["participants"]]
    await room.server.end(signal.SIGKILL)
    for peer in peers:
        await peer.event("error", lambda event: event["code"] == "host_unreachable")
    await room.open()
    async with asyncio.timeout(BACK_S + SLACK_S):
        after = {name: (await room.person(name, is_well))["id"] for name in names}
    assert after == before
    assert [one["id"] for one in (await room.status())["participants"]] == tiles


async def test_a_participant_that_is_stopped_for_long_comes_back_as_themselves(room: Meeting) -> None:
    ana = await room.join("Ana")
    await room.join("Ben", str(CLIPS / "ben.mp4"))
    participant = (await room.person("Ana", is_well))["id"]
    await room.person("Ben", is_well)
    ana.process.send_signal(signal.SIGSTOP)
    try:
        await room.person("Ana", lambda person: person["state"] == "stale", timeout_s=8)
        await room.nobody("Ana", timeout_s=15)
        await asyncio.sleep(STOPPED_S - 10)  # gone for a while: everything of the old session is over
        assert (await room.person("Ben", is_well))["video"]["fps"] > 5
    finally:
        ana.process.send_signal(signal.SIGCONT)
    person = await room.person("Ana", is_well)
    assert person["id"] == participant
    assert [one["name"] for one in (await room.status())["participants"]].count("Ana") == 1
    assert ana.stderr == ""


async def test_a_source_that_goes_away_darkens_the_tile_and_comes_back_with_it(room: Meeting, tmp_path: Path) -> None:
    clip = tmp_path / "camera.mp4"
    write_clip(clip)
    ana = await room.join("Ana", str(clip))
    participant = (await room.person("Ana", is_well))["id"]
    clip.rename(tmp_path / "unplugged.mp4")
    await ana.event("source", lambda event: event["state"] == "lost" and "camera.mp4" in event["reason"])
    person = await room.person("Ana", lambda person: person["video"] is None)
    assert person["state"] == "live"
    person = await room.person("Ana", lambda person: person["mood"]["reason"] == "paused")
    assert person["mood"]["label"] == "unknown"
    before = len(ana.events)
    (tmp_path / "unplugged.mp4").rename(clip)
    await ana.event("source", lambda event: event["state"] == "live", after=before)
    person = await room.person("Ana", is_well)
    assert person["id"] == participant
    assert not [event for event in ana.events if event["event"] == "disconnected"]


@pytest.mark.parametrize("in_place", [True, False], ids=["overwritten", "renamed over"])
async def test_a_model_file_that_changes_meanwhile_counts_from_the_next_join_on(
    room: Meeting, tmp_path: Path, in_place: bool
) -> None:
    model = tmp_path / "attention.onnx"
    for suffix in (".onnx", ".json"):
        shutil.copy((ROOT / "peer" / "models" / "attention.onnx").with_suffix(suffix), model.with_suffix(suffix))
    ana = await room.join("Ana", str(CLIPS / "ana.mp4"), "--model", str(model))
    await room.person("Ana", is_well)
    if in_place:
        model.write_bytes(b"not a model")
    else:
        (tmp_path / "other").write_bytes(b"not a model")
        (tmp_path / "other").replace(model)
    before = len(room.server.events)
    for label in ("attentive", "not_attentive"):  # each once more than before
        await room.server.event("label", lambda event, label=label: event["label"] == label, after=before)
    assert not [event for event in ana.events if event["event"] == "error"]
    ben = await room.join("Ben", str(CLIPS / "ben.mp4"), "--model", str(model))
    person = await room.person("Ben", is_well)
    assert (person["mood"]["label"], person["mood"]["reason"]) == ("unknown", "no_model")
    assert [event["code"] for event in ben.events if event["event"] == "error"] == ["model_unavailable"]


async def run(*arguments: str, within: tuple[str, ...] = ()) -> Command:
    command = Command(*arguments, within=within)
    await command.start()
    await command.exit_code()
    return command


async def test_a_disk_without_room_for_the_secret_is_said_in_one_sentence(full_disk: Path) -> None:
    command = await run("serve", "--port", "0", "--secret-file", str(full_disk / "secret"))
    assert command.process.returncode == 2
    assert "expected a readable and writable secret file" in command.stderr
    assert "No space left" in command.stderr
    assert "Traceback" not in command.stderr
    assert names_in(full_disk) == ["filler"]  # no empty secret for the next start


async def test_a_disk_without_room_for_the_certificate_is_said_in_one_sentence(full_disk: Path, tmp_path: Path) -> None:
    secret = ("--secret-file", str(tmp_path / "secret"))
    command = await run("serve", "--port", "0", "--tls", *secret, within=("env", f"XDG_STATE_HOME={full_disk}"))
    assert command.process.returncode == 2
    assert "expected to write a certificate" in command.stderr
    assert "Traceback" not in command.stderr


async def test_a_disk_without_room_for_a_calibration_lets_it_hold_for_this_meeting(
    room: Meeting, full_disk: Path
) -> None:
    clip = str(CLIPS / "zuri.mp4")  # who looks at the screen for all of the ten seconds
    zuri = await room.join("Zuri", clip, "--calibrate", within=("env", f"XDG_CONFIG_HOME={full_disk}"))
    told = await zuri.event("error")
    assert told["code"] == "calibration_unusable"
    assert "holds for this meeting only" in told["message"]
    await room.person("Zuri", is_well)
    assert await zuri.end() == 0


@pytest.mark.skipif(not FULL.exists(), reason=f"needs {FULL}")
async def test_a_server_that_cannot_write_serves_on(room: Meeting, tmp_path: Path) -> None:
    await room.server.end()  # its links hold for the next one, which has the same secret and port
    options = ("--port", str(room.port), "--secret-file", str(tmp_path / "secret"), "--json")
    server = await room.run("serve", *options, within=INTO_FULL)
    ana = await room.join("Ana")
    await ana.event("connected")
    await room.person("Ana", is_well)
    assert await server.end() == 0
    assert "Traceback" not in server.stderr


@pytest.mark.skipif(not FULL.exists(), reason=f"needs {FULL}")
async def test_a_participant_that_cannot_write_ends(room: Meeting) -> None:
    ana = await room.join("Ana", within=INTO_FULL)
    assert await ana.exit_code() == 0
    assert "Traceback" not in ana.stderr
    await room.nobody("Ana")
