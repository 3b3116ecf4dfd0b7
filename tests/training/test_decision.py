"""One reason is enough against "attentive"; fitting moves the limits to where people are, and not further."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.decision import MARGINS, SCALE_RANGE, Decision, fit_decision
from training.errors import TrainingFailed
from training.signals import CLOSED, GAZE_PITCH, GAZE_YAW, LID_LEFT, LID_RIGHT, PITCH, YAW

STRAIGHT = [0.0, 0.0, 0.95, 0.95, 0.0, -0.1, 0.0, -6.0]


def face(own: float = 4.0, **changes: float) -> tuple[Tensor, Tensor]:
    """Own logit and signals, as the network has them, of somebody who looks at the screen but for `changes`."""
    raw = torch.tensor([STRAIGHT])
    places = {"yaw": YAW, "pitch": PITCH, "gaze_yaw": GAZE_YAW, "gaze_pitch": GAZE_PITCH, "left": LID_LEFT}
    for name, value in changes.items():
        raw[0, (places | {"right": LID_RIGHT, "closed": CLOSED})[name]] = value
    return torch.tensor([[own]]), raw


def test_who_looks_at_the_screen_is_attentive() -> None:
    assert float(Decision()(*face())) > 1.0


@pytest.mark.parametrize(
    "against",
    [
        {"yaw": 40 / 45}, {"yaw": -40 / 45}, {"pitch": 35 / 30}, {"pitch": -35 / 30}, {"gaze_yaw": 38 / 45},
        {"gaze_yaw": -38 / 45}, {"gaze_pitch": 32 / 30}, {"gaze_pitch": -38 / 30}, {"left": 0.1, "right": 0.15},
        {"closed": 4.0}, {"own": -4.0},
    ],
)  # fmt: skip
def test_one_reason_is_enough_against_it(against: dict[str, float]) -> None:
    assert float(Decision()(*face(**against))) < -1.0


def test_one_open_eye_is_enough() -> None:
    assert float(Decision()(*face(left=0.1))) > 1.0


def test_no_batch_changes_what_is_said_of_a_face() -> None:
    faces = [face(), face(yaw=0.6), face(closed=1.0)]
    together = Decision()(torch.cat([own for own, _ in faces]), torch.cat([raw for _, raw in faces]))
    torch.testing.assert_close(together, torch.cat([Decision()(*one) for one in faces]))


def people(count: int, limit_deg: float) -> tuple[Tensor, Tensor, Tensor]:
    """Faces turned anywhere, attentive within `limit_deg` but for some noise, with an own logit that knows nothing."""
    generator = torch.Generator().manual_seed(0)
    raw = torch.tensor([STRAIGHT]).repeat(count, 1)
    degrees = 90 * torch.rand(count, generator=generator) - 45
    raw[:, YAW] = (degrees + 2 * torch.randn(count, generator=generator)) / 45
    return torch.full((count, 1), 3.0), raw, (degrees.abs() < limit_deg).float()


@pytest.mark.parametrize("limit_deg", [20.0, 30.0])
def test_fitting_puts_the_operating_point_where_the_people_are(limit_deg: float) -> None:
    own, raw, labels = people(2000, limit_deg)
    decision = Decision()
    before = float(torch.nn.functional.binary_cross_entropy_with_logits(decision(own, raw).squeeze(1), labels))
    assert fit_decision(decision, own, raw, labels) < 0.6 * before
    says = decision(own, raw).squeeze(1) > 0
    recalls = [(says == (labels > 0.5))[labels == label].float().mean() for label in (0, 1)]
    assert min(recalls) > 0.9
    turned = torch.tensor([STRAIGHT]).repeat(100, 1)
    turned[:, YAW] = torch.linspace(0, 1, 100)
    edge = 45 * float(turned[decision(torch.full((100, 1), 3.0), turned).squeeze(1) > 0, YAW].max())
    assert edge == pytest.approx(limit_deg, abs=3)


def test_a_rare_class_counts_as_much_as_the_other() -> None:
    own, raw, labels = people(4000, 25.0)
    kept = (labels < 0.5) | (torch.arange(4000) % 20 == 0)
    decision = Decision()
    fit_decision(decision, own[kept], raw[kept], labels[kept])
    says = decision(own[kept], raw[kept]).squeeze(1) > 0
    assert says[labels[kept] > 0.5].float().mean() > 0.9


def test_labels_that_do_not_count_change_nothing() -> None:
    own, raw, labels = people(2000, 25.0)
    wrong = torch.arange(2000) % 3 == 0
    alone, beside = Decision(), Decision()
    fit_decision(alone, own[~wrong], raw[~wrong], labels[~wrong])
    fit_decision(beside, own, raw, torch.where(wrong, 1 - labels, labels), (~wrong).float())
    torch.testing.assert_close(alone(own, raw), beside(own, raw), atol=0.05, rtol=0.05)


def test_no_reason_is_switched_off_or_made_the_only_one() -> None:
    own, raw, labels = people(300, 25.0)
    raw[:, CLOSED] = torch.where(labels > 0.5, -20.0, 20.0)  # a signal that seems to know everything
    decision = Decision()
    fit_decision(decision, own, raw, labels)
    starts = torch.tensor([margin.scale for margin in MARGINS])
    reaches = torch.tensor([margin.reach for margin in MARGINS])
    assert ((decision.scales / starts).log().abs() <= torch.tensor(SCALE_RANGE).log() + 1e-6).all()
    assert (decision.offsets.abs() <= reaches + 1e-6).all()
    assert float(decision(*face(yaw=60 / 45))) < 0


def test_fitting_says_the_same_twice_whatever_was_fitted_before() -> None:
    once, twice = Decision(), Decision()
    fit_decision(twice, *people(300, 20.0))
    for decision in (once, twice):
        fit_decision(decision, *people(300, 30.0))
    assert once.as_dict() == twice.as_dict()


def test_one_class_and_broken_signals_are_refused() -> None:
    own, raw, labels = people(20, 25.0)
    with pytest.raises(TrainingFailed, match="images of both classes to fit the decision on, got 20 of 20"):
        fit_decision(Decision(), own, raw, torch.ones(20))
    raw[3, YAW] = float("nan")
    with pytest.raises(TrainingFailed, match="expected finite signals"):
        fit_decision(Decision(), own, raw, labels)
