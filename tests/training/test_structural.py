"""Structural pruning: a smaller network of the reference's size that is saved and loaded like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from training.model import PARAMETERS, count, load_checkpoint, save_checkpoint
from training.structural import prune_structural
from training.unstructured import sparsity


@pytest.fixture(scope="module")
def base(tiny_original: Path) -> torch.nn.Module:
    return load_checkpoint(tiny_original / "attentive_model.pth").model


def test_nine_tenths_leave_the_references_parameters(base: torch.nn.Module) -> None:
    assert count(prune_structural(base, 0.9)) == 30_477


def test_the_more_is_pruned_the_fewer_parameters_are_left(base: torch.nn.Module) -> None:
    counts = [count(prune_structural(base, ratio)) for ratio in (0.1, 0.5, 0.8)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] < PARAMETERS


def test_what_is_left_is_weights_of_the_base_model(base: torch.nn.Module) -> None:
    kept = set(prune_structural(base, 0.5).backbone.features[0][0].weight.flatten().tolist())
    assert kept < set(base.backbone.features[0][0].weight.flatten().tolist())
    assert sparsity(prune_structural(base, 0.5)) == 0.0


def test_the_base_model_is_not_touched(base: torch.nn.Module) -> None:
    before = {name: value.clone() for name, value in base.state_dict().items()}
    prune_structural(base, 0.9)
    assert count(base) == PARAMETERS
    assert all(torch.equal(value, before[name]) for name, value in base.state_dict().items())


def test_a_pruned_network_comes_back_from_its_file(base: torch.nn.Module, tmp_path: Path) -> None:
    pruned = prune_structural(base, 0.7).eval()
    save_checkpoint(tmp_path / "pruned.pth", pruned, split_sha256="", meta={})
    loaded = load_checkpoint(tmp_path / "pruned.pth").model
    images = torch.randn(2, 3, 160, 160)
    with torch.inference_mode():
        logits = pruned(images)
        assert logits.shape == (2, 1)
        assert torch.equal(loaded(images), logits)
