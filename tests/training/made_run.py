"""A run folder as `fit`, `evaluate`, `quantize` and `prune` leave it, without their long way there."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

from filelock import FileLock

from training import onnx_model
from training.calibration import Calibration, fit_temperature, save_calibration
from training.dataset import CropDataset, loader, plain_transform, predict_logits, read_crops
from training.files import write_json
from training.model import PARAMETERS, count, load_checkpoint, save_checkpoint
from training.onnx_model import export_onnx, quantize_onnx
from training.splits import load_splits
from training.stage import Stage
from training.structural import prune_structural
from training.variants import collect_variants

FP32 = "attentive_model.pth"
THRESHOLD, TEMPERATURE = 0.5, 1.3


@functools.cache
def made_original(tiny: Path) -> Path:
    """`tiny`, a run folder with a checkpoint, copied and completed: made once, for tests of all processes to copy."""
    made, making = tiny.with_name("made"), tiny.with_name("making")
    with FileLock(f"{made}.lock"):
        if not made.exists():
            shutil.rmtree(making, ignore_errors=True)
            complete(Path(shutil.copytree(tiny, making)))
            making.replace(made)
    return made


def complete(run: Path) -> None:
    """What the stages after `fit` would have left in `run`."""
    record(run, "fit", [listed("fp32", "FP32", FP32, parameters=PARAMETERS)], inputs=[])
    split_sha256 = load_splits(run).sha256
    save_calibration(run, Calibration(TEMPERATURE, THRESHOLD), split_sha256=split_sha256, validation={})
    quantize(run)
    prune(run, split_sha256)


def quantize(run: Path) -> None:
    """quantize.json with both ONNX files."""
    whole, small = run / "attentive_fp32.onnx", run / "attentive_int8.onnx"
    export_onnx(load_checkpoint(run / FP32).model, whole, TEMPERATURE)
    one = {"min-max": onnx_model.METHODS["min-max"]}  # all three take 6 s longer
    with mock.patch.object(onnx_model, "METHODS", one):
        quantize_onnx(whole, small, read_crops(run, load_splits(run)["train"][::8]))
    models = [
        listed("onnx_fp32", "ONNX FP32", whole.name, parameters=PARAMETERS),
        listed("onnx_int8", "ONNX INT8", small.name, parameters=PARAMETERS),
    ]
    record(run, "quantize", models, inputs=[run / FP32], temperature=TEMPERATURE)


def prune(run: Path, split_sha256: str) -> None:
    """prune.json with a model that has lost some channels, untrained, and its ONNX file."""
    splits = load_splits(run)
    pruned = prune_structural(load_checkpoint(run / FP32).model, 0.1)
    save_checkpoint(run / "small.pth", pruned, split_sha256=split_sha256, meta={})
    logits = predict_logits(pruned, loader(CropDataset(run, splits["val"], plain_transform()), workers=0))
    export_onnx(pruned, run / "small.onnx", fit_temperature(logits, splits.labels("val")))
    models = [
        listed("structural_no_ft", "Structural 10 %", "small.pth", parameters=count(pruned)),
        listed("structural_no_ft_onnx_fp32", "Structural 10 %, ONNX FP32", "small.onnx", parameters=count(pruned)),
    ]
    record(run, "prune", models, inputs=[run / FP32])


def listed(name: str, title: str, file: str, *, parameters: int) -> dict[str, Any]:
    """A model as the stages list it."""
    runtime = "onnx" if file.endswith(".onnx") else "torch"
    return {
        "name": name, "title": title, "runtime": runtime, "file": file, "parameters": parameters, "remark": "For tests",
    }  # fmt: skip


def record(run: Path, stage: str, models: list[dict[str, Any]], *, inputs: list[Path], **results: Any) -> None:
    """The record of `stage`, with the models' hashes as they are now."""
    outputs = [run / model["file"] for model in models]
    Stage(run, stage, {}, inputs).complete(outputs=outputs, results={"variants": models, **results})


def row(name: str, **figures: Any) -> dict[str, Any]:
    """A variant of comparison.json."""
    ordinary = {
        "name": name, "title": name.replace("_", " "), "runtime": "onnx" if "onnx" in name else "torch",
        "file": f"{name}.file", "sha256": "0" * 64, "origin": name.partition("_onnx")[0], "size_bytes": 2_700_000,
        "size_mb": 2.7, "size_mib": 2.57, "parameters": PARAMETERS, "nonzero_parameters": PARAMETERS,
        "remark": "For tests", "accuracy": 0.9847, "balanced_accuracy": 0.9846, "roc_auc": 0.99834, "f1": 0.98,
        "recall": 0.98, "specificity": 0.98, "accuracy_loss_points": 0.06, "balanced_accuracy_loss_points": 0.07,
        "validation_balanced_accuracy": 0.98, "ms_batch1": 2.3, "ms_batch5": 1.9, "speedup_batch1": 4.9,
        "speedup_batch5": 5.2, "total_cpu_s": 2.5, "peak_rss_mib": 106.4, "added_rss_mib": 78.0,
    }  # fmt: skip
    assert figures.keys() <= ordinary.keys()
    return ordinary | figures


def comparison_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """comparison.json round some rows."""
    return {
        "variants": rows, "missing_stages": [], "part": "test", "split": "subject", "split_sha256": "0" * 64,
        "images": 1500, "persons": 16, "validation_images": 1400, "threshold": 0.5, "repeats": 50, "clock": "processor",
        "bare_python_mib": 28.0, "machine": {"cpu": "A Processor", "torch": "2.13.0", "onnxruntime": "1.32.0"},
    }  # fmt: skip


def write_comparison(run: Path, **validation: float) -> None:
    """comparison.json of the models in `run`. `validation`: balanced accuracy by variant; 0.5 for the others."""
    rows = [
        row(variant.name, sha256=variant.sha256, validation_balanced_accuracy=validation.get(variant.name, 0.5))
        for variant in collect_variants(run).all
    ]
    write_json(run / "comparison.json", comparison_of(rows) | {"split_sha256": load_splits(run).sha256})
