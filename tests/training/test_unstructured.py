"""Unstructured pruning: each layer loses its smallest weights, and they stay away while the rest is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.model import count, load_checkpoint
from training.unstructured import hold_zeros, prunable_weights, prune_unstructured, sparsity


@pytest.fixture(scope="module")
def base(tiny_original: Path) -> torch.nn.Module:
    return load_checkpoint(tiny_original / "attentive_model.pth").model


def train_briefly(model: torch.nn.Module, after_step=lambda: None) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    model.train()
    for _ in range(2):
        loss = model(torch.randn(2, 3, 64, 64)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        after_step()


@pytest.mark.parametrize("ratio", [0.1, 0.9])
def test_every_layer_loses_the_share_that_was_asked_for(base: torch.nn.Module, ratio: float) -> None:
    pruned = prune_unstructured(base, ratio)
    assert sparsity(pruned) == pytest.approx(ratio, abs=1e-3)
    for weight in prunable_weights(pruned):
        assert int((weight == 0).sum()) == round(ratio * weight.numel())
    assert count(pruned) == count(base)


def test_the_smallest_weights_go_and_the_others_stay_as_they_are(base: torch.nn.Module) -> None:
    for before, after in zip(prunable_weights(base), prunable_weights(prune_unstructured(base, 0.5)), strict=True):
        gone = after == 0
        assert before[gone].abs().max() <= before[~gone].abs().min()
        assert torch.equal(before[~gone], after[~gone])


def test_the_base_model_is_not_touched(base: torch.nn.Module) -> None:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    prune_unstructured(base, 0.9)
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_held_zeros_survive_training_and_others_do_not(base: torch.nn.Module) -> None:
    free, held = prune_unstructured(base, 0.5), prune_unstructured(base, 0.5)
    train_briefly(free)
    train_briefly(held, hold_zeros(held))
    assert sparsity(free) < 0.1
    assert sparsity(held) == pytest.approx(0.5, abs=1e-3)
    assert not torch.equal(held.head[1].weight, prune_unstructured(base, 0.5).head[1].weight)
