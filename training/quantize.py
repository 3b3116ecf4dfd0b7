"""The stage `quantize`: the trained model in INT8, by the reference's way and by the one that devices take.

Reads `attentive_model.pth`, the splits and, where `evaluate` has run, `calibration.json`. Writes two FX graph mode
files (`attentive_model_quantized.pth` is the reference's, for qnnpack), two ONNX files, and the folder `quantize/`
that shows how closely each of them follows the FP32 model.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from training.calibration import CALIBRATION_FILE, MODEL_FILE, load_calibration
from training.dataset import CropDataset, plain_transform, read_crops
from training.errors import TrainingFailed
from training.evaluate import check_trained_on
from training.fidelity import Fidelity, compare_logits
from training.fidelity_report import draw, report, table
from training.files import write_text
from training.fx import QNNPACK, X86, load_fx, quantize_fx, save_fx
from training.model import count, load_checkpoint
from training.onnx_model import Calibrated, export_onnx, logits, quantize_onnx
from training.splits import SPLITS_FILE, Sample, load_splits
from training.stage import Stage

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


@dataclass(frozen=True)
class Made:
    """One file: `name`, `title`, `runtime` as `training.variants` lists it, and its (N,) logits on the check images."""

    name: str
    title: str
    runtime: str
    file: str
    logits: NDArray[np.float64]
    fidelity: Fidelity


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
    check_trained_on(checkpoint, splits, out / MODEL_FILE)
    calibration = balanced_subset(splits["train"], config.calibration_images, config.seed)
    if not calibration:
        raise TrainingFailed("expected images to calibrate with, got none: give --calibration-images at least 1")
    temperature = load_calibration(out).temperature if calibrated else 1.0
    stage.forget()
    checked = balanced_subset(splits["val"], CHECK_IMAGES, config.seed)
    work = Work(out, checkpoint.model, splits.sha256, calibration=calibration, checked=checked, temperature=temperature)
    made, difference, method = work.quantize_all()
    outputs = [out / one.file for one in made] + write_tables(folder, work, made, difference, method)
    stage.complete(
        outputs=outputs,
        results={
            "variants": [listed(out, one, count(checkpoint.model)) for one in made],
            "fidelity": {one.name: asdict(one.fidelity) for one in made},
            "temperature": temperature,
            "temperature_from": CALIBRATION_FILE if calibrated else None,
            "calibration_files": [sample.file for sample in calibration],
            "onnx_parity": difference,
            "onnx_calibration": asdict(method),
        },
    )
    say(made, folder, calibrated=calibrated)


class Work:
    """What the four conversions share: the model, the images that calibrate and those that check."""

    def __init__(
        self,
        out: Path,
        model: nn.Module,
        split_sha256: str,
        *,
        calibration: Sequence[Sample],
        checked: Sequence[Sample],
        temperature: float,
    ) -> None:
        self._out = out
        self._model = model
        self._split_sha256 = split_sha256
        self._calibration = calibration
        self.checked = checked
        self.temperature = temperature
        self._check_images = normalised(out, checked)
        self._check_crops = read_crops(out, checked)
        self.reference = torch_logits(model, self._check_images)

    @property
    def persons(self) -> int:
        """Of the calibration images."""
        return len({sample.person for sample in self._calibration})

    @property
    def images(self) -> int:
        """That calibrate."""
        return len(self._calibration)

    def quantize_all(self) -> tuple[list[Made], float, Calibrated]:
        """Write and check every file; also the largest difference of FP32 ONNX, and how INT8 ONNX was calibrated."""
        with tqdm(total=len(FX_FILES) + 2, desc=NAME, unit="file", disable=None, leave=False) as progress:
            made = []
            for engine in FX_FILES:
                made.append(self._fx(engine))
                progress.update()
            fp32, int8 = self._out / ONNX_FP32, self._out / ONNX_INT8
            difference = export_onnx(self._model, fp32, self.temperature)
            made.append(self._onnx("onnx_fp32", "ONNX FP32", fp32))
            progress.update()
            method = quantize_onnx(fp32, int8, read_crops(self._out, self._calibration))
            made.append(self._onnx("onnx_int8", "ONNX INT8", int8))
            progress.update()
        return made, difference, method

    def _fx(self, engine: str) -> Made:
        path = self._out / FX_FILES[engine]
        quantized = quantize_fx(self._model, normalised(self._out, self._calibration), engine)
        save_fx(
            path,
            quantized,
            split_sha256=self._split_sha256,
            meta={"stage": NAME, "calibration_images": self.images},
        )
        found = torch_logits(load_fx(path), self._check_images)  # of the file, not of what it was written from
        return self._made(f"fx_int8_{engine}", f"FX INT8, {engine}", "fx", path, found)

    def _onnx(self, name: str, title: str, path: Path) -> Made:
        found = logits(path, self._check_crops).astype(np.float64) * self.temperature
        return self._made(name, title, "onnx", path, found)

    def _made(self, name: str, title: str, runtime: str, path: Path, found: NDArray[np.float64]) -> Made:
        return Made(name, title, runtime, path.name, found, compare_logits(self.reference, found))


def balanced_subset(samples: Iterable[Sample], size: int, seed: int) -> list[Sample]:
    """Up to `size` images, the classes in turn, within a class everybody in turn; no augmented copies."""
    originals = [sample for sample in samples if sample.source is None]
    drawn: Counter[tuple[int, str]] = Counter()
    rounds: tuple[list[tuple[int, Sample]], ...] = ([], [])
    for index in np.random.default_rng(seed).permutation(len(originals)):
        sample = originals[index]
        rounds[sample.label].append((drawn[sample.label, sample.person], sample))
        drawn[sample.label, sample.person] += 1
    for classmates in rounds:
        classmates.sort(key=lambda entry: entry[0])
    pairs = zip_longest(*([sample for _, sample in classmates] for classmates in rounds))
    return [sample for pair in pairs for sample in pair if sample is not None][:size]


def normalised(run_folder: Path, samples: Sequence[Sample]) -> Tensor:
    """(N, 3, 160, 160) float32: images as the model takes them."""
    dataset = CropDataset(run_folder, samples, plain_transform())
    return torch.stack([dataset[index][0] for index in range(len(dataset))])


@torch.no_grad()
def torch_logits(model: nn.Module, images: Tensor) -> NDArray[np.float64]:
    """(N,) logits of normalised images."""
    model.eval()
    pieces = [model(images[start : start + BATCH]).reshape(-1) for start in range(0, len(images), BATCH)]
    return torch.cat(pieces).numpy().astype(np.float64)


def listed(out: Path, made: Made, parameters: int) -> dict[str, Any]:
    """A file as later stages look it up."""
    size = (out / made.file).stat().st_size
    return {
        "name": made.name,
        "title": made.title,
        "runtime": made.runtime,
        "file": made.file,
        "parameters": parameters,
        "remark": f"{size / 1e6:.2f} MB; logits follow FP32 at {made.fidelity.sqnr_db:.1f} dB"
        + "".join(f"; WARNING: {fault}" for fault in made.fidelity.faults),
    }


def write_tables(folder: Path, work: Work, made: list[Made], difference: float, method: Calibrated) -> list[Path]:
    """fidelity.csv, fidelity.png and report.md; returns their paths."""
    paths = [folder / name for name in ("fidelity.csv", "fidelity.png", "report.md")]
    series = {one.title: (one.logits, one.fidelity) for one in made}
    write_text(paths[0], table(work.checked, work.reference, {one.name: one.logits for one in made}))
    labels = np.array([sample.label for sample in work.checked], np.int64)
    draw(paths[1], labels, work.reference, {title: pair for title, pair in series.items() if "INT8" in title})
    sizes = {one.title: (one.file, (folder.parent / one.file).stat().st_size) for one in made}
    write_text(
        paths[2],
        report(
            {title: fidelity for title, (_, fidelity) in series.items()},
            sizes,
            images=work.images,
            persons=work.persons,
            temperature=work.temperature,
            parity=difference,
            method=method,
        ),
    )
    return paths


def say(made: list[Made], folder: Path, *, calibrated: bool) -> None:
    """A line per file, and one per fault."""
    for one in made:
        fidelity = one.fidelity
        typer.echo(
            f"{one.file}: SQNR {fidelity.sqnr_db:.1f} dB, same label on {fidelity.agreement:.1%}"
            f" of {fidelity.images} validation images"
        )
        for fault in fidelity.faults:
            typer.echo(f"WARNING: do not use {one.file} unseen: {fault}", err=True)
    if not calibrated:
        typer.echo(f"no {CALIBRATION_FILE}: temperature 1; run `evaluate`, then `{NAME}` again", err=True)
    typer.echo(f"read {folder / 'report.md'}")
