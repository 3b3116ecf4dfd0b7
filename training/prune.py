"""The stage `prune`: both kinds of pruning at every ratio, each with and without fine-tuning, as in chapter 6.

The best of each series is kept under the reference's name; the structural ones also as ONNX files, FP32 and INT8.
A run of rendered people recovers on signals, under the full model.
A command that was killed goes on with the cells that are missing.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import typer
from tqdm import tqdm

from signaling.errors import ConfigInvalid
from training.calibration import fit_temperature
from training.cells import Cells, Recovery
from training.dataset import read_crops
from training.faces.pictures import has_pictures
from training.faces.recover import RATE
from training.files import write_bytes
from training.model import MODEL_FILE, has_signals, load_checkpoint
from training.onnx_model import export_onnx, quantize_onnx
from training.splits import SPLITS_FILE, Splits, load_splits
from training.stage import Stage
from training.subset import balanced_subset
from training.tradeoff import (
    FILE_STEMS,
    GRAPHS,
    Measured,
    Method,
    Outcome,
    best_of,
    draw_tradeoff,
    remark,
    series,
    write_report,
    write_table,
)
from training.trainer import pick_device, resolve_precision

RATIOS = tuple(percent / 100 for percent in range(10, 100, 10))
QUICK_RATIOS = (0.3, 0.6, 0.9)
LABELS_RATE = 5e-5
"""The reference's, of Adam."""

REPORT = "prune/report.md"
CALIBRATION_IMAGES = 256

FEW_STEPS = 300
"""Of fine-tuning: with fewer a structurally pruned model recovers little. Measured at the ratio 0.9 on 152 rendered
faces, validation accuracy on 40 of other persons after 15, 100, 300 and 657 steps (657 are the reference's):
at 5e-5 53, 53, 85 and 97 %; at 5e-4 53, 97, 100 and 100 %."""


@dataclass(frozen=True)
class PruneConfig:
    """`ratios`: shares to prune, each in 0..1. `learning_rate` and `finetune_epochs`: of the recovery training; None
    is the reference's rate, or for a run of rendered people `training.faces.recover.RATE`.

    `out`: the run folder. `workers`: processes that load images, None for the default.
    """

    out: Path
    ratios: tuple[float, ...] = RATIOS
    finetune_epochs: int = 3
    learning_rate: float | None = None
    device: str = "auto"
    precision: str = "auto"
    workers: int | None = None
    seed: int = 42
    force: bool = False


def parse_ratios(text: str | None, *, quick: bool = False) -> tuple[float, ...]:
    """Such as `0.3,0.6,0.9`, in rising order; None is the reference's nine, or three in a quick run.

    Raises `ConfigInvalid`, also for a part of a percent, which the files' names have no room for.
    """
    if text is None:
        return QUICK_RATIOS if quick else RATIOS
    expected = f"expected --ratios between 0 and 1 in whole percents, such as 0.3,0.6,0.9, got {text!r}"
    try:
        percents = [100 * float(part) for part in text.split(",")]
    except ValueError as error:
        raise ConfigInvalid(expected) from error
    if not all(0 < percent < 100 and math.isclose(percent, round(percent), abs_tol=1e-6) for percent in percents):
        raise ConfigInvalid(expected)
    whole = sorted({round(percent) for percent in percents})
    if len(whole) < len(percents):
        raise ConfigInvalid(f"{expected}, which has one twice")
    return tuple(percent / 100 for percent in whole)


def run(config: PruneConfig) -> None:
    """Prune, measure on the validation part, choose, draw. Raises `TrainingFailed`."""
    out, device = config.out, pick_device(config.device)
    rendered = (
        has_pictures(out) and (out / MODEL_FILE).is_file() and has_signals(load_checkpoint(out / MODEL_FILE).model)
    )
    rate = config.learning_rate or (RATE if rendered else LABELS_RATE)
    recovery = Recovery(config.finetune_epochs, rate, resolve_precision(config.precision, device), config.seed)
    settings = {"ratios": list(config.ratios), **asdict(recovery)}
    stage = Stage(out, "prune", settings, [out / MODEL_FILE, out / SPLITS_FILE])
    if not config.force and stage.is_current():
        typer.echo(f"`prune` is done already: {out / REPORT} (--force does it again)")
        return
    splits = load_splits(out)
    load_checkpoint(out / MODEL_FILE).check_trained_on(splits.sha256, out / MODEL_FILE)
    stage.forget()
    cells = Cells(out, splits, recovery, device=device, workers=config.workers)
    if config.force:
        cells.forget()
    finetuning = describe(recovery, len(splits["train"]), rendered=rendered)
    typer.echo(f"Fine-tuning: {finetuning}")
    baseline = cells.measure(out / MODEL_FILE)
    outcomes = all_outcomes(cells, config.ratios)
    best = [best_of(series(outcomes, method, finetuned=finetuned)) for method in Method for finetuned in (False, True)]
    tables = write_results(out, outcomes, baseline, finetuning)
    variants = keep_best(out, cells, best, baseline)
    variants += export_best(out, cells, splits, variants, config.seed)
    cells.delete_checkpoints()
    stage.complete(
        outputs=[*tables, *(out / variant["file"] for variant in variants)],
        results={
            "device": str(device),
            "baseline": asdict(baseline),
            "best": {outcome.variant: asdict(outcome) for outcome in best},
            "variants": variants,
        },
    )
    for outcome in best:
        typer.echo(f"{outcome.best_stem}.pth: {remark(outcome, baseline)}.")
    typer.echo(f"Tables and graphs: {out / REPORT}")


def describe(recovery: Recovery, images: int, *, rendered: bool = False) -> str:
    """The fine-tuning in a sentence, with a word of warning where it is too short to recover much."""
    steps = recovery.steps(images)
    if rendered:
        return (
            f"{recovery.epochs} epochs on the signals, under the full model: AdamW in one cycle up to"
            f" {recovery.learning_rate:g}, {steps} steps in all."
        )
    text = f"{recovery.epochs} epochs of Adam at {recovery.learning_rate:g}, {steps} steps in all."
    if steps < FEW_STEPS:
        enough = math.ceil(recovery.epochs * FEW_STEPS / steps)
        text += (
            f" That is little, since the training part has {images} images only: --finetune-epochs {enough} or a higher"
            " --learning-rate recovers more."
        )
    return text


def all_outcomes(cells: Cells, ratios: tuple[float, ...]) -> list[Outcome]:
    """Of every cell, made where it is not there yet; a line on the terminal for each."""
    found: list[Outcome] = []
    todo = [(method, ratio) for method in Method for ratio in ratios]
    with tqdm(todo, desc="prune", unit=" cells", disable=None) as bar:
        for method, ratio in bar:
            there = cells.finished(method, ratio)
            before, after = there or cells.make(method, ratio)
            bar.write(
                f"{method} {ratio:.0%}: {before.accuracy:.1%} on validation, {after.accuracy:.1%} fine-tuned,"
                f" {after.parameters:,} parameters{' (done before)' if there else ''}"
            )
            found += before, after
    return found


def write_results(run: Path, outcomes: list[Outcome], baseline: Measured, finetuning: str) -> list[Path]:
    """Tables, graphs and the report; their paths. `finetuning`: what it was, in words."""
    paths = [run / REPORT]
    write_report(run / REPORT, outcomes, baseline, finetuning)
    for method in Method:
        mine = [outcome for outcome in outcomes if outcome.method is method]
        table, graph = run / f"prune/{method}.csv", run / "prune" / GRAPHS[method]
        write_table(table, mine)
        draw_tradeoff(graph, method, mine, baseline)
        paths += table, graph
    return paths


def keep_best(run: Path, cells: Cells, best: list[Outcome], baseline: Measured) -> list[dict[str, Any]]:
    """Put the best ones' files in place of an earlier run's; return how the record lists them."""
    for stem in FILE_STEMS.values():
        for old in run.glob(f"{stem}_*"):
            old.unlink()
    variants = []
    for outcome in best:
        file = run / f"{outcome.best_stem}.pth"
        write_bytes(file, cells.checkpoint(outcome).read_bytes())
        title = f"{outcome.method.capitalize()} {outcome.percent} %{', fine-tuned' if outcome.finetuned else ''}"
        variants.append(
            {
                "name": outcome.variant,
                "title": title,
                "runtime": "torch",
                "file": file.name,
                "parameters": outcome.parameters,
                "remark": remark(outcome, baseline),
            }
        )
    return variants


def export_best(
    run: Path, cells: Cells, splits: Splits, variants: list[dict[str, Any]], seed: int
) -> list[dict[str, Any]]:
    """ONNX files of the structural ones among `variants`, beside them; return how the record lists them.

    (Zeros in an ONNX file save as little as in a checkpoint, so the unstructured ones have none.)
    """
    calibration = read_crops(run, balanced_subset(splits["train"], CALIBRATION_IMAGES, seed))
    found = []
    for variant in variants:
        if not variant["name"].startswith(Method.STRUCTURAL):
            continue
        file = run / variant["file"]
        model = load_checkpoint(file).model
        fp32, int8 = (file.with_name(f"{file.stem}_{kind}.onnx") for kind in ("fp32", "int8"))
        export_onnx(model, fp32, fit_temperature(cells.logits(model), splits.labels("val")))
        quantize_onnx(fp32, int8, calibration)
        for kind, made in (("fp32", fp32), ("int8", int8)):
            own = {
                "name": f"{variant['name']}_onnx_{kind}",
                "title": f"{variant['title']}, ONNX {kind.upper()}",
                "runtime": "onnx",
                "file": made.name,
                "remark": f"{file.name} as ONNX {kind.upper()}; of that file: {variant['remark']}",
            }
            found.append(variant | own)
    return found
