"""What was found about conditions, in words and tables: a part of `report.md`, and CSV files for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from training.bootstrap import FEW_PERSONS, LEVEL
from training.faces.conditions import (
    FURTHEST_BELOW,
    FURTHEST_FROM_BEST,
    Bounds,
    Conditions,
    GroupScore,
    ModeScore,
    Outcome,
    SignalScore,
)
from training.files import write_text
from training.splits import CLASSES
from training.tabular import as_csv, markdown_table

MISSING = "–"


def write_tables(folder: Path, conditions: Conditions) -> list[Path]:
    """`by_mode.csv`, `confusion_by_mode.csv`, `by_group.csv`, and `signals.csv` where the model has any."""
    tables: Mapping[str, Sequence[ModeScore | Outcome | GroupScore | SignalScore]] = {
        "by_mode.csv": conditions.modes,
        "confusion_by_mode.csv": conditions.outcomes,
        "by_group.csv": conditions.groups,
        "signals.csv": conditions.signals,
    }
    (folder / "signals.csv").unlink(missing_ok=True)  # of a model that had some
    written = []
    for name, scores in tables.items():
        rows = [_flat(score) for score in scores]
        if rows:
            write_text(folder / name, as_csv(rows[0], (row.values() for row in rows)))
            written.append(folder / name)
    return written


def sections(conditions: Conditions) -> list[str]:
    """Paragraphs of the report."""
    found = [
        "## Conditions",
        "Of rendered people the truth is known, and so what a decision was wrong about. Decisions as on a device;"
        f" intervals ({LEVEL:.0%}) by person.",
        _operating(conditions),
        "### What people do",
        _modes(conditions),
        "![By mode](modes.png)",
        _outcomes(conditions),
        "### Who they are, and what is in the way",
        _groups_in_words(conditions),
        "![By group](groups.png)",
        _groups(conditions),
    ]
    if conditions.signals:
        found += ["### Signals", _signals(conditions), "![Signals against the truth](signals.png)"]
    return [*found, "![Grad-CAM by mode](gradcam-modes.jpg)"]


def summary(conditions: Conditions) -> list[str]:
    """What the terminal shows."""
    modes = ", ".join(
        f"{score.mode} {score.auc:.3f}{'' if score.auc >= score.goal else '*'}"
        for score in conditions.modes
        if score.auc is not None
    )
    operating = conditions.operating
    below = [f"{score.group} ({score.family}) {100 * (score.difference or 0):+.1f}" for score in _below(conditions)]
    lines = [
        f"AUC of attentive against {modes}" + (" (* below its goal)" if "*" in modes else ""),
        f"balanced accuracy {operating.plain:.3f} at 0.5, {operating.best:.3f} at the best threshold,"
        f" {operating.best_threshold:.3f}",
        "groups more than 3 points below the mean: " + (", ".join(below) or "none"),
    ]
    if conditions.signals:
        shown = (f"{score.name} {score.mean_error:.2g} {score.unit}" for score in conditions.signals)
        lines.append("mean errors of the signals: " + ", ".join(shown))
    return lines


def _operating(conditions: Conditions) -> str:
    found = conditions.operating
    verdict = "within" if found.loss <= FURTHEST_FROM_BEST else "**not within**"
    rows = [
        ["0.5", _number(found.plain), _interval(found.plain_bounds)],
        [f"the device's, {found.device_threshold:.3f}", _number(found.device), _interval(found.device_bounds)],
        [f"the best for these images, {found.best_threshold:.3f}", _number(found.best), MISSING],
    ]
    return f"0.5 is {verdict} {100 * FURTHEST_FROM_BEST:g} points of the best threshold.\n\n" + markdown_table(
        ["Threshold", "Balanced accuracy", "Interval"], rows
    )


def _modes(conditions: Conditions) -> str:
    rows = [
        [
            score.mode, f"{score.images:,}", str(score.persons), _number(score.auc), _interval(score.bounds),
            f"{score.goal:.2f}", _verdict(score.auc, score.goal), _percent(score.called), str(score.attentive),
        ]
        for score in conditions.modes
    ]  # fmt: skip
    header = ["Attentive against", "Images", "People", "AUC", "Interval", "Goal", "", "Called attentive", "Left out"]
    return (
        markdown_table(header, rows, words=(0, 6))
        + "\n\nLeft out: images of the mode that the rule calls attentive all the same."
    )


def _outcomes(conditions: Conditions) -> str:
    rows = [
        [outcome.mode, CLASSES[outcome.label].replace("_", " "), f"{outcome.images:,}", f"{outcome.called:,}",
         f"{outcome.images - outcome.called:,}", _percent(outcome.right)]
        for outcome in conditions.outcomes
    ]  # fmt: skip
    header = ["Mode", "By the rule", "Images", "Called attentive", "Called not attentive", "Right"]
    return markdown_table(header, rows, words=(0, 1))


def _groups_in_words(conditions: Conditions) -> str:
    below = _below(conditions)
    few = f" Groups with fewer than {FEW_PERSONS} people in a class are listed, but not judged."
    if not below:
        return f"No group is more than {100 * FURTHEST_BELOW:g} points of balanced accuracy below the mean.{few}"
    names = ", ".join(
        f"{score.family} {score.group} ({100 * (score.difference or 0):+.1f}"
        f"{', more than chance' if score.sure else ''})"
        for score in below
    )
    return (
        f"**More than {100 * FURTHEST_BELOW:g} points of balanced accuracy below the mean: {names}.** Where not said,"
        f" the interval of the difference holds 0: it may be chance.{few}"
    )


def _groups(conditions: Conditions) -> str:
    rows = [
        [
            score.family, score.group, f"{score.images:,}", str(score.persons), _number(score.balanced_accuracy),
            _interval(score.bounds), _points(score.difference),
            MISSING if score.difference_bounds is None else " to ".join(map(_points, score.difference_bounds)),
            _number(score.auc),
        ]
        for score in conditions.groups
    ]  # fmt: skip
    header = [
        "Family", "Group", "Images", "People", "Balanced accuracy", "Interval", "From the mean, points", "Interval",
        "AUC",
    ]  # fmt: skip
    return markdown_table(header, rows, words=(0, 1))


def _signals(conditions: Conditions) -> str:
    rows = [
        [score.name, score.unit, f"{score.images:,}", f"{score.mean_error:.3g}",
         MISSING if score.bounds is None else f"{score.bounds[0]:.3g} to {score.bounds[1]:.3g}",
         f"{score.median_error:.3g}", _number(score.auc)]
        for score in conditions.signals
    ]  # fmt: skip
    header = ["Signal", "Unit", "Images", "Mean absolute error", "Interval", "Median", "AUC"]
    return (
        markdown_table(header, rows, words=(0, 1))
        + "\n\nOf the images that show it: lids and gaze of heads turned to the camera, gaze of open eyes."
    )


def _below(conditions: Conditions) -> list[GroupScore]:
    return [score for score in conditions.groups if score.below]


def _flat(score: ModeScore | Outcome | GroupScore | SignalScore) -> dict[str, object]:
    """A dataclass as a row: an interval becomes two columns."""
    row: dict[str, object] = {}
    for name, value in asdict(score).items():
        if name.endswith("bounds"):
            row[name.replace("bounds", "low")], row[name.replace("bounds", "high")] = value or (None, None)
        else:
            row[name] = value
    return row


def _number(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4f}"


def _percent(value: float | None) -> str:
    return MISSING if value is None else f"{value:.1%}"


def _points(value: float | None) -> str:
    return MISSING if value is None else f"{100 * value:+.1f}"


def _interval(bounds: Bounds) -> str:
    return MISSING if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"


def _verdict(value: float | None, goal: float) -> str:
    return "" if value is None else "reached" if value >= goal else "**missed**"
