"""What goes with the model: `attention.json` for the peer and the curious, `model-card.md` for people.

The headings are those of Mitchell et al., "Model Cards for Model Reporting", FAT* 2019.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.bootstrap import LEVEL, bootstrap_intervals
from training.calibration import Calibration
from training.faces.label import LabelRule
from training.faces.pictures import has_pictures
from training.metrics import METRIC_TITLES, binary_metrics
from training.model import ARCHITECTURE
from training.onnx_model import SIGNALS_OUTPUT
from training.signals import NAMES, SIGNALS
from training.splits import PARTS, Splits
from training.stage import read_record, versions
from training.tables import PART_NAMES, SPLIT_NAMES
from training.tabular import markdown_table
from training.variants import BASELINE, Variant

REPORTED = ("accuracy", "balanced_accuracy", "recall", "specificity", "f1", "roc_auc", "loss", "ece")
LABEL_RULE = "1 = attentive: the engagement of the image's clip, 0 to 3, is 2 or more"
RENDERED_DATA = "rendered people"
LICENCE = "not stated: whoever publishes this file sets it, after the licences of the data and of the start weights"
RENDERED_LICENCE = (
    "set by whoever publishes this file; the people it learnt from are made of CC0 assets and our own code"
)
UNKNOWN_DATA = "unknown"
UNITS = tuple(f"{signal.name} ({signal.unit})" for signal in SIGNALS)


@dataclass(frozen=True)
class Parity:
    """How far the file is from the PyTorch model that it was made from, on `crops` real ones: differences of
    probabilities, and the share of equal labels."""

    crops: int
    max_difference: float
    mean_difference: float
    label_agreement: float


@dataclass(frozen=True)
class Metrics:
    """The deployed file on the test part. `values`, `bounds`: by metric, the latter empty where there can be none;
    `note`: about the bounds; `by_person`: accuracy of each person's images."""

    values: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    note: str | None
    by_person: dict[str, float]


@dataclass(frozen=True)
class Deployment:
    """All that the cards tell. `rule`: why this variant; `data`: name of the data set; `size_bytes`: of the file;
    `signals`: whether it has that output; `rendered`: whether nobody in the data is real."""

    variant: Variant
    origin: Variant
    rule: str
    calibration: Calibration
    splits: Splits
    data: str
    metrics: Metrics
    parity: Parity
    size_bytes: int
    signals: bool = False
    rendered: bool = False

    @property
    def label_rule(self) -> str:
        """What "attentive" means, in words."""
        if not self.rendered:
            return LABEL_RULE
        rule = LabelRule()
        return (
            f"1 = attentive (rule {rule.version}): head within {rule.max_yaw:g} degrees to either side and"
            f" {rule.min_pitch:g} to {rule.max_pitch:g} up; gaze within {rule.max_gaze_yaw:g} and"
            f" {rule.min_gaze_pitch:g} to {rule.max_gaze_pitch:g}; an eye at least {rule.min_lid:.0%} open; eyes that"
            " cannot be seen do not count"
        )

    @property
    def licence(self) -> str:
        """What is known of it."""
        return RENDERED_LICENCE if self.rendered else LICENCE

    @property
    def precision(self) -> str:
        """Of the arithmetic."""
        return "int8" if self.variant.name.endswith("int8") else "fp32"


def measure_quality(splits: Splits, probabilities: NDArray[np.float64], threshold: float) -> Metrics:
    """`probabilities`: (N,) of the test part. Raises `TrainingFailed`."""
    labels, persons = splits.labels("test"), splits.persons("test")
    intervals = bootstrap_intervals(labels, probabilities, persons, threshold=threshold)
    right: dict[str, list[bool]] = defaultdict(list)
    for person, label, probability in zip(persons, labels, probabilities, strict=True):
        right[person].append(bool((probability >= threshold) == label))
    values = binary_metrics(labels, probabilities, threshold)
    return Metrics(
        values={name: values[name] for name in REPORTED},
        bounds={name: intervals.bounds[name] for name in REPORTED if name in intervals.bounds},
        note=intervals.note,
        by_person={person: float(np.mean(each)) for person, each in sorted(right.items())},
    )


def data_name(run: Path) -> str:
    """What the data set's folder is called: `prepare` reads its `Labels/*.csv`, or rendered people."""
    if has_pictures(run):
        return RENDERED_DATA
    if not (run / "prepare.json").is_file():
        return UNKNOWN_DATA
    labels = next(iter(read_record(run, "prepare").get("inputs", {})), None)
    return UNKNOWN_DATA if labels is None else (run / labels).resolve().parents[1].name


def short_card(deployment: Deployment, sha256: str) -> dict[str, Any]:
    """`attention.json`; the peer reads `crop_scale`, `threshold`, `sha256` and `signals`."""
    splits, metrics = deployment.splits, deployment.metrics
    train, test = splits["train"], splits["test"]
    return {
        "name": f"{ARCHITECTURE}, {deployment.variant.title}",
        "input": "face: (N,160,160,3) uint8 RGB",
        "outputs": {
            "attentive": "(N,) probability",
            **({SIGNALS_OUTPUT: f"(N, {len(NAMES)}) {', '.join(UNITS)}"} if deployment.signals else {}),
        },
        **({"signals": list(NAMES)} if deployment.signals else {}),
        "crop_scale": splits.crop_scale,
        "threshold": deployment.calibration.threshold,
        "temperature": deployment.calibration.temperature,
        "precision": deployment.precision,
        "parameters": deployment.variant.parameters,
        "size_bytes": deployment.size_bytes,
        "label": deployment.label_rule,
        "trained_on": {
            "data": deployment.data,
            "images": len(train),
            "augmented": sum(sample.source is not None for sample in train),
            "persons": len(set(splits.persons("train"))),
            "split": splits.settings.get("split"),
        },
        "metrics": {
            "part": "test",
            "images": len(test),
            "persons": len(set(splits.persons("test"))),
            **{
                name: {"value": value, "interval_95": list(metrics.bounds[name]) if name in metrics.bounds else None}
                for name, value in metrics.values.items()
            },
        },
        "parity": asdict(deployment.parity),
        "split_sha256": splits.sha256,
        "made_from": {"file": deployment.origin.file, "sha256": deployment.origin.sha256},
        "made_with": versions(),
        "licence": deployment.licence,
        "sha256": sha256,
    }


def model_card(deployment: Deployment, card: Mapping[str, Any], comparison: Mapping[str, Any]) -> str:
    """`model-card.md`. `card`: `short_card`'s; `comparison`: comparison.json, with this variant and the FP32 model."""
    sections = {
        "Model details": _details(deployment, card),
        "Intended use": INTENDED_USE.format(what=FACING if deployment.rendered else JUDGED),
        "Factors": FACTORS_RENDERED if deployment.rendered else FACTORS,
        "Metrics": METRICS_TEXT.format(threshold=card["threshold"], temperature=card["temperature"]),
        "Training and evaluation data": _data(deployment),
        "Quantitative analyses": _figures(deployment, comparison),
        "Ethical considerations": ETHICS.format(labels=BY_RULE if deployment.rendered else BY_PEOPLE),
        "Caveats and recommendations": CAVEATS,
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"# Model card: {card['name']}\n\n`attention.onnx`, sha256 `{card['sha256']}`.\n\n{body}\n"


FACING = "faces the screen with open eyes that look at it, and nothing about what they think or feel"
JUDGED = "looks as the data's annotators called attentive"

INTENDED_USE = """\
It tells a meeting's own members, from one face picture at a time, whether somebody {what}. It runs on that person's \
device, and its answers over a second are averaged before anybody sees a label. It is for people who agreed to it.

It is not for judging, grading, paying, hiring or dismissing anybody, not for children without their guardians, not \
for emotion or lie detection, and not for pictures of people who do not know of it."""

FACTORS = """\
Known to matter: how the face is lit, turned and covered (glasses, masks, hands), the camera's height and distance, \
and who the person is. Age, gender and skin colour are not labelled in the data, so how it differs between such \
groups has **not** been measured; how it differs between persons has (below)."""

FACTORS_RENDERED = """\
Known to matter: how the face is lit, turned and covered (glasses, hair, hands), the camera's height and distance, and \
who the person is. `evaluate` measures the differences between skin tones, glasses, hair and light on rendered people; \
no rendered face stands for a real one, so check it on real people before you rely on it."""

METRICS_TEXT = """\
An image counts as attentive when its probability reaches {threshold:.3f}. This threshold, and the temperature \
{temperature:.3f} that the logit is divided by, were chosen on the validation part. Balanced accuracy is the mean of \
the shares of attentive and of not attentive images that are recognised: always the same answer has 50 %. Intervals \
cover 95 % and come from drawing persons, not images, again and again (bootstrap), because images of one person \
resemble each other."""

ETHICS = """\
Attention cannot be seen; what somebody's face does can. Somebody who listens with closed eyes or takes notes is \
called not attentive. {labels} A label \
about a person is personal data: the product keeps pictures on the device and sends labels only with consent."""

BY_PEOPLE = "The labels are other people's opinions of ten-second clips, and carry their habits."
BY_RULE = (
    "The labels are a rule on head, gaze and lids that we made: no opinion of anybody, and no fact about attention."
)

CAVEATS = """\
- Measure it on your own people, cameras and light before you rely on it; expect it to do worse than here.
- If the data set holds rendered pictures, the figures say that the pipeline works, and nothing about people.
- Accuracy, F1, loss and calibration hold for the test part's share of attentive images (above). Where people are \
attentive more often, the probability is too low; where less often, too high.
- One picture says little. Use the averaged label, and show how sure it is.
- The crop must be made as in training: a square round the face detector's box, its side times `crop_scale`.
- Train again rather than move the threshold when the errors fall on one group."""


def _details(deployment: Deployment, card: Mapping[str, Any]) -> str:
    variant, made = deployment.variant, card["made_with"]
    packages = ", ".join(f"{name} {made[name]}" for name in ("torch", "onnxruntime") if name in made)
    return markdown_table(
        ["", ""],
        [
            ("Architecture", f"{ARCHITECTURE}: MobileNetV2 with a small head, {variant.parameters:,} parameters"),
            ("Variant", f"{variant.title}: {variant.remark}"),
            ("Chosen because", deployment.rule),
            ("Precision, size", f"{deployment.precision.upper()}, {deployment.size_bytes / 1e6:.2f} MB"),
            (
                "Input",
                "`(N, 160, 160, 3)` uint8 RGB: the square crop round a Haar face box, side ="
                f" {card['crop_scale']:g} x the box",
            ),
            ("Output", "`(N,)` probability of *attentive*; normalisation, temperature and sigmoid are inside"),
            *([("Second output", f"`(N, {len(NAMES)})` signals: {', '.join(UNITS)}")] if deployment.signals else []),
            ("Made with", f"`edgeattend train`, {packages}"),
            ("Licence", deployment.licence),
        ],
        words=(0, 1),
    )


def _data(deployment: Deployment) -> str:
    splits = deployment.splits
    kind = str(splits.settings.get("split"))
    uses = {"train": "learning, INT8 ranges", "val": "when to stop, threshold, choice", "test": "the figures below"}
    rows = [
        (
            part, f"{len(splits[part]):,}", f"{splits.labels(part).mean():.0%}",
            f"{sum(sample.source is not None for sample in splits[part]):,}", str(len(set(splits.persons(part)))),
            uses[part],
        )
        for part in PARTS
    ]  # fmt: skip
    header = ("Part", "Images", "Attentive", "Augmented copies", "Persons", "Used for")
    return (
        f"Data set: {deployment.data}. Label: {deployment.label_rule}. Split: `{kind}`"
        f" ({SPLIT_NAMES.get(kind, 'as its settings say')}), sha256 `{splits.sha256[:12]}…`.\n\n"
        + markdown_table(header, rows, words=(0, 5))
    )


def _figures(deployment: Deployment, comparison: Mapping[str, Any]) -> str:
    metrics, parity = deployment.metrics, deployment.parity
    rows = []
    for name, value in metrics.values.items():
        low_high = metrics.bounds.get(name)
        interval = "none" if low_high is None else f"{low_high[0]:.3f} to {low_high[1]:.3f}"
        rows.append((METRIC_TITLES[name], f"{value:.3f}", interval))
    accuracies = np.array(list(metrics.by_person.values()))
    compared = {row["name"]: row for row in comparison["variants"]}
    own, baseline = compared[deployment.variant.name], compared[BASELINE]
    return "\n\n".join(
        [
            f"This file on the test part, {LEVEL:.0%} intervals by person:",
            markdown_table(["Metric", "Value", "Interval"], rows),
            *([f"Note: {metrics.note}."] if metrics.note else []),
            f"From person to person ({len(accuracies)} in the test part), accuracy goes from {accuracies.min():.1%}"
            f" over a median of {np.median(accuracies):.1%} to {accuracies.max():.1%}.",
            f"Beside the FP32 model in PyTorch, both at threshold {comparison['threshold']} on the"
            f" {PART_NAMES[comparison['part']]} part: balanced accuracy {own['balanced_accuracy']:.3f}, FP32"
            f" {baseline['balanced_accuracy']:.3f}; AUC {own['roc_auc']:.3f}, FP32 {baseline['roc_auc']:.3f}. On"
            f" {parity.crops} real crops of validation and test this file's probabilities differ from those of"
            f" `{deployment.origin.file}` by {parity.mean_difference:.2g} on average and"
            f" {parity.max_difference:.2g} at most, and {parity.label_agreement:.1%} of the labels are the same.",
        ]
    )
