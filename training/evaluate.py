"""The stage `evaluate`: how good the model is on people it has not seen, and how sure that is.

Reads `attentive_model.pth` and the splits; writes `calibration.json`, which later stages use, and the folder
`evaluate/`: report.md and metrics.json, predictions.csv, per_person.csv, five plots and the Grad-CAM sheet. Of
rendered people also tables, plots and a Grad-CAM sheet by condition (`training.faces.conditions`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import typer
from torch import nn
from tqdm import tqdm

from training.bootstrap import check_resamples
from training.calibration import save_calibration
from training.dataset import CropDataset, loader, plain_transform, predict_logits
from training.evaluation import Evaluation, assess
from training.evaluation_plots import draw_all
from training.evaluation_report import report
from training.faces import conditions_plots, conditions_report
from training.faces.conditions import Conditions, Judged, judge
from training.faces.conditions_plots import draw_mode_sheet
from training.faces.pictures import FOLDER as PICTURES
from training.faces.pictures import META_FILE, has_pictures, load_pictures
from training.faces.truth import TRUTH_FILE
from training.files import write_json, write_text
from training.gradcam import draw_sheet
from training.metrics import Floats
from training.model import MODEL_FILE, has_signals, load_checkpoint
from training.splits import SPLITS_FILE, Part, Splits, load_splits
from training.stage import Stage
from training.tabular import as_csv

NAME = "evaluate"
DIGITS = 6
"""Of logits and probabilities in tables."""


@dataclass(frozen=True)
class EvaluateConfig:
    """`out`: the run folder; `bootstrap`: resamples for the intervals, 0 for none; `workers`: that load images."""

    out: Path
    bootstrap: int = 1000
    workers: int | None = None
    seed: int = 42
    force: bool = False


def run(config: EvaluateConfig) -> None:
    """Evaluate the run's model, unless it is done already. Raises `TrainingFailed`."""
    check_resamples(config.bootstrap)  # now, and not after minutes
    out, folder = config.out, config.out / NAME
    model_file = out / MODEL_FILE
    settings = {"bootstrap": config.bootstrap, "seed": config.seed}
    inputs = [
        model_file,
        out / SPLITS_FILE,
        *((out / PICTURES / name for name in (META_FILE, TRUTH_FILE)) if has_pictures(out) else ()),
    ]
    stage = Stage(out, NAME, settings, inputs)
    if not config.force and stage.is_current():
        typer.echo(f"`{NAME}` is done already: {folder / 'report.md'} (--force does it again)")
        return
    splits = load_splits(out)
    checkpoint = load_checkpoint(model_file)
    checkpoint.check_trained_on(splits.sha256, model_file)
    pictures = load_pictures(out, splits.sha256) if has_pictures(out) else None
    said = {part: predict(config, checkpoint.model, splits, part) for part in ("val", "test")}
    evaluation = assess(said["val"].logits, said["test"].logits, splits, resamples=config.bootstrap, seed=config.seed)
    stage.forget()
    found = None if pictures is None else judge(
        evaluation.test, evaluation.calibration, pictures, said["test"].signals, resamples=config.bootstrap,
        seed=config.seed,
    )  # fmt: skip
    results = evaluation.as_json() | ({} if found is None else {"conditions": found[1].as_json()})
    outputs = [
        save_calibration(out, evaluation.calibration, split_sha256=splits.sha256, validation=results["validation"]),
        *write_tables(folder, evaluation, results, [] if found is None else conditions_report.sections(found[1])),
        *draw_all(folder, evaluation),
        folder / "gradcam.jpg",
    ]
    draw_sheet(folder / "gradcam.jpg", out, checkpoint.model, evaluation.test, evaluation.calibration)
    if found is not None:
        outputs += write_conditions(folder, out, checkpoint.model, *found)
    stage.complete(outputs=outputs, results=results)
    for line in [*summary(evaluation), *(() if found is None else conditions_report.summary(found[1]))]:
        typer.echo(line)
    typer.echo(f"read {folder / 'report.md'}; the pictures lie beside it")


@dataclass(frozen=True)
class Said:
    """What the model says of a part's images: (N,) logits, and (N, 8) signals in their units where it has any."""

    logits: Floats
    signals: Floats | None


@torch.inference_mode()
def predict(config: EvaluateConfig, model: nn.Module, splits: Splits, part: Part) -> Said:
    """Look at a part's images, on the CPU, as a device does."""
    dataset = CropDataset(config.out, splits[part], plain_transform())
    batches = loader(dataset, workers=config.workers)
    shown = tqdm(batches, f"predict {part}", unit="batch", disable=None, leave=False)
    if not has_signals(model):
        return Said(predict_logits(model, shown), None)
    model.eval()
    both = [model.read(images) for images, _ in shown]  # type: ignore[operator]
    logits, signals = (torch.cat(tensors).double().numpy() for tensors in zip(*both, strict=True))
    return Said(logits.reshape(-1), signals)


def write_conditions(folder: Path, run: Path, model: nn.Module, judged: Judged, conditions: Conditions) -> list[Path]:
    """Tables, plots and the Grad-CAM sheet by condition; returns the paths."""
    sheet = folder / "gradcam-modes.jpg"
    draw_mode_sheet(sheet, run, model, judged)
    return [
        *conditions_report.write_tables(folder, conditions),
        *conditions_plots.draw_all(folder, judged, conditions),
        sheet,
    ]


def write_tables(
    folder: Path, evaluation: Evaluation, results: dict[str, Any], paragraphs: Sequence[str]
) -> list[Path]:
    """Write the report with further `paragraphs`, the numbers, the predictions and the people; returns the paths."""
    temperature = evaluation.calibration.temperature
    predictions = [
        (sample.file, sample.person, sample.label, f"{logit:.{DIGITS}f}", f"{probability:.{DIGITS}f}")
        for sample, logit, probability in zip(
            evaluation.test.samples, evaluation.test.logits, evaluation.test.probabilities(temperature), strict=True
        )
    ]
    persons = [asdict(score) for score in evaluation.persons]
    write_json(folder / "metrics.json", results)
    write_text(folder / "report.md", report(evaluation, paragraphs))
    write_text(folder / "predictions.csv", as_csv(("file", "person", "label", "logit", "probability"), predictions))
    write_text(folder / "per_person.csv", as_csv(persons[0], (row.values() for row in persons)))
    return [folder / name for name in ("metrics.json", "report.md", "predictions.csv", "per_person.csv")]


def summary(evaluation: Evaluation) -> list[str]:
    """What the terminal shows: a few lines."""
    scores, people = evaluation.calibrated, len(evaluation.persons)
    always = evaluation.baselines["always_attentive"]
    lines = [
        f"test part, {len(evaluation.test.samples)} images of {people} people: balanced accuracy"
        f" {scores.text('balanced_accuracy')}, ROC-AUC {scores.text('roc_auc')}",
        f'always "attentive": balanced accuracy {always["balanced_accuracy"]:.3f}, ROC-AUC {always["roc_auc"]:.3f};'
        f" accuracy {always['accuracy']:.3f} against the model's {scores.metrics['accuracy']:.3f}",
        f"chosen on the validation part: temperature {evaluation.calibration.temperature:.3f},"
        f" threshold {evaluation.calibration.threshold:.3f}",
    ]
    if evaluation.at_the_bound:
        lines.append(
            "note: the temperature is at the end of its range; the validation part has too few errors, or too many"
        )
    if scores.intervals.note:
        lines.append(f"note: {scores.intervals.note}")
    if evaluation.known_persons:
        lines.append(
            f"warning: {len(evaluation.known_persons)} of the {people} people are in the training part too:"
            " this does not say how the model does on new people"
        )
    return lines
