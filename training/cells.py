"""A cell: one pruning method at one ratio, from the untouched base model, without and with fine-tuning.

`prune/cells/<method>_<percent>.json` is written after the cell's two checkpoints: where it is there, with the same
settings, the cell is done. The checkpoints may go when the best are chosen; a cell whose are wanted is done again.
"""

from __future__ import annotations

import gzip
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.dataset import plain_transform, read_crops
from training.faces.pictures import has_pictures
from training.faces.recover import recover
from training.files import read_json, sha256_of, write_json
from training.metrics import binary_metrics, sigmoid
from training.model import MODEL_FILE, AttentiveMobileNetV2, count, has_signals, load_checkpoint, save_checkpoint
from training.splits import Splits
from training.structural import prune_structural
from training.tradeoff import Measured, Method, Outcome
from training.trainer import finetune
from training.unstructured import hold_zeros, prune_unstructured, sparsity

FOLDER = "prune/cells"
BATCH = 32
"""Images at a time: the reference's, for steps of fine-tuning; measuring takes as many."""

GZIP_LEVEL = 6
"""The gzip command's own; Python's 9 takes ten times as long over zeros for 8 % less."""


@dataclass(frozen=True)
class Recovery:
    """The fine-tuning that follows pruning; as in the reference by default. `learning_rate`: Adam's."""

    epochs: int = 3
    learning_rate: float = 5e-5
    precision: str = "fp32"
    seed: int = 42

    def steps(self, images: int) -> int:
        """How often the optimizer steps over that many training images; 657 over the reference's 7,000."""
        return self.epochs * math.ceil(images / BATCH)


class Cells:
    """The cells of a run's model. `workers`: processes that load images, None for the default."""

    def __init__(
        self, run: Path, splits: Splits, recovery: Recovery, *, device: torch.device, workers: int | None
    ) -> None:
        self._run = run
        self._base = run / MODEL_FILE
        self._splits = splits
        self._recovery = recovery
        self._device = device
        self._workers = workers
        self._validation = read_crops(run, splits["val"])
        self._settings = {**asdict(recovery), "model_sha256": sha256_of(self._base), "split_sha256": splits.sha256}

    def finished(self, method: Method, ratio: float) -> list[Outcome] | None:
        """The outcomes without and with fine-tuning, if they are there and were made with the same settings."""
        path = self._path(method, ratio, ".json")
        if not path.is_file():
            return None
        document = read_json(path, what="the outcomes of a pruned model", advice="delete it")
        if document.get("settings") != self._settings:
            return None
        return [Outcome(**{**values, "method": method}) for values in document["outcomes"]]

    def make(self, method: Method, ratio: float) -> list[Outcome]:
        """Prune, measure, fine-tune, measure. Raises `TrainingFailed`."""
        self._path(method, ratio, ".json").unlink(missing_ok=True)  # its checkpoints are about to change
        model = load_checkpoint(self._base).model
        pruned = prune_unstructured(model, ratio) if method is Method.UNSTRUCTURED else prune_structural(model, ratio)
        before = self._keep(pruned, method, ratio, finetuned=False)
        pruned.to(self._device)
        held = hold_zeros(pruned) if method is Method.UNSTRUCTURED else None
        self._train(pruned, model, progress=f"{method} {ratio:.0%}", after_step=held)
        outcomes = [before, self._keep(pruned, method, ratio, finetuned=True)]
        values = [asdict(outcome) for outcome in outcomes]
        write_json(self._path(method, ratio, ".json"), {"settings": self._settings, "outcomes": values})
        return outcomes

    def checkpoint(self, outcome: Outcome) -> Path:
        """The file of this pruned model, made again where it is gone. Raises `TrainingFailed`."""
        path = self._checkpoint(outcome.method, outcome.ratio, finetuned=outcome.finetuned)
        if not path.is_file():
            self.make(outcome.method, outcome.ratio)
        return path

    def measure(self, path: Path) -> Measured:
        """What there is to know about a checkpoint. Raises `TrainingFailed`."""
        model = load_checkpoint(path).model
        started = time.process_time()
        logits = self.logits(model)
        seconds = time.process_time() - started
        metrics = binary_metrics(self._splits.labels("val"), sigmoid(logits))
        return Measured(
            parameters=count(model),
            sparsity=sparsity(model),
            size_bytes=path.stat().st_size,
            gzip_bytes=len(gzip.compress(path.read_bytes(), GZIP_LEVEL)),
            accuracy=metrics["accuracy"],
            balanced_accuracy=metrics["balanced_accuracy"],
            roc_auc=metrics["roc_auc"],
            cpu_seconds=round(seconds, 3),
        )

    @torch.inference_mode()
    def logits(self, model: nn.Module) -> NDArray[np.float64]:
        """(N,) of the validation part, on the CPU as the reference measures."""
        normalise = plain_transform()
        found = []
        for start in range(0, len(self._validation), BATCH):
            crops = torch.from_numpy(self._validation[start : start + BATCH])
            found.append(model(normalise(crops.permute(0, 3, 1, 2))).squeeze(1))
        return torch.cat(found).double().numpy()

    def delete_checkpoints(self) -> None:
        """Free the disk: nine ratios leave 200 MB."""
        for path in (self._run / FOLDER).glob("*.pth"):
            path.unlink()

    def forget(self) -> None:
        """Do every cell again."""
        for path in (self._run / FOLDER).glob("*.json"):
            path.unlink()

    def _train(
        self,
        pruned: nn.Module,
        base: nn.Module,
        *,
        progress: str,
        after_step: Callable[[], None] | None = None,
    ) -> None:
        """Let `pruned`, which is on the device, recover: on labels, or on signals with `base` as its teacher."""
        options: dict[str, Any] = {
            **asdict(self._recovery), "device": self._device, "batch_size": BATCH, "after_step": after_step,
            "progress": progress,
        }  # fmt: skip
        if has_signals(pruned) and has_pictures(self._run):
            assert isinstance(pruned, AttentiveMobileNetV2)
            assert isinstance(base, AttentiveMobileNetV2)
            recover(pruned, base, self._run, self._splits, **options)
        else:
            finetune(pruned, self._run, self._splits, workers=self._workers, **options)

    def _keep(self, model: nn.Module, method: Method, ratio: float, *, finetuned: bool) -> Outcome:
        path = self._checkpoint(method, ratio, finetuned=finetuned)
        meta: dict[str, Any] = {"stage": "prune", "method": str(method), "ratio": ratio, "finetuned": finetuned}
        save_checkpoint(path, model, split_sha256=self._splits.sha256, meta=meta | self._settings)
        return Outcome(**asdict(self.measure(path)), method=method, ratio=ratio, finetuned=finetuned)

    def _checkpoint(self, method: Method, ratio: float, *, finetuned: bool) -> Path:
        return self._path(method, ratio, "_ft.pth" if finetuned else "_no_ft.pth")

    def _path(self, method: Method, ratio: float, end: str) -> Path:
        return self._run / FOLDER / f"{method}_{round(100 * ratio)}{end}"
