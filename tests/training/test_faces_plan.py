"""Small pictures first, the product's size at the end; a rate that rises and falls; epochs that fit into a time."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from training.faces.average import Average
from training.faces.plan import SHARES, Plan, epochs_within


def test_the_pictures_grow_to_the_products_size() -> None:
    sides = [Plan(40, 10).side(epoch) for epoch in range(40)]
    assert sides == sorted(sides)
    assert {side: count / 40 for side, count in Counter(sides).items()} == pytest.approx(dict(SHARES), abs=0.03)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_the_last_epoch_is_always_of_the_products_size(epochs: int) -> None:
    assert Plan(epochs, 10).side(epochs - 1) == 160


def test_the_rate_rises_and_then_falls_to_almost_nothing() -> None:
    plan = Plan(10, 20, peak=0.01)
    rates = [plan.rate(step) for step in range(200)]
    top = rates.index(max(rates))
    assert rates[top] == pytest.approx(0.01, rel=0.02)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[-1] < 1e-4


def test_gaze_counts_little_at_first_and_fully_after_a_third() -> None:
    shares = [Plan(10, 10).gaze(step) for step in range(100)]
    assert shares[0] < 0.25
    assert shares == sorted(shares)
    assert shares[34:] == [1.0] * 66


def test_as_many_epochs_as_fit() -> None:
    cost = {side: 10.0 for side, _ in SHARES}
    assert epochs_within(105.0, cost) == 10
    assert epochs_within(3.0, cost) == 1
    assert epochs_within(105.0, cost | {SHARES[-1][0]: 100.0}) == 3


def test_the_mean_of_the_weights_follows_them_and_forgets_where_they_began() -> None:
    layer = nn.BatchNorm1d(1)
    average = Average(layer, steps=400)
    for step in range(400):
        nn.init.constant_(layer.weight, 3.0 if step < 200 else (4.0 if step % 2 else 6.0))
        layer.num_batches_tracked += 1
        average.update(step)
    state = average.state()
    assert float(state["weight"]) == pytest.approx(5.0, abs=0.15)
    assert int(state["num_batches_tracked"]) == 400
    again = Average(nn.BatchNorm1d(1), steps=400)
    again.load(state)
    assert torch.equal(again.state()["weight"], state["weight"])
