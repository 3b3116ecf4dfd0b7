"""The stage `quantize`: the trained model in INT8, by the reference's way and by the one that devices take.

Reads `attentive_model.pth`, the splits and, where `evaluate` has run, `calibration.json`. Writes two FX graph mode
files (`attentive_model_quantized.pth` is the reference's, for qnnpack), two ONNX files, and the folder `quantize/`
that shows how closely each of them follows the FP32 model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from training.calibration import CALIBRATION_FILE, load_calibration
from training.dataset import CropDataset, plain_transform, read_crops
from training.errors import TrainingFailed
from training.fidelity import compare_logits, compare_signals
from training.fidelity_report import Logits, Made, Quantized, write_report
from training.fx import QNNPACK, X86, load_fx, quantize_fx, save_fx, usable_engines
from training.model import MODEL_FILE, Checkpoint, count, has_signals, load_checkpoint
from training.onnx_model import export_onnx, logits, open_session, quantize_onnx, signals_of
from training.splits import SPLITS_FILE, Sample, load_splits
from training.stage import Stage
from training.subset import balanced_subset

NAME = "quantize"
FX_FILES = {QNNPACK: "attentive_model_quantized.pth", X86: "attentive_model_quantized_x86.pth"}
ONNX_FP32, ONNX_INT8 = "attentive_fp32.onnx", "attentive_int8.onnx"

CHECK_IMAGES = 512
"""Of the validation part, on which the files are held against FP32: enough to see 1 % of other labels."""

BATCH = 32


@dataclass(frozen=True)
class QuantizeConfig:
    """`out`: the run folder; `calibration_images`: from the training part, for the activations' ranges."""

    out: Path
    calibration_images: int = 256
    seed: int = 42
    force: bool = False


def run(config: QuantizeConfig) -> None:
    """Quantize the run's model, unless it is done already. Raises `TrainingFailed`."""
    out, folder = config.out, config.out / NAME
    inputs = [out / MODEL_FILE, out / SPLITS_FILE]
    calibrated = (out / CALIBRATION_FILE).is_file()
    if calibrated:
        inputs.append(out / CALIBRATION_FILE)
    stage = Stage(out, NAME, {"calibration_images": config.calibration_images, "seed": config.seed}, inputs)
    if not config.force and stage.is_current():
        typer.echo(f"`{NAME}` is done already: {folder / 'report.md'} (--force does it again)")
        return
    splits = load_splits(out)
    checkpoint = load_checkpoint(out / MODEL_FILE)
    checkpoint.check_trained_on(splits.sha256, out / MODEL_FILE)
    calibration = balanced_subset(splits["train"], config.calibration_images, config.seed)
    if not calibration:
        raise TrainingFailed("expected images to calibrate with, got none: give --calibration-images at least 1")
    temperature = load_calibration(out).temperature if calibrated else 1.0
    stage.forget()
    checked = balanced_subset(splits["val"], CHECK_IMAGES, config.seed)
    quantized = quantize(out, checkpoint, calibration, checked, temperature=temperature)
    stage.complete(
        outputs=[*(one.path for one in quantized.made), *write_report(folder, quantized)],
        results={
            "variants": [listed(one, count(checkpoint.model)) for one in quantized.made],
            "fidelity": {one.name: asdict(one.fidelity) for one in quantized.made},
            "signals": {
                one.name: {name: asdict(each) for name, each in one.signals.items()}
                for one in quantized.made
                if one.signals
            },
            "temperature": temperature,
            "temperature_from": CALIBRATION_FILE if calibrated else None,
            "calibration_files": [sample.file for sample in calibration],
            "onnx_parity": quantized.parity,
            "onnx_ranges": asdict(quantized.ranges),
        },
    )
    say(quantized, folder, calibrated=calibrated)


def quantize(
    out: Path, checkpoint: Checkpoint, calibration: Sequence[Sample], checked: Sequence[Sample], *, temperature: float
) -> Quantized:
    """Write every file into `out`, and hold what was written against FP32. Raises `TrainingFailed`."""
    model = checkpoint.model
    images, crops = normalised(out, checked), read_crops(out, checked)
    reference = torch_logits(model, images)
    told = torch_signals(model, images) if has_signals(model) else None
    engines = [engine for engine in FX_FILES if engine in usable_engines()]
    made: list[Made] = []

    def judge(name: str, title: str, path: Path, converted: nn.Module | None) -> None:
        """`converted`: in PyTorch, None for an ONNX file."""
        if converted is not None:
            found = torch_logits(converted, images)
        else:
            found = temperature * logits(path, crops).astype(np.float64)
        signals = {}
        if told is not None:
            own = torch_signals(converted, images) if converted is not None else signals_of(open_session(path), crops)
            signals = compare_signals(told, own)
        runtime = "onnx" if converted is None else "fx"
        made.append(Made(name, title, runtime, path, found, compare_logits(reference, found), signals))
        progress.update()

    with tqdm(total=len(engines) + 2, desc=NAME, unit="file", disable=None, leave=False) as progress:
        calibrating = normalised(out, calibration)
        for engine in engines:
            path = out / FX_FILES[engine]
            meta = {"stage": NAME, "calibration_images": len(calibration)}
            save_fx(
                path, quantize_fx(model, calibrating, engine), split_sha256=checkpoint.split_sha256 or "", meta=meta
            )
            judge(f"fx_int8_{engine}", f"FX INT8, {engine}", path, load_fx(path))
        fp32, int8 = out / ONNX_FP32, out / ONNX_INT8
        parity = export_onnx(model, fp32, temperature)
        judge("onnx_fp32", "ONNX FP32", fp32, None)
        ranges = quantize_onnx(fp32, int8, read_crops(out, calibration))
        judge("onnx_int8", "ONNX INT8", int8, None)
    return Quantized(tuple(made), calibration, checked, reference, temperature, parity, ranges)


def normalised(run_folder: Path, samples: Sequence[Sample]) -> Tensor:
    """(N, 3, 160, 160) float32: images as the model takes them."""
    dataset = CropDataset(run_folder, samples, plain_transform())
    return torch.stack([dataset[index][0] for index in range(len(dataset))])


@torch.no_grad()
def torch_logits(model: nn.Module, images: Tensor) -> Logits:
    """(N,) logits of normalised images."""
    model.eval()
    pieces = [model(images[start : start + BATCH]).reshape(-1) for start in range(0, len(images), BATCH)]
    return torch.cat(pieces).numpy().astype(np.float64)


@torch.no_grad()
def torch_signals(model: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """(N, 8) signals of normalised images, in their units; of a model that has them."""
    model.eval()
    pieces = [model.read(images[start : start + BATCH])[1] for start in range(0, len(images), BATCH)]  # type: ignore[operator]
    return torch.cat(pieces).numpy().astype(np.float64)


def listed(made: Made, parameters: int) -> dict[str, Any]:
    """A file as later stages look it up."""
    return {
        "name": made.name,
        "title": made.title,
        "runtime": made.runtime,
        "file": made.path.name,
        "parameters": parameters,
        "remark": "; WARNING: ".join([f"logits follow FP32 at {made.fidelity.sqnr_db:.1f} dB", *made.fidelity.faults]),
    }


def say(quantized: Quantized, folder: Path, *, calibrated: bool) -> None:
    """A line per file, and one per fault."""
    for one in quantized.made:
        typer.echo(
            f"{one.path.name}: {one.megabytes:.2f} MB, SQNR {one.fidelity.sqnr_db:.1f} dB, same label on"
            f" {one.fidelity.agreement:.1%} of {one.fidelity.images} validation images"
        )
        for fault in one.fidelity.faults:
            typer.echo(f"WARNING: do not use {one.path.name} unseen: {fault}", err=True)
    for engine, file in FX_FILES.items():
        if engine not in usable_engines():
            typer.echo(f"left out {file}: this PyTorch has no engine {engine!r}", err=True)
    if not calibrated:
        typer.echo(f"no {CALIBRATION_FILE}: temperature 1; run `evaluate`, then `{NAME}` again", err=True)
    typer.echo(f"read {folder / 'report.md'}")
