"""The stages of `fit`: what each one trains, how fast, and when it has learnt enough.

The reference's two (chapter 5), and before them, where there are no weights to start from, one from scratch: a
random backbone that is frozen has nothing to offer to a head.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, ReduceLROnPlateau

from training.model import AttentiveMobileNetV2

PATIENCE = 4
"""Epochs without improvement after which a stage stops."""

FINETUNED_LAYERS = 40
"""The reference says "blocks", of which MobileNetV2 has 19: we count layers with weights, Conv2d and BatchNorm2d, from
the end of the backbone. That is 20 convolutions, from the last one of block 11 on, and 20 BatchNorms, which stay."""

LOWEST_SCRATCH_RATE = 1e-5


@dataclass(frozen=True)
class Phase:
    """One stage of training. `scratch`: all of it learns, with a cosine-shaped rate and no early stop."""

    name: str
    epochs: int
    learning_rate: float
    scratch: bool = False

    def freeze(self, model: AttentiveMobileNetV2) -> list[nn.Parameter]:
        """Let nothing but what this stage trains take gradients; return that."""
        model.requires_grad_(self.scratch)
        model.head.requires_grad_(True)
        if self.name == "finetune":
            for layer in last_layers(model.backbone):
                layer.requires_grad_(isinstance(layer, nn.Conv2d))
        return [parameter for parameter in model.parameters() if parameter.requires_grad]

    def set_modes(self, model: AttentiveMobileNetV2) -> None:
        """Dropout works in the head; BatchNorm learns statistics only from scratch."""
        model.train(self.scratch)
        model.head.train()

    def make_scheduler(self, optimizer: Optimizer) -> LRScheduler:
        """What lowers the learning rate."""
        if self.scratch:
            return CosineAnnealingLR(optimizer, self.epochs, LOWEST_SCRATCH_RATE)
        return ReduceLROnPlateau(optimizer, factor=0.5, patience=2, min_lr=1e-6)

    def is_better(self, row: Row, best: Row) -> bool:
        """By validation loss. From scratch by AUC, and by loss where that is equal: a model that has begun to be too
        sure of itself, which calibration mends, keeps getting better at telling the two classes apart."""
        if self.scratch:
            return (row.val_auc, -row.val_loss) > (best.val_auc, -best.val_loss)
        return row.val_loss < best.val_loss


@dataclass(frozen=True)
class Row:
    """One epoch in `history.csv`. Losses are the weighted criterion's; `seconds`: training and validation."""

    stage: str
    epoch: int
    lr: float
    train_loss: float
    val_loss: float
    train_accuracy: float
    val_accuracy: float
    train_auc: float
    val_auc: float
    seconds: float
    images_per_s: float

    def __str__(self) -> str:
        """For people: what was learnt, how fast."""
        return (
            f"loss {self.train_loss:.4f}, validation loss {self.val_loss:.4f}, accuracy {self.val_accuracy:.4f},"
            f" AUC {self.val_auc:.4f}, {self.seconds:.1f} s, {self.images_per_s:.0f} images/s"
        )


@dataclass
class Progress:
    """Where a training stands. `phase`: index; `epoch`: whole epochs of it; `stale`: epochs without improvement."""

    phase: int = 0
    epoch: int = 0
    stale: int = 0
    best: Row | None = None
    history: list[Row] = field(default_factory=list)

    def record(self, row: Row, phase: Phase) -> bool:
        """Take in an epoch; return whether it is the best so far.

        The best of the stages before counts: a stage that only makes the model worse leaves it as it was.
        """
        self.epoch += 1
        self.history.append(row)
        if self.best is not None and not phase.is_better(row, self.best):
            self.stale += 1
            return False
        self.best, self.stale = row, 0
        return True

    def is_over(self, phase: Phase) -> bool:
        """Whether the stage is."""
        return self.epoch >= phase.epochs or (not phase.scratch and self.stale >= PATIENCE)

    def next_phase(self) -> None:
        """Begin the next stage."""
        self.phase, self.epoch, self.stale = self.phase + 1, 0, 0

    def as_dict(self) -> dict[str, Any]:
        """As the checkpoint holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Progress:
        """What `as_dict` gave."""
        best = given["best"] and Row(**given["best"])
        return cls(**(given | {"best": best, "history": [Row(**row) for row in given["history"]]}))


def last_layers(backbone: nn.Module) -> list[nn.Conv2d | nn.BatchNorm2d]:
    """The last 40 layers of the backbone that have weights."""
    layers = [layer for layer in backbone.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d)]
    return layers[-FINETUNED_LAYERS:]


def lower_rate(scheduler: LRScheduler, val_loss: float) -> None:
    """One epoch is over."""
    if isinstance(scheduler, ReduceLROnPlateau):
        scheduler.step(val_loss)
    else:
        scheduler.step()
