"""The scripts of the demo's clips: smooth, looping, blinking, and clear about who is attentive when."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tests.training.rendered import make_truth
from training.faces.film import FPS, SCRIPTS, Script, frame_truth, shot, visible_share
from training.faces.label import LabelRule

RULE = LabelRule()


def attends(script: Script, frame: int) -> bool:
    now = shot(script, frame)
    truth = make_truth(
        yaw=now.pose.yaw, pitch=now.pose.pitch, gaze_yaw=now.face.gaze_yaw, gaze_pitch=now.face.gaze_pitch,
        lid_left=now.face.lid_left, lid_right=now.face.lid_right,
    )  # fmt: skip
    return RULE.attentive(truth) and abs(now.moved[0]) < 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_a_clip_plays_in_a_loop_without_a_jump(script: Script) -> None:
    poses = np.array(
        [(s.pose.yaw, s.pose.pitch, s.pose.roll) for s in (shot(script, frame) for frame in range(script.frames))]
    )
    steps = np.abs(np.diff(np.vstack([poses, poses[:1]]), axis=0))
    assert steps.max() < 15  # degrees in a fifteenth of a second: a quick turn
    assert steps[-1].max() < 1.5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_everybody_blinks_now_and_then_and_only_for_a_moment(script: Script) -> None:
    shut = [shot(script, frame).face.lid_left < 0.3 for frame in range(script.frames)]
    starts = sum(now and not before for before, now in pairwise(shut))
    assert starts >= len(script.blinks_s) - 1


@pytest.mark.parametrize(
    ("name", "inattentive_s"), [("ana", (3.4, 7.3)), ("ben", (3.2, 7.7)), ("mei", (3.5, 7.2)), ("omar", (3.0, 8.8))]
)
def test_each_clip_has_the_one_lapse_it_is_about(name: str, inattentive_s: tuple[float, float]) -> None:
    script = next(script for script in SCRIPTS if script.name == name)
    from_s, to_s = inattentive_s
    inside = [attends(script, frame) for frame in range(round((from_s + 0.4) * FPS), round((to_s - 0.4) * FPS))]
    outside = [
        attends(script, frame)
        for frame in [*range(round((from_s - 0.6) * FPS)), *range(round((to_s + 0.6) * FPS), script.frames)]
    ]
    assert not any(inside)
    assert np.mean(outside) > 0.85  # but for blinks


def test_who_is_half_out_of_the_picture_is_not_there() -> None:
    assert visible_share((0.4, 0.2, 0.6, 0.6)) == 1.0
    assert visible_share((0.9, 0.2, 1.1, 0.6)) == pytest.approx(0.5)
    assert visible_share((1.1, 0.2, 1.3, 0.6)) == 0.0
    gone = frame_truth(make_truth(head_box=(0.95, 0.2, 1.15, 0.6)), 30)
    assert (gone["face"], gone["attentive"], gone["time_s"]) == (False, False, 2.0)
    assert frame_truth(make_truth(), 0)["attentive"]
