"""How a pruned network gets back what it lost: it learns from the truth and from the network that it was made from.

Also of what the truth is silent about, such as the lids behind glasses: there the large network has an opinion.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from training.faces.feed import Feed
from training.faces.learn import Learner, decide
from training.faces.plan import Plan
from training.model import AttentiveMobileNetV2
from training.splits import Splits
from training.trainer import resolve_precision, seed_everything

RATE = 1e-3
"""Peak of the learning rate: the reference's 5e-5 is Adam's for a few hundred steps on labels."""


def recover(
    model: AttentiveMobileNetV2,
    teacher: AttentiveMobileNetV2,
    run: Path,
    splits: Splits,
    *,
    epochs: int,
    learning_rate: float,
    device: torch.device,
    precision: str,
    seed: int,
    batch_size: int = 32,
    after_step: Callable[[], None] | None = None,
    progress: str | None = None,
) -> None:
    """Train the whole of `model` on the run's pictures, and fit its decision anew.

    Leaves the mean of the weights in it, on `device`, in eval mode. `after_step`: where masks are put back. Raises
    `TrainingFailed`.
    """
    seed_everything(seed)
    feed = Feed(run, splits, batch_size=batch_size, seed=seed)
    learner = Learner(
        model, feed, Plan(epochs, feed.steps(), learning_rate), device=device,
        precision=resolve_precision(precision, device), seed=seed, teacher=teacher, after_step=after_step,
    )  # fmt: skip
    for number in range(epochs):
        learner.epoch(number, progress and f"{progress}, epoch {number + 1}/{epochs}")
    model.load_state_dict(learner.average.state())
    decide(model.eval(), feed, device)
