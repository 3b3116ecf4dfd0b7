"""The rule that makes labels of truth: each limit, and the cases that need a word."""

from __future__ import annotations

from typing import Any

import pytest

from tests.training.rendered import make_truth
from training.faces.label import LabelRule


def attentive(**truth: Any) -> bool:
    return LabelRule().attentive(make_truth(**truth))


@pytest.mark.parametrize(
    ("within", "beyond"),
    [
        ({"yaw": 24.9}, {"yaw": 25.0}),
        ({"yaw": -24.9}, {"yaw": -25.0}),
        ({"pitch": 19.9}, {"pitch": 20.0}),
        ({"pitch": -19.9}, {"pitch": -20.0}),
        ({"gaze_yaw": -22.9}, {"gaze_yaw": -23.0}),
        ({"gaze_pitch": 15.9}, {"gaze_pitch": 16.0}),
        ({"gaze_pitch": -22.9}, {"gaze_pitch": -23.0}),
        ({"lid_left": 0.42, "lid_right": 0.0}, {"lid_left": 0.41, "lid_right": 0.41}),
    ],
)
def test_each_limit_parts_attentive_from_not(within: dict[str, float], beyond: dict[str, float]) -> None:
    assert attentive(**within)
    assert not attentive(**beyond)


def test_a_wink_and_an_open_mouth_are_attentive() -> None:
    assert attentive(lid_left=0.0)
    assert attentive(mouth_open=1.0)


def test_behind_sunglasses_or_a_hand_the_head_alone_decides() -> None:
    hidden = {"eyes_visible": False, "lid_left": 0.0, "lid_right": 0.0, "gaze_yaw": 40.0}
    assert attentive(**hidden)
    assert not attentive(**hidden, yaw=30.0)
