"""The stage `export`: choose the file for devices, prove that it says what PyTorch says, and put it where it runs.

`attention.onnx` and `attention.json` appear together: both are written aside and loaded there by the participant's
own classifier first. Two files cannot be renamed at once; the card holds the model's hash, so that a crash between
the two leaves a pair that every participant refuses, and never a model with another one's threshold.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray

from peer.perception.classifier import AttentionClassifier
from signaling.errors import ConfigInvalid
from training.calibration import (
    CALIBRATION_FILE,
    Calibration,
    fit_temperature,
    load_calibration,
    operating_threshold,
)
from training.card import Deployment, Parity, data_name, measure_quality, model_card, short_card
from training.choice import COMPARISON_FILE, choose, load_comparison
from training.dataset import CropDataset, loader, plain_transform, predict_logits, read_crops
from training.errors import TrainingFailed
from training.faces.pictures import has_pictures
from training.files import sha256_of, write_bytes, write_json, write_text
from training.half import halve_weights
from training.images import read_crop
from training.model import has_signals, load_checkpoint
from training.splits import SPLITS_FILE, Splits, load_splits
from training.stage import Stage, command, name_in, read_record
from training.timing import one_thread
from training.variants import (
    BASELINE,
    Variant,
    Variants,
    check_unchanged,
    collect_variants,
    load_scorer,
    score_all,
)

MODEL_NAME, CARD_NAME, MODEL_CARD = "attention.onnx", "attention.json", "model-card.md"
HALF_FILE = "attentive_half.onnx"
"""In the run folder: the browsers' model, which lies beside the pages that load it as attention.onnx, too."""

PARITY_CROPS = 512
AND_SOUND = ", and that say what PyTorch says"

MAX_DIFFERENCE_FP32 = 0.001
"""Of a probability: ten times what float32 rounding makes of it."""

MAX_DIFFERENCE_HALF = 0.01
"""For weights in half precision: six times what their rounding makes of it (0.0016 on 3,248 crops)."""

MIN_AGREEMENT, MAX_MEAN_DIFFERENCE = 0.95, 0.05
"""For INT8: a sound conversion stays far inside (0.99 and 0.01 are usual); a broken one is far outside."""


class ParityFailed(TrainingFailed):
    """A file that does not say what PyTorch says."""


@dataclass(frozen=True)
class ExportConfig:
    """`variant`: its name in comparison.json, None to choose; `to`: folder of attention.onnx, None is `out`;
    `browser_to`: folder of the browsers' attention.onnx, which has half-precision weights; None for none."""

    out: Path
    variant: str | None = None
    to: Path | None = None
    browser_to: Path | None = None
    force: bool = False


def run(config: ExportConfig) -> None:
    """Choose, verify, write. Raises `TrainingFailed`, `ConfigInvalid`, and `ModelUnavailable` where a peer would."""
    out, target = config.out, config.to or config.out
    if config.browser_to is not None and config.browser_to.resolve() == target.resolve():
        raise ConfigInvalid(f"expected --browser-to in another folder than the peers' {MODEL_NAME}, got {target} twice")
    comparison = load_comparison(out)
    choice = choose(comparison["variants"], config.variant)
    variants = collect_variants(out)
    candidates = [variants[name] for name in choice.names]
    wanted = [*candidates, *([] if config.browser_to is None else [fp32_of(variants, each) for each in candidates])]
    files = dict.fromkeys(file for each in wanted for file in (each.file, variants[each.origin].file))
    inputs = [out / name for name in (COMPARISON_FILE, SPLITS_FILE, CALIBRATION_FILE, *files)]
    settings = {"variant": config.variant, "to": name_in(out, target)}
    if config.browser_to is not None:
        settings["browser_to"] = name_in(out, config.browser_to)
    stage = Stage(out, "export", settings, inputs)
    if not config.force and stage.is_current():
        typer.echo(f"`export` is done already: {target / MODEL_NAME} (--force does it again)")
        return
    splits = load_splits(out)
    check_comparison(comparison, variants, splits)
    typer.echo("\n".join(choice.table))
    with one_thread():
        deployment = first_sound(out, variants, candidates, splits, choice.rule)
        paged = None if config.browser_to is None else for_browsers(out, variants, deployment)
    stage.forget()
    card = place(out, target, deployment)
    write_text(out / MODEL_CARD, model_card(deployment, card, comparison))
    outputs = [target / MODEL_NAME, target / CARD_NAME, out / MODEL_CARD]
    results = {"chosen": deployment.variant.name, "rule": choice.rule, "candidates": list(choice.table), "card": card}
    if paged is not None and config.browser_to is not None:
        results["browser_card"] = place(out, config.browser_to, paged)
        outputs += [out / HALF_FILE, config.browser_to / MODEL_NAME, config.browser_to / CARD_NAME]
    stage.complete(outputs=outputs, results=results)
    typer.echo(f"written: {target / MODEL_NAME} ({deployment.size_bytes / 1e6:.2f} MB), its card, {out / MODEL_CARD}")
    if paged is not None and config.browser_to is not None:
        typer.echo(f"written: {config.browser_to / MODEL_NAME} ({paged.size_bytes / 1e6:.2f} MB) and its card")
    typer.echo(f"try it: edgeattend join URL --name NAME --model {target / MODEL_NAME}")


def for_browsers(out: Path, variants: Variants, peers: Deployment) -> Deployment:
    """The network that `peers` have, with their temperature and threshold, in FP32 and half the bytes.

    Raises `ParityFailed`, `TrainingFailed`.
    """
    fp32 = fp32_of(variants, peers.variant)
    check_unchanged(out, fp32)
    halve_weights(out / fp32.file, out / HALF_FILE)
    half = replace(
        fp32,
        name=f"{fp32.name.removesuffix('fp32')}half",
        title=f"{fp32.title}, weights in half precision",
        file=HALF_FILE,
        stage="export",
        sha256=sha256_of(out / HALF_FILE),
    )
    return examine(out, half, peers.origin, peers.splits, peers.rule, calibration=peers.calibration)


def fp32_of(variants: Variants, variant: Variant) -> Variant:
    """The ONNX file that an INT8 one was made from; an FP32 one itself. Raises `TrainingFailed`."""
    return variants[variant.name.replace("onnx_int8", "onnx_fp32")]


def check_comparison(comparison: dict[str, Any], variants: Variants, splits: Splits) -> None:
    """Raise `TrainingFailed` for a comparison of other files or other images than lie here now."""
    compared = {row["name"]: row["sha256"] for row in comparison["variants"]}
    here = {variant.name: variant.sha256 for variant in variants.all}
    if compared != here or comparison["split_sha256"] != splits.sha256:
        raise TrainingFailed(
            f"expected {COMPARISON_FILE} to be about the models and images that lie here now, got an older one:"
            " run `compare` again"
        )


def first_sound(out: Path, variants: Variants, candidates: Sequence[Variant], splits: Splits, rule: str) -> Deployment:
    """The first of `candidates` that says what PyTorch says. Raises `TrainingFailed` where none does."""
    refused: TrainingFailed | None = None
    for variant in candidates:
        try:
            found = examine(out, variant, variants[variant.origin], splits, rule)
        except ParityFailed as error:
            typer.echo(f"refused: {error.message}")
            refused = error
            rule = f"{rule.removesuffix(AND_SOUND)}{AND_SOUND}"
        else:
            typer.echo(f"chosen: {variant.name}, because {rule}")
            return found
    assert refused is not None
    raise refused


def examine(
    out: Path, variant: Variant, origin: Variant, splits: Splits, rule: str, *, calibration: Calibration | None = None
) -> Deployment:
    """Everything about the file that the cards tell. `calibration`: None for its own.

    Raises `ParityFailed`, `TrainingFailed`.
    """
    calibration = calibration or calibrate(out, variant, origin, splits)
    scorer = load_scorer(out, variant, calibration.temperature)
    samples = [*splits["val"], *splits["test"]]
    evenly = np.linspace(0, len(samples) - 1, min(PARITY_CROPS, len(samples))).astype(int)
    crops = read_crops(out, [samples[index] for index in evenly])
    expected = score_all(load_scorer(out, origin, calibration.temperature), crops)
    parity = compare_scores(score_all(scorer, crops), expected, calibration.threshold)
    typer.echo(
        f"{variant.name} beside {origin.file} on {parity.crops} crops: probabilities differ by"
        f" {parity.max_difference:.2g} at most, {parity.mean_difference:.2g} on average;"
        f" {parity.label_agreement:.1%} of the labels agree"
    )
    check_parity(variant, parity)
    probabilities = score_all(scorer, read_crops(out, splits["test"]))
    return Deployment(
        variant=variant,
        origin=origin,
        rule=rule,
        calibration=calibration,
        splits=splits,
        data=data_name(out),
        metrics=measure_quality(splits, probabilities, calibration.threshold),
        parity=parity,
        size_bytes=(out / variant.file).stat().st_size,
        signals=has_signals(load_checkpoint(out / origin.file).model),
        rendered=has_pictures(out),
    )


def calibrate(out: Path, variant: Variant, origin: Variant, splits: Splits) -> Calibration:
    """Temperature and threshold that belong to `variant`: the run's own, or a pruned model's from its validation.

    (`prune` puts the temperature of each structurally pruned model into its ONNX files in the same way.)
    """
    if origin.name == BASELINE:
        calibration = load_calibration(out)
        check_temperature(out, variant, calibration)
        return calibration
    labels = splits.labels("val")
    batches = loader(CropDataset(out, splits["val"], plain_transform()), workers=0)
    temperature = fit_temperature(predict_logits(load_checkpoint(out / origin.file).model, batches), labels)
    probabilities = score_all(load_scorer(out, variant, temperature), read_crops(out, splits["val"]))
    return Calibration(temperature, operating_threshold(labels, probabilities))


def check_temperature(out: Path, variant: Variant, calibration: Calibration) -> None:
    """Raise `TrainingFailed` for a file with another temperature inside than the threshold was chosen with."""
    inside = read_record(out, variant.stage)["results"].get("temperature")
    if inside != calibration.temperature:
        raise TrainingFailed(
            f"expected {variant.file} with the temperature {calibration.temperature:g} of {CALIBRATION_FILE} inside,"
            f" got {inside}: `evaluate` has run since; run {command(variant.stage, out)} and `compare` again"
        )


def compare_scores(own: NDArray[np.float64], expected: NDArray[np.float64], threshold: float) -> Parity:
    """How far (N,) probabilities are from those of PyTorch."""
    differences = np.abs(own - expected)
    agreement = np.mean((own >= threshold) == (expected >= threshold))
    return Parity(len(own), float(differences.max()), float(differences.mean()), float(agreement))


def check_parity(variant: Variant, parity: Parity) -> None:
    """Raise `ParityFailed` when a file does not say what the model says that it was made from; also for NaN."""
    if variant.name.endswith("int8"):
        fine = parity.label_agreement >= MIN_AGREEMENT and parity.mean_difference <= MAX_MEAN_DIFFERENCE
        limits = f"{MIN_AGREEMENT:.0%} of the labels, and probabilities within {MAX_MEAN_DIFFERENCE} on average, of"
    else:
        most = MAX_DIFFERENCE_HALF if variant.name.endswith("half") else MAX_DIFFERENCE_FP32
        fine = parity.max_difference <= most
        limits = f"probabilities within {most} of"
    if not fine:
        raise ParityFailed(
            f"expected {variant.file} to give {limits} the PyTorch model, got {parity.label_agreement:.1%} of the"
            f" labels, {parity.mean_difference:.2g} on average and {parity.max_difference:.2g} at most: run"
            f" `{variant.stage}` again, or export another --variant"
        )


def place(out: Path, target: Path, deployment: Deployment) -> dict[str, Any]:
    """Put model and card into `target` once a participant's classifier has run them; returns the card.

    Raises `TrainingFailed` and `ModelUnavailable`; then `target` is as it was.
    """
    model = (out / deployment.variant.file).read_bytes()
    card = short_card(deployment, hashlib.sha256(model).hexdigest())
    crop = read_crop(out / deployment.splits["test"][0].file)
    try:
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target, prefix=".export.") as name:
            aside = Path(name)
            write_bytes(aside / MODEL_NAME, model)
            write_json(aside / CARD_NAME, card)
            score = AttentionClassifier(aside / MODEL_NAME).score(crop)
            (aside / CARD_NAME).replace(target / CARD_NAME)
            (aside / MODEL_NAME).replace(target / MODEL_NAME)
    except OSError as error:
        raise TrainingFailed(f"expected to be allowed to write in {target}, got: {error.strerror or error}") from error
    typer.echo(f"a participant's classifier loads it and gives a test crop {score:.3f}")
    return card
