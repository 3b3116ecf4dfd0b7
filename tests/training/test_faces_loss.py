"""What is not asked costs nothing, errors are told in degrees, and a teacher is followed."""

from __future__ import annotations

import math

import pytest
import torch

from tests.training.rendered import make_truth
from training.faces.loss import distillation, loss_of, mean_errors
from training.faces.targets import make_targets
from training.signals import CLOSED, GAZE_YAW, LID_LEFT, YAW

OWN = torch.tensor([[5.0], [-5.0]])


def knowing() -> tuple[torch.Tensor, object]:
    """Signals without an error for an open face and one that is turned away, with their targets."""
    targets = make_targets([make_truth(), make_truth(yaw=60.0, gaze_yaw=60.0)])
    raw = targets.signals.clone()
    raw[:, CLOSED] = -8.0
    return raw, targets


def test_the_truth_costs_almost_nothing_and_an_error_does() -> None:
    raw, targets = knowing()
    right = float(loss_of(OWN, raw, targets))
    assert right < 0.01
    raw[0, GAZE_YAW] += 0.5
    assert float(loss_of(OWN, raw, targets)) > right + 0.5
    assert float(loss_of(OWN, raw, targets, gaze=0.0)) < 0.01
    assert float(loss_of(-OWN, knowing()[0], targets)) > right + 1


@pytest.mark.parametrize("signal", [LID_LEFT, GAZE_YAW, CLOSED])
def test_eyes_of_a_head_that_is_turned_away_cost_nothing(signal: int) -> None:
    raw, targets = knowing()
    right = float(loss_of(OWN, raw, targets))
    raw[1, signal] += 3.0
    assert float(loss_of(OWN, raw, targets)) == pytest.approx(right)


def test_errors_are_told_in_units_and_only_where_truth_speaks() -> None:
    raw, targets = knowing()
    raw[:, YAW] += 9 / 45
    raw[1, GAZE_YAW] += 1.0
    found = mean_errors(raw, targets)
    assert found["yaw"] == pytest.approx(9.0, abs=1e-3)
    assert found["gaze_yaw"] == pytest.approx(0.0, abs=1e-3)
    assert math.isnan(found["gaze_yaw_averted"])


def test_a_pupil_that_says_what_its_teacher_says_is_done() -> None:
    raw, _ = knowing()
    same, other = distillation(OWN, raw, OWN, raw), distillation(OWN, raw + 0.3, OWN, raw)
    assert float(same) < 0.05
    assert float(other) > 0.5
