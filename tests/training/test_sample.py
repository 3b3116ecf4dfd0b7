"""The DAiSEE-shaped tree of rendered people: what the pipeline is tried on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from peer.perception.crop import Box, crop_face
from tests.training.daisee_tree import LOOKS, frames_of
from tests.training.rendered import make_truth
from training.cli import app
from training.daisee import read_daisee
from training.drops import Reason
from training.errors import TrainingFailed
from training.extract import Task, extract_clip
from training.faces.truth import TRUTH_FILE
from training.sample import SampleConfig, engagement_of, make_clip, plan, run, spread

HEAD = Box(left=195, top=95, side=250)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven people with two pictures each: one looks at the screen, in one the eyes are said to be closed."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "images").mkdir()
    truths = []
    for number in range(14):
        identity = number // 2
        frame = next(
            frames_of(("ana", "ben", "mei", "zuri")[identity % 4], ("plain", "mirrored")[identity // 4], LOOKS, 1)
        )
        crop = crop_face(frame, HEAD, 1.0)
        cv2.imwrite(str(folder / "images" / f"{number:07d}.jpg"), cv2.cvtColor(crop, cv2.COLOR_RGB2BGR))
        lid = 0.0 if number % 2 else 0.9
        file = f"images/{number:07d}.jpg"
        truths.append(make_truth(number, file=file, person=identity, lid_left=lid, lid_right=lid))
    (folder / TRUTH_FILE).write_bytes(b"\n".join(msgspec.json.encode(truth) for truth in truths))
    return folder


@pytest.fixture(scope="module")
def tree(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that the command makes of them."""
    out = tmp_path_factory.mktemp("sample") / "DAiSEE"
    options = ["--persons", "7", "--clips", "3", "--seconds", "0.4", "--fps", "10", "--jobs", "1"]
    result = CliRunner().invoke(app, ["sample", "--faces", str(rendered), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    assert "sample: 21 clips of 7 rendered people" in result.output
    return out


def test_the_tree_reads_as_daisee_with_its_flaws(tree: Path) -> None:
    daisee = read_daisee(tree)
    people = {part: {clip.person for clip in daisee.clips if clip.part == part} for part in ("train", "val", "test")}
    assert [len(people[part]) for part in ("train", "val", "test")] == [5, 1, 1]
    assert len(set().union(*people.values())) == 7
    assert {clip.engagement for clip in daisee.clips} == {0, 3}
    assert [drop.reason for drop in daisee.drops] == [Reason.NO_LABEL, Reason.NO_VIDEO, Reason.NO_VIDEO]
    assert {clip.video.suffix for clip in daisee.clips} == {".avi", ".mp4"}
    header = (tree / "Labels" / "TrainLabels.csv").read_text().splitlines()[0]
    assert header == "ClipID,Boredom,Engagement,Confusion,Frustration "


def test_flaws_are_listed_and_real(tree: Path, tmp_path: Path) -> None:
    readme = (tree / "README.txt").read_text()
    assert "nobody real is shown" in readme
    found = {}
    for clip in read_daisee(tree).clips:
        if clip.clip in readme:
            drops = extract_clip(Task(tmp_path, clip, 1.0))[1].drops
            found[clip.clip] = {drop.reason for drop in drops} - {Reason.NO_FACE}
    assert found[flawed(readme, "is no video")] == {Reason.DOES_NOT_OPEN}
    assert found[flawed(readme, "lost its end")] == {Reason.DOES_NOT_OPEN}
    assert found[flawed(readme, "ends in the middle")] == {Reason.ENDS_EARLY}


def flawed(readme: str, words: str) -> str:
    found = re.search(rf"- (\d+) {words}", readme)
    assert found is not None
    return found[1]


def test_frames_of_a_clip_differ_a_little_and_are_the_same_every_time(rendered: Path, tmp_path: Path) -> None:
    config = SampleConfig(rendered, tmp_path / "one", persons=1, clips=1, seconds=0.3, fps=10)
    (clip,) = plan(config)
    make_clip(clip)
    first = clip.video.read_bytes()
    capture = cv2.VideoCapture(str(clip.video))
    frames = [np.asarray(capture.read()[1], float) for _ in range(3)]
    capture.release()
    assert frames[0].shape == (480, 640, 3)
    assert all(0.5 < np.abs(frames[n] - frames[n + 1]).mean() < 8 for n in (0, 1))
    make_clip(clip)
    assert clip.video.read_bytes() == first


@pytest.mark.parametrize(
    ("changes", "engagement"),
    [
        ({}, 3),
        ({"yaw": 15.0}, 2),
        ({"lid_left": 0.3, "lid_right": 0.4}, 1),
        ({"lid_left": 0.0, "lid_right": 0.1}, 0),
        ({"gaze_yaw": 30.0}, 1),
        ({"yaw": -28.0}, 1),
        ({"yaw": -45.0}, 0),
        ({"pitch": -35.0}, 0),
    ],
)
def test_engagement_follows_pose_gaze_and_lids(changes: dict[str, Any], engagement: int) -> None:
    assert engagement_of(make_truth(**changes)) == engagement


def test_people_are_spread_over_the_parts() -> None:
    assert [spread(48).count(part) for part in ("Train", "Validation", "Test")] == [28, 10, 10]
    assert spread(3) == ["Train", "Validation", "Test"]
    assert spread(1) == ["Train"]


def run_sample(faces: Path, out: Path, persons: int = 3) -> None:
    run(SampleConfig(faces, out, persons=persons))


def test_what_cannot_work_is_refused(rendered: Path, tree: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="expected a new folder for the sample, got"):
        run_sample(rendered, tree)
    with pytest.raises(TrainingFailed, match=r"expected 8 persons in .*, got 7: ask for fewer"):
        run_sample(rendered, tmp_path, 8)
    with pytest.raises(TrainingFailed, match="expected the truth of rendered faces at"):
        run_sample(tmp_path, tmp_path)
