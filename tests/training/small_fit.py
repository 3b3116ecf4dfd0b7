"""A run folder that `fit` is through with in seconds, and the command that trains in it.

Also what torchrun starts in test_distributed: `python small_fit.py RUN` trains and leaves each process's weights.
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from training.distributed import World, joined
from training.fit import Fit, FitConfig
from training.model import load_checkpoint
from training.splits import PARTS, SPLITS_FILE, Part, Sample, load_splits, save_splits
from training.stage import Stage

IMAGES: dict[Part, int] = {"train": 16, "val": 8, "test": 4}
START = "backbone.pth"
"""In torchvision's form: the head starts anew."""

NOISE = ("seconds", "images_per_s")
"""Columns of the history that differ from run to run."""


def small_config(run: Path, **changes: Any) -> FitConfig:
    """One epoch of the head, two of fine-tuning."""
    given = {
        "weights": str(run / START),
        "head_epochs": 1,
        "finetune_epochs": 2,
        "batch_size": 8,
        "device": "cpu",
        "workers": 0,
    }
    return FitConfig(out=run, **(given | changes))


def command(run: Path) -> list[str]:
    """The same from a terminal."""
    config = small_config(run)
    options = {"out": run, "weights": config.weights, "head-epochs": config.head_epochs, "workers": config.workers}
    options |= {"finetune-epochs": config.finetune_epochs, "batch-size": config.batch_size, "device": config.device}
    return [
        sys.executable,
        "-m",
        "training",
        "fit",
        *(str(word) for name in options for word in (f"--{name}", options[name])),
    ]


def make_small_run(tiny: Path, run: Path) -> Path:
    """A folder with a few images of `tiny` and a backbone to start from."""
    splits = load_splits(tiny)
    parts = {part: few(splits[part], IMAGES[part]) for part in PARTS}
    for sample in (sample for samples in parts.values() for sample in samples):
        (run / sample.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tiny / sample.file, run / sample.file)
    save_splits(run, parts, splits.settings)
    model = load_checkpoint(tiny / "attentive_model.pth").model
    torch.save(model.get_submodule("backbone").state_dict(), run / START)
    return run


def few(samples: tuple[Sample, ...], count: int) -> list[Sample]:
    """As many of each class, spread over the part."""
    by_label = [[sample for sample in samples if sample.label == label] for label in (0, 1)]
    return [some[index * len(some) // (count // 2)] for some in by_label for index in range(count // 2)]


def history(run: Path) -> list[dict[str, str]]:
    """`history.csv` without what is noise."""
    with (run / "fit" / "history.csv").open(newline="") as stream:
        return [{name: row[name] for name in row if name not in NOISE} for row in csv.DictReader(stream)]


def fit_without_dropout(run: Path, world: World) -> None:
    """Train, with all that a process draws for itself left out, and leave its weights in `rank<n>.pth`."""
    config = small_config(run, finetune_epochs=1)
    stage = Stage(run, "fit", config.settings(), [run / SPLITS_FILE])
    fit = Fit(config, load_splits(run), world, stage)
    for layer in fit.model.head:
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.0
    fit.run()
    torch.save(fit.model.state_dict(), run / f"rank{world.rank}.pth")


def normalise_shared(folder: Path, world: World) -> None:
    """SharedBatchNorm on this process's images of `some_images()`: outputs, statistics, gradients in `norm<n>.pth`."""
    holder = torch.nn.Sequential(torch.nn.BatchNorm2d(3))
    world.share_statistics(holder)
    images = some_images()[world.rank :: world.size].clone().requires_grad_()
    learner = world.shared(holder)
    found = learner(images)
    found.square().mul(weights_of_loss()[world.rank :: world.size]).mean().backward()
    layer = holder[0]
    torch.save(
        {"out": found.detach(), "mean": layer.running_mean, "var": layer.running_var,
         "weight": layer.weight.grad, "bias": layer.bias.grad, "images": images.grad / world.size},
        folder / f"norm{world.rank}.pth",
    )  # fmt: skip


def some_images() -> torch.Tensor:
    """(8, 3, 2, 2): far from zero, where careless variances lose their digits."""
    return torch.randn(8, 3, 2, 2, generator=torch.Generator().manual_seed(1)) + 50


def weights_of_loss() -> torch.Tensor:
    """(8, 1, 1, 1): makes every image matter differently."""
    return torch.arange(8.0).reshape(8, 1, 1, 1)


if __name__ == "__main__":
    with joined("cpu") as all_processes:
        normalise_shared(Path(sys.argv[1]), all_processes)
        fit_without_dropout(Path(sys.argv[1]), all_processes)
