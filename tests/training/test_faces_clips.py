"""Clips out of frames, and the ones that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.peer import clips
from tests.training.rendered import make_truth
from training.faces.clips import encode
from training.faces.film import FPS, HEIGHT, SCRIPTS, WIDTH, Moment, Script, frame_truth

LARGEST_CLIP_BYTES = 1_000_000
LARGEST_TRUTH_BYTES = 40_000


def test_frames_become_a_clip_with_a_line_of_truth_for_each(tmp_path: Path) -> None:
    script = Script("eva", 1, 2, (Moment(0), Moment(0.4)), ())
    truths = [frame_truth(make_truth(yaw=float(number)), number) for number in range(script.frames)]
    frames = tmp_path / ".frames"
    frames.mkdir()
    for number, truth in enumerate(truths):
        cv2.imwrite(str(frames / f"eva-{number:04d}.png"), np.full((HEIGHT, WIDTH, 3), 40 * number, np.uint8))
        (frames / f"eva-{number:04d}.json").write_text(json.dumps(truth))
    path = encode(tmp_path, script)
    text = path.with_suffix(".json").read_text()
    document = json.loads(text)
    assert (document["clip"], document["fps"], document["frames"]) == ("eva.mp4", FPS, truths)
    assert sum(line.startswith('  {"time_s":') for line in text.splitlines()) == len(truths)
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == len(truths)
    capture.release()
    assert list(frames.iterdir()) == []


def test_every_script_is_a_clip_of_the_demo() -> None:
    assert tuple(script.name for script in SCRIPTS) == clips.NAMES
    assert sorted(path.stem for path in clips.CLIPS.glob("*.mp4")) == sorted(clips.NAMES)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_shipped_clip_is_small_and_has_the_truth_of_each_frame(script: Script) -> None:
    path = clips.CLIPS / f"{script.name}.mp4"
    assert path.stat().st_size < LARGEST_CLIP_BYTES
    assert path.with_suffix(".json").stat().st_size < LARGEST_TRUTH_BYTES
    shapes = [bgr.shape for _, bgr in clips.frames(script.name, 1)]
    assert set(shapes) == {(HEIGHT, WIDTH, 3)}
    assert len(shapes) == len(clips.truth(script.name).frames) == script.frames
    assert clips.truth(script.name).fps == FPS
