"""A guide answers as the network does that it guides, and its hints pull that network's layers towards its own."""

from __future__ import annotations

import copy

import pytest
import torch

from training.faces.guide import Guide
from training.faces.hints import Hints
from training.model import AttentiveMobileNetV2


@pytest.fixture
def crops() -> torch.Tensor:
    return torch.randn(4, 3, 96, 96, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def hints() -> Hints:
    torch.manual_seed(2)
    torch.set_num_threads(1)
    return Hints(Guide(width=8))


def test_a_guide_answers_as_the_network_that_it_guides(hints: Hints, crops: torch.Tensor) -> None:
    own, raw = hints.guide.outputs(crops)
    assert own.shape == (4, 1) and raw.shape == (4, 8)
    maps, told_own, told_raw = hints.given(crops)
    assert [tuple(each.shape) for each in maps] == [(4, 8, 24, 24), (4, 16, 12, 12), (4, 32, 6, 6), (4, 48, 3, 3)]
    assert torch.equal(told_own, own) and torch.equal(told_raw, raw)


def test_a_pupil_says_the_same_whether_its_layers_are_watched_or_not(hints: Hints, crops: torch.Tensor) -> None:
    pupil = AttentiveMobileNetV2(signals=True).eval()
    maps, own, raw = hints.seen_by(pupil, crops)
    expected = pupil.outputs(crops)
    torch.testing.assert_close((own, raw), expected)
    assert [each.shape[1] for each in maps] == [24, 32, 96, 320]


@pytest.mark.parametrize("side", [96, 128, 160])
def test_each_map_of_the_pupil_has_one_of_the_guide_of_its_scale(hints: Hints, side: int) -> None:
    crops = torch.zeros(1, 3, side, side)
    seen, *_ = hints.seen_by(AttentiveMobileNetV2(signals=True).eval(), crops)
    given, *_ = hints.given(crops)
    assert [each.shape[2:] for each in seen] == [each.shape[2:] for each in given]


def test_hints_change_the_pupil_and_its_translators_and_leave_the_guide(hints: Hints, crops: torch.Tensor) -> None:
    before = copy.deepcopy(hints.guide.state_dict())
    pupil = AttentiveMobileNetV2(signals=True).train()
    optimizer = torch.optim.AdamW([*pupil.parameters(), *hints.parameters_to_learn()], lr=2e-3)
    distances = []
    for _ in range(25):
        seen, *_ = hints.seen_by(pupil, crops)
        given, *_ = hints.given(crops)
        distance = hints.distance(seen, given)
        optimizer.zero_grad()
        distance.backward()
        optimizer.step()
        distances.append(float(distance.detach()))
    assert distances[-1] < 0.7 * distances[0]
    assert all(torch.equal(value, before[name]) for name, value in hints.guide.state_dict().items())
