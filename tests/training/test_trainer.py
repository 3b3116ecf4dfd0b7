"""One epoch of training and of validation, and fine-tuning as pruning uses it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.dataset import CropDataset, loader, plain_transform
from training.errors import TrainingFailed
from training.model import AttentiveMobileNetV2
from training.splits import Splits
from training.trainer import (
    epoch_order,
    finetune,
    make_criterion,
    mixed,
    pick_device,
    resolve_precision,
    train_epoch,
    validate,
)

CPU = torch.device("cpu")


class Brightness(nn.Module):
    """A network that is quick: the mean of each channel, weighed."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.weigh = nn.Linear(3, 1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.weigh(self.norm(images.mean((2, 3))))


@pytest.fixture
def few(tiny_splits: Splits) -> Splits:
    """A quarter of the training images."""
    return replace(tiny_splits, parts={**tiny_splits.parts, "train": tiny_splits["train"][::4]})


def test_training_lowers_the_loss(tiny_run: Path, few: Splits) -> None:
    torch.manual_seed(0)
    model, criterion = Brightness(), make_criterion(few.labels("train"), CPU)
    batches = loader(CropDataset(tiny_run, few["train"], plain_transform()), workers=0)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    losses = [train_epoch(model, batches, optimizer, criterion, device=CPU).loss for _ in range(5)]
    assert losses[-1] < losses[0] - 0.02


def test_validation_gives_each_images_logit_in_order_and_changes_nothing(tiny_run: Path, few: Splits) -> None:
    torch.manual_seed(0)
    model, criterion = Brightness(), make_criterion(few.labels("train"), CPU)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    dataset = CropDataset(tiny_run, few["val"], plain_transform())
    epoch = validate(model, loader(dataset, batch_size=7, workers=0), criterion, device=CPU)
    with torch.no_grad():
        alone = [float(model(dataset[index][0][None])) for index in range(len(dataset))]
    np.testing.assert_allclose(epoch.logits, alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(epoch.labels, few.labels("val"))
    assert epoch.loss == pytest.approx(float(criterion(torch.tensor(alone), torch.tensor(epoch.labels).float())))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_classes_weigh_alike_however_many_images_each_has() -> None:
    criterion = make_criterion(np.array([1, 0, 0, 0]), CPU)
    assert criterion.pos_weight is not None
    assert float(criterion.pos_weight) == 3.0


def test_a_loss_that_is_no_number_ends_the_training(tiny_run: Path, few: Splits) -> None:
    model = Brightness()
    nn.init.constant_(model.weigh.bias, float("nan"))
    batches = loader(CropDataset(tiny_run, few["train"][:4], plain_transform()), workers=0)
    optimizer = torch.optim.Adam(model.parameters())
    with pytest.raises(TrainingFailed, match="expected a finite training loss"):
        train_epoch(model, batches, optimizer, make_criterion(few.labels("train"), CPU), device=CPU)


def test_finetuning_trains_everything_and_puts_masks_back_after_each_step(tiny_run: Path, few: Splits) -> None:
    torch.manual_seed(0)
    model, steps = Brightness().requires_grad_(False), []
    mask = torch.tensor([[1.0, 0.0, 1.0]])

    def put_back() -> None:
        steps.append(1)
        with torch.no_grad():
            model.weigh.weight.mul_(mask)

    before = {name: value.clone() for name, value in model.state_dict().items()}
    finetune(
        model, tiny_run, few, epochs=2, learning_rate=0.01, device=CPU, precision="fp32", workers=0, seed=1,
        after_step=put_back,
    )  # fmt: skip
    assert len(steps) == 2 * -(-len(few["train"]) // 32)
    assert model.weigh.weight[0, 1] == 0
    assert not model.training
    assert not any(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_finetuning_is_the_same_with_the_same_seed(tiny_run: Path, few: Splits) -> None:
    found = []
    for workers in (0, 1):
        torch.manual_seed(0)
        model = Brightness()
        finetune(
            model, tiny_run, few, epochs=1, learning_rate=0.01, device=CPU, precision="fp32", workers=workers, seed=1
        )
        found.append(model.weigh.weight.detach())
    assert torch.equal(*found)


def test_bfloat16_works_on_a_cpu(tiny_run: Path, few: Splits) -> None:
    model = AttentiveMobileNetV2()
    some = replace(few, parts={**few.parts, "train": few["train"][:2] + few["train"][-2:]})
    finetune(model, tiny_run, some, epochs=1, learning_rate=1e-4, device=CPU, precision="bf16", workers=0, seed=1)
    assert all(value.dtype == torch.float32 for value in model.parameters())
    with mixed("bf16", CPU):
        assert model(torch.zeros(1, 3, 160, 160)).dtype == torch.bfloat16


def test_every_epoch_has_its_own_order_of_all_images() -> None:
    first, second = epoch_order(50, 42, 0), epoch_order(50, 42, 1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert first == epoch_order(50, 42, 0)


def test_precision_follows_the_device() -> None:
    assert resolve_precision("auto", CPU) == "fp32"
    assert resolve_precision("auto", torch.device("cuda")) == "fp16"
    assert resolve_precision("bf16", CPU) == "bf16"
    with pytest.raises(TrainingFailed, match="expected --precision fp32 or bf16 on a CPU"):
        resolve_precision("fp16", CPU)


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "mps", "cuda:99", ""])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(TrainingFailed, match="expected"):
        pick_device(name)


def test_devices_are_found_by_name() -> None:
    assert pick_device("cpu") == CPU
    assert pick_device("auto").type in {"cpu", "cuda"}
