"""The stages of `fit`: what learns in each, and when it slows down and stops."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from training.dataset import CropDataset, loader, train_transform
from training.model import HEAD_PARAMETERS, PARAMETERS, AttentiveMobileNetV2, load_checkpoint
from training.schedule import Phase, Progress, Row, last_layers, lower_rate
from training.splits import Splits
from training.trainer import make_criterion, train_epoch

HEAD = Phase("head", 10, 1e-3)
FINETUNE = Phase("finetune", 10, 1e-5)
SCRATCH = Phase("scratch", 10, 1e-3, scratch=True)
ROW = Row("head", 1, 1e-3, 0.6, 0.6, 0.7, 0.7, 0.8, 0.8, 1.0, 30.0)


def progress_after(phase: Phase, losses: list[float]) -> tuple[Progress, int]:
    """How `phase` stands when it is over or the losses are, and how many it took."""
    progress = Progress()
    for taken, loss in enumerate(losses):
        if progress.is_over(phase):
            return progress, taken
        progress.record(replace(ROW, epoch=taken + 1, val_loss=loss), phase)
    return progress, len(losses)


def test_a_stage_stops_after_four_epochs_without_improvement() -> None:
    progress, taken = progress_after(HEAD, [0.5, 0.4, 0.41, 0.4, 0.42, 0.43, 0.1, 0.1])
    assert taken == 6
    assert progress.best is not None
    assert progress.best.epoch == 2


def test_improvement_starts_the_count_again() -> None:
    _, taken = progress_after(HEAD, [0.5, 0.6, 0.6, 0.6, 0.4, 0.6, 0.6, 0.6, 0.3, 0.2])
    assert taken == 10


def test_training_from_scratch_does_not_stop_early_and_keeps_the_best_auc() -> None:
    progress = Progress()
    for epoch, (auc, loss) in enumerate([(0.8, 0.4), (0.9, 0.5), (0.9, 0.45), (0.7, 0.1), *[(0.7, 0.9)] * 6], 1):
        assert not progress.is_over(SCRATCH)
        progress.record(replace(ROW, epoch=epoch, val_auc=auc, val_loss=loss), SCRATCH)
    assert progress.is_over(SCRATCH)
    assert progress.best is not None
    assert progress.best.epoch == 3


def test_a_stage_that_only_makes_it_worse_keeps_the_best_of_the_stage_before() -> None:
    progress, _ = progress_after(HEAD, [0.5, 0.4])
    progress.next_phase()
    assert not progress.record(replace(ROW, stage="finetune", val_loss=0.45), FINETUNE)
    assert progress.best is not None
    assert progress.best.stage == "head"


def test_progress_comes_back_from_a_checkpoint_as_it_was() -> None:
    progress, _ = progress_after(HEAD, [0.5, 0.4, 0.6])
    assert Progress.from_dict(progress.as_dict()) == progress
    assert Progress.from_dict(Progress().as_dict()) == Progress()


def rates(phase: Phase, losses: list[float]) -> list[float]:
    """The learning rate of each epoch and of the one after."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], phase.learning_rate)
    scheduler = phase.make_scheduler(optimizer)
    found = []
    for loss in losses:
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        lower_rate(scheduler, loss)
    return [*found, optimizer.param_groups[0]["lr"]]


def test_the_rate_is_halved_at_the_third_epoch_without_improvement_and_not_below_1e_6() -> None:
    assert rates(HEAD, [0.5, 0.4, 0.4, 0.4, 0.4]) == pytest.approx([1e-3] * 5 + [5e-4])
    assert rates(FINETUNE, [0.5] * 30)[-1] == pytest.approx(1e-6)


def test_the_rate_from_scratch_falls_as_a_cosine() -> None:
    found = rates(SCRATCH, [0.5] * SCRATCH.epochs)
    assert found[0] == pytest.approx(1e-3)
    assert found[5] == pytest.approx((1e-3 + 1e-5) / 2)
    assert found[-1] == pytest.approx(1e-5)
    assert found == sorted(found, reverse=True)


def test_the_references_numbers_of_parameters_learn() -> None:
    model = AttentiveMobileNetV2()
    learning = {phase.name: sum(map(torch.numel, phase.freeze(model))) for phase in (SCRATCH, HEAD, FINETUNE)}
    convolutions = sum(layer.weight.numel() for layer in last_layers(model.backbone) if hasattr(layer, "kernel_size"))
    assert learning == {
        "scratch": PARAMETERS,
        "head": HEAD_PARAMETERS,
        "finetune": HEAD_PARAMETERS + convolutions,
    }
    assert len(last_layers(model.backbone)) == 40


@pytest.mark.parametrize("phase", [HEAD, FINETUNE], ids=lambda phase: phase.name)
def test_what_is_frozen_stays_to_the_bit(tiny_run: Path, tiny_splits: Splits, phase: Phase) -> None:
    model = load_checkpoint(tiny_run / "attentive_model.pth").model
    assert isinstance(model, AttentiveMobileNetV2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    optimizer = torch.optim.Adam(phase.freeze(model), 0.01)
    phase.set_modes(model)
    batches = loader(CropDataset(tiny_run, tiny_splits["train"][:8], train_transform()), batch_size=4, workers=0)
    device = torch.device("cpu")
    train_epoch(model, batches, optimizer, make_criterion(tiny_splits.labels("train"), device), device=device)

    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    names = dict(zip(model.backbone.modules(), (f"backbone.{name}" for name, _ in model.backbone.named_modules())))  # noqa: B905
    convolutions = {
        f"{names[layer]}.weight" for layer in last_layers(model.backbone) if isinstance(layer, torch.nn.Conv2d)
    }
    head = {f"head.{layer}.{kind}" for layer in (1, 4) for kind in ("weight", "bias")}
    assert changed == (head if phase is HEAD else head | convolutions)
