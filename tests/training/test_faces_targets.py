"""What is asked of a picture is what it can show, and a mirror turns left into right."""

from __future__ import annotations

import pytest
import torch

from tests.training.rendered import make_truth
from training.faces.targets import OPEN, UNSEEN, averted, make_targets, mirrored, shut, turned
from training.signals import CLOSED, GAZE_PITCH, GAZE_YAW, LID_LEFT, LID_RIGHT, NAMES, PITCH, SCALES, YAW

ANGLES = (YAW, PITCH)
EYES = (LID_LEFT, LID_RIGHT, GAZE_YAW, GAZE_PITCH, CLOSED)


def asked(**changes: object) -> dict[str, tuple[float, float]]:
    """Value in its unit and weight, by signal."""
    targets = make_targets([make_truth(**changes)])
    rows = zip(NAMES, targets.signals[0].tolist(), SCALES, targets.weights[0].tolist(), strict=True)
    return {name: (value * scale, weight) for name, value, scale, weight in rows}


def test_an_open_face_is_asked_for_everything() -> None:
    found = asked(yaw=9.0, pitch=-6.0, gaze_yaw=9.0, gaze_pitch=-6.0, lid_left=0.8, lid_right=1.4, mouth_open=0.3)
    assert [value for value, _ in found.values()] == pytest.approx([9, -6, 0.8, 1.15, 9, -6, 0.3, 0])
    assert [weight for _, weight in found.values()] == pytest.approx([1] * 8)


def test_gaze_that_leaves_the_head_counts_more() -> None:
    assert asked(yaw=0.0, gaze_yaw=30.0)["gaze_yaw"][1] > 2 * asked(yaw=30.0, gaze_yaw=30.0)["gaze_yaw"][1]


def test_shut_eyes_have_lids_but_no_gaze() -> None:
    found = asked(lid_left=0.0, lid_right=0.1)
    assert found["closed"] == (1.0, 1.0)
    assert found["lid_left"] == (0.0, 1.0)
    assert found["gaze_yaw"][1] == found["gaze_pitch"][1] == 0.0


def test_between_open_and_shut_nobody_says_closed() -> None:
    assert asked(lid_left=0.28, lid_right=0.1)["closed"][1] == 0.0
    assert asked(lid_left=0.5, lid_right=0.1)["closed"] == (0.0, 1.0)


@pytest.mark.parametrize("change", [{"yaw": 60.0}, {"yaw": -60.0}, {"pitch": -35.0}])
def test_a_head_that_is_turned_away_hides_its_eyes(change: dict[str, float]) -> None:
    targets = make_targets([make_truth(**change)])
    assert targets.weights[0, list(EYES)].tolist() == [0.0] * 5
    assert targets.weights[0, list(ANGLES)].tolist() == [1.0, 1.0]


def test_eyes_behind_sunglasses_are_supposed_to_be_open_and_ahead() -> None:
    found = asked(eyes_visible=False, yaw=10.0, pitch=5.0, gaze_yaw=-40.0, lid_left=0.0, lid_right=0.0)
    assert found["gaze_yaw"] == pytest.approx((10.0, UNSEEN))
    assert found["gaze_pitch"] == pytest.approx((5.0, UNSEEN))
    assert found["lid_left"] == pytest.approx((OPEN, UNSEEN))
    assert found["closed"] == pytest.approx((0.0, UNSEEN))
    away = asked(eyes_visible=False, yaw=35.0)
    assert [away[name][1] for name in ("lid_left", "gaze_yaw", "closed")] == [0.0, 0.0, 0.0]


def test_labels_are_the_rules() -> None:
    truths = [make_truth(), make_truth(yaw=30.0), make_truth(lid_left=0.1, lid_right=0.1)]
    assert make_targets(truths).attentive.tolist() == [1.0, 0.0, 0.0]


def test_a_mirror_turns_left_into_right() -> None:
    targets = make_targets([make_truth(yaw=20.0, gaze_yaw=-10.0, pitch=5.0, lid_left=0.2, lid_right=0.9)] * 2)
    targets.weights[:, LID_LEFT] = 0.5
    same, other = mirrored(targets, torch.tensor([False, True])).signals
    assert same.equal(targets.signals[0])
    assert other[[YAW, GAZE_YAW, PITCH]].tolist() == pytest.approx([-20 / 45, 10 / 45, 5 / 30])
    assert other[[LID_LEFT, LID_RIGHT]].tolist() == pytest.approx([0.9, 0.2])
    assert mirrored(targets, torch.tensor([False, True])).weights[1, [LID_LEFT, LID_RIGHT]].tolist() == [1.0, 0.5]


def test_a_picture_that_is_turned_turns_its_directions() -> None:
    targets = make_targets([make_truth(yaw=0.0, pitch=20.0, gaze_yaw=30.0, gaze_pitch=0.0)])
    quarter = turned(targets, torch.tensor([torch.pi / 2])).signals[0] * torch.tensor(SCALES)
    assert quarter[[YAW, PITCH]].tolist() == pytest.approx([-20.0, 0.0], abs=1e-4)  # up becomes left
    assert quarter[[GAZE_YAW, GAZE_PITCH]].tolist() == pytest.approx([0.0, 30.0], abs=1e-4)  # right becomes up
    others = [LID_LEFT, LID_RIGHT, CLOSED]
    assert torch.equal(turned(targets, torch.ones(1)).signals[:, others], targets.signals[:, others])


def test_turned_there_and_back_is_as_before() -> None:
    targets = make_targets([make_truth(yaw=-35.0, pitch=25.0), make_truth(yaw=50.0, pitch=-30.0)])
    angles = torch.tensor([0.3, -0.7])
    torch.testing.assert_close(turned(turned(targets, angles), -angles).signals, targets.signals)


def test_who_has_shut_eyes_and_who_looks_aside() -> None:
    targets = make_targets(
        [
            make_truth(),
            make_truth(lid_left=0.1, lid_right=0.9),
            make_truth(lid_left=0.1, lid_right=0.3),
            make_truth(yaw=30.0, gaze_yaw=30.0),
            make_truth(pitch=0.0, gaze_pitch=-35.0),
        ]
    )
    assert shut(targets).tolist() == [False, False, True, False, False]
    assert averted(targets).tolist() == [False, False, False, False, True]
