"""The model for browsers: structurally pruned, trained long under the full one, as a FP32 file of half a megabyte.

INT8 is slower than FP32 in WebAssembly (measured: 3.4 ms against 1.3), and a page should not load megabytes.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import typer
from torch import nn

from training.calibration import fit_temperature
from training.cells import Cells, Recovery
from training.errors import TrainingFailed
from training.files import sha256_of
from training.model import MODEL_FILE, count, load_checkpoint, save_checkpoint
from training.onnx_model import export_onnx
from training.splits import Splits
from training.structural import prune_structural

VARIANT = "browser"
CHECKPOINT, ONNX = "browser_pruned.pth", "browser_pruned_fp32.onnx"

RATIO = 0.8
"""Share of the channels that go: 105,949 parameters stay, 0.48 MB; 0.75 makes 0.71 MB."""

EPOCHS = 40
STEPS = 3
"""Channels go in so many steps, with training between them; the last one has half of the epochs and more."""

MOST_BYTES = 500_000


def make_browser_model(cells: Cells, splits: Splits, recovery: Recovery, ratio: float) -> list[dict[str, Any]]:
    """Prune, train, export, unless that is done already; returns how `prune` lists the two files.

    Raises `TrainingFailed`, also for a file that is too large.
    """
    run = cells.run
    path, file = run / CHECKPOINT, run / ONNX
    settings = {**asdict(recovery), "ratio": ratio, "steps": STEPS, "model_sha256": sha256_of(run / MODEL_FILE)}
    if not (path.is_file() and load_checkpoint(path).meta.get("settings") == settings):
        pruned = prune_gradually(cells, recovery, ratio)
        meta = {"stage": "prune", "settings": settings}
        save_checkpoint(path, pruned, split_sha256=splits.sha256, meta=meta)
    model = load_checkpoint(path).model
    export_onnx(model, file, fit_temperature(cells.logits(model), splits.labels("val")))
    size = file.stat().st_size
    if size > MOST_BYTES:
        raise TrainingFailed(
            f"expected {file.name} of at most {MOST_BYTES:,} bytes, got {size:,}: give a --browser-ratio above {ratio}"
        )
    base_quality, quality = cells.measure(run / MODEL_FILE), cells.measure(path)
    points = 100 * (quality.balanced_accuracy - base_quality.balanced_accuracy)
    remark = (
        f"{quality.parameters:,} of {base_quality.parameters:,} parameters are left, trained under the full model;"
        f" {points:+.1f} points of balanced accuracy and {quality.roc_auc - base_quality.roc_auc:+.4f} of AUC against"
        " it on validation"
    )
    typer.echo(f"{file.name}: {size / 1e6:.2f} MB; {remark}")
    listed = {"parameters": count(model), "remark": remark}
    return [
        {"name": VARIANT, "title": "For browsers", "runtime": "torch", "file": path.name, **listed},
        {"name": f"{VARIANT}_onnx_fp32", "title": "For browsers, ONNX FP32", "runtime": "onnx", "file": file.name}
        | listed,
    ]


def prune_gradually(cells: Cells, recovery: Recovery, ratio: float) -> nn.Module:
    """The run's model without the share `ratio` of its channels; in each step goes the same share of what is left.

    Iterative pruning: Han et al., "Learning both Weights and Connections for Efficient Neural Networks", NIPS 2015.
    """
    base = load_checkpoint(cells.run / MODEL_FILE).model
    steps = min(STEPS, recovery.epochs)
    share = 1 - (1 - ratio) ** (1 / steps)
    epochs = [recovery.epochs // (steps + 1) or 1] * (steps - 1)
    epochs.append(recovery.epochs - sum(epochs))
    model: nn.Module = base
    for step, each in enumerate(epochs, 1):
        model = prune_structural(model, share).to(cells.device)
        progress = f"{VARIANT}, step {step}/{steps}"
        cells.train(model, base, replace(recovery, epochs=each), progress=progress)
    return model
