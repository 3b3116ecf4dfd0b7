"""The demo's account of itself; whole demos run in tests/meeting."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from host.mode import Mode
from signaling.demo import DemoConfig, Seen, _cast, _name, _summary
from signaling.narration import describe
from signaling.server import running
from tests.signaling.conftest import CONFIG


def test_a_participant_is_complete_when_seen_seeing_and_labelled() -> None:
    seen = Seen("Ana")
    seen.hear({"event": "connected"})
    assert not seen.complete
    seen.hear({"event": "grid", "fps": 14.5, "frames": 29, "width": 1280, "height": 720})
    seen.hear({"event": "label", "label": "attentive", "score": 0.9})
    assert not seen.complete
    seen.in_grid = True
    assert seen.complete
    assert (seen.grid_fps, seen.frames_received, dict(seen.labels)) == (14.5, 29, {"attentive": 1})


@pytest.mark.parametrize(("index", "name"), [(0, "Ana"), (1, "Ana 2"), (3, "Ana 4")])
def test_people_of_one_clip_are_told_apart_by_their_names(index: int, name: str) -> None:
    assert _name(Path("clips/ana.mp4"), index) == name


def test_the_clips_are_shared_out_in_turn() -> None:
    clips = [Path("a.mp4"), Path("b.mp4")]
    cast = _cast(DemoConfig(CONFIG, clips, participants=5, seconds=1))
    assert [clip.stem for _, clip in cast] == ["a", "b", "a", "b", "a"]


@pytest.mark.parametrize("mode", Mode)
async def test_the_summary_tells_of_labels_no_more_than_the_mode_allows(mode: Mode) -> None:
    seen = Seen("Ana", in_grid=True)
    seen.hear({"event": "label", "label": "attentive"})
    async with running(replace(CONFIG, mode=mode)) as server:
        summary = await _summary([seen], server)
    told = {text: "attentive': 1" in text for text in (str(summary), describe(summary))}
    assert set(told.values()) == {mode is Mode.INDIVIDUAL}, told
    assert ("room" in summary) == (mode is Mode.AGGREGATE)


def test_the_share_of_the_room_is_said_to_people() -> None:
    summary = {"event": "summary", "grid_fps": 15.0, "participants": []}
    assert describe(summary | {"room": {"attentive": 0.64}}).endswith("The room: 64% attentive on average")
    assert describe(summary | {"room": {"attentive": None}}).endswith("The room: no share to show")
