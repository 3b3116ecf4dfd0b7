"""The pictures of `evaluate`: confusion matrices, both curves, calibration, and the people one by one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn import metrics as sklearn_metrics

from training.evaluation import Evaluation
from training.metrics import BINS, Floats, Labels, confusion, reliability
from training.plots import COLOURS, GREY, new_figure, save_figure

MOST_NAMES = 60
"""People who get a row of their own with their name; more would be thinner than a letter."""


def draw_all(folder: Path, evaluation: Evaluation) -> list[Path]:
    """Write every picture into `folder`; returns their paths. Raises `TrainingFailed`."""
    pictures: dict[str, Callable[[Path, Evaluation], None]] = {
        "confusion.png": draw_confusion,
        "roc.png": draw_roc,
        "pr.png": draw_pr,
        "reliability.png": draw_reliability,
        "per_person.png": draw_persons,
    }
    for name, draw in pictures.items():
        draw(folder / name, evaluation)
    return [folder / name for name in pictures]


def draw_confusion(path: Path, evaluation: Evaluation) -> None:
    """Two matrices: as trained, and as a device decides."""
    figure, axes = new_figure(8.4, 4.2, columns=2)
    figure.suptitle(f"Decisions on {_test_part(evaluation)}", ha="left", x=0.01)
    for axis, scores, title in (
        (axes[0], evaluation.trained, "As trained"),
        (axes[1], evaluation.calibrated, "As on a device"),
    ):
        matrix = confusion(evaluation.test.labels, evaluation.test.predicted(scores.calibration))
        shares = matrix / matrix.sum(1, keepdims=True)
        axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for truth, said in np.ndindex(2, 2):
            axis.text(
                said, truth, f"{matrix[truth, said]:,}\n{shares[truth, said]:.1%}", ha="center", va="center",
                fontsize=13, color="white" if shares[truth, said] > 0.62 else "black",
            )  # fmt: skip
        axis.set_title(f"{title}, threshold {scores.calibration.threshold:.3f}", fontsize=10)
        axis.set_xticks([0, 1], ["not attentive", "attentive"])
        axis.set_yticks([0, 1], ["not\nattentive", "attentive"])
        axis.set(xlabel="decision", ylabel="truth (percent of each row)")
        axis.tick_params(length=0)
        axis.grid(visible=False)
        axis.spines[:].set_visible(False)
    save_figure(figure, path)


def draw_roc(path: Path, evaluation: Evaluation) -> None:
    """The ROC curve, with both thresholds on it."""
    labels, logits = evaluation.test.labels, evaluation.test.logits
    false_rate, true_rate, _ = sklearn_metrics.roc_curve(labels, logits)
    figure, axis = new_figure(5.6, 5.4)
    axis.plot(false_rate, true_rate, label=f"model, area {evaluation.calibrated.text('roc_auc')}")
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="always the same, area 0.5")
    _mark_thresholds(axis, evaluation, lambda metrics: (1 - metrics["specificity"], metrics["recall"]))
    axis.set(
        title=f"ROC curve, {_test_part(evaluation)}",
        xlabel="not attentive, but called attentive (1 - specificity)",
        ylabel="attentive, and called so (recall)",
    )
    _unit_square(axis)
    axis.legend(loc="lower right")
    save_figure(figure, path)


def draw_pr(path: Path, evaluation: Evaluation) -> None:
    """The precision-recall curve, with both thresholds on it."""
    labels, logits = evaluation.test.labels, evaluation.test.logits
    precision, recall, _ = sklearn_metrics.precision_recall_curve(labels, logits)
    share = float(labels.mean())
    figure, axis = new_figure(5.6, 5.4)
    # In steps, as the average precision sums it; the recall falls along the arrays.
    label = f"model, average precision {evaluation.calibrated.text('pr_auc')}"
    axis.plot(recall, precision, drawstyle="steps-post", label=label)
    axis.axhline(share, color=GREY, linestyle="--", linewidth=1.2, label=f"always attentive, {share:.3f}")
    _mark_thresholds(axis, evaluation, lambda metrics: (metrics["recall"], metrics["precision"]))
    axis.set(
        title=f"Precision and recall, {_test_part(evaluation)}",
        xlabel="attentive, and called so (recall)",
        ylabel="called attentive, and rightly (precision)",
    )
    _unit_square(axis)
    axis.legend(loc="lower left")
    save_figure(figure, path)


def _mark_thresholds(
    axis: Axes, evaluation: Evaluation, place: Callable[[dict[str, float]], tuple[float, float]]
) -> None:
    for scores, title, marker, colour in (
        (evaluation.trained, "as trained", "o", COLOURS[1]),
        (evaluation.calibrated, "as on a device", "D", COLOURS[2]),
    ):
        axis.plot(
            *place(scores.metrics), marker, color=colour, markersize=8, markeredgecolor="white", clip_on=False,
            zorder=3, label=f"{title}, threshold {scores.calibration.threshold:.3f}",
        )  # fmt: skip


def _unit_square(axis: Axes) -> None:
    axis.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")


def draw_reliability(path: Path, evaluation: Evaluation) -> None:
    """What was said against what was true, before and after the temperature, and how often it was said."""
    figure, axes = new_figure(9, 6, rows=2, columns=2, height_ratios=(3, 1))
    figure.suptitle(f"Calibration on {_test_part(evaluation)}", ha="left", x=0.01)
    for column, scores, title, colour in (
        (0, evaluation.trained, "As trained", COLOURS[1]),
        (1, evaluation.calibrated, f"Temperature {evaluation.calibration.temperature:.2f}", COLOURS[0]),
    ):
        probabilities = evaluation.test.probabilities(scores.calibration.temperature)
        _draw_bins(axes[0, column], evaluation.test.labels, probabilities, colour)
        measured = f"ECE {scores.metrics['ece']:.3f}, loss {scores.metrics['loss']:.3f} nats"
        axes[0, column].set_title(f"{title}: {measured}", fontsize=10)
        _draw_counts(axes[1, column], evaluation.test.labels, probabilities)
        axes[1, column].set_xlabel('probability of "attentive" that the model gave')
    axes[0, 0].set_ylabel("share that was attentive")
    axes[1, 0].set_ylabel("images")
    figure.align_ylabels(axes[:, 0])
    marks = [mark for axis in axes[:, 1] for mark in zip(*axis.get_legend_handles_labels(), strict=True)]
    figure.legend(*zip(*marks, strict=True), loc="outside lower center", ncols=len(marks))
    save_figure(figure, path)


def _draw_bins(axis: Axes, labels: Labels, probabilities: Floats, colour: str) -> None:
    bins = reliability(labels, probabilities)
    held = bins.count > 0
    axis.plot([0, 1], [0, 1], color=GREY, linestyle="--", linewidth=1.2, label="perfectly calibrated")
    axis.vlines(
        bins.mean_probability[held], bins.share_attentive[held], bins.mean_probability[held], color=colour, alpha=0.35,
        linewidth=3, label="its error",
    )  # fmt: skip
    # Bins with few images scatter: the area of a point says how many stand behind it.
    axis.scatter(
        bins.mean_probability[held], bins.share_attentive[held], 12 + 160 * bins.count[held] / bins.count.max(),
        color=colour, alpha=0.9, zorder=3, clip_on=False, label="bin (larger: more images)",
    )  # fmt: skip
    axis.set(xlim=(0, 1), ylim=(0, 1), yticks=np.linspace(0, 1, 6))


def _draw_counts(axis: Axes, labels: Labels, probabilities: Floats) -> None:
    edges = np.linspace(0, 1, BINS + 1).tolist()
    axis.hist(
        [probabilities[labels == 0], probabilities[labels == 1]], edges, stacked=True, color=[COLOURS[4], COLOURS[5]],
        edgecolor="white", linewidth=0.5, label=["not attentive", "attentive"],
    )  # fmt: skip
    axis.set(xlim=(0, 1))
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def draw_persons(path: Path, evaluation: Evaluation) -> None:
    """Each person's accuracy beside that of always saying "attentive" on the same images; the worst on top."""
    persons = evaluation.persons
    places = np.arange(len(persons))
    named = len(persons) <= MOST_NAMES
    height = 0.24 if named else max(0.03, 9 / len(persons))
    figure, axis = new_figure(7.6, 1.9 + height * len(persons))
    accuracies = [score.accuracy for score in persons]
    axis.hlines(places, 0, accuracies, color=COLOURS[0], alpha=0.35, linewidth=min(4.0, 24 * height))
    axis.plot(
        [score.always_attentive for score in persons], places, "|", color=COLOURS[1], markersize=40 * height,
        markeredgewidth=2, label='always saying "attentive"', clip_on=False,
    )  # fmt: skip
    axis.plot(
        accuracies,
        places,
        "o",
        color=COLOURS[0],
        markersize=min(6.0, 48 * height),
        label="model, as on a device",
        clip_on=False,
    )
    median = evaluation.spread["median"]
    axis.axvline(median, color=GREY, linestyle="--", linewidth=1.2, label=f"median of the people, {median:.1%}")
    names = [f"{score.person} ({score.images})" for score in persons] if named else []
    axis.set_yticks(places if named else [], names)
    axis.set(xlim=(0, 1), ylim=(len(persons) - 0.4, -0.6), xlabel="accuracy on this person's test images")
    axis.set_ylabel("person (images)" if named else f"{len(persons)} people")
    axis.set_title(f"{len(persons)} people of the test part, the worst on top")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3)
    save_figure(figure, path)


def _test_part(evaluation: Evaluation) -> str:
    return f"{len(evaluation.test.samples):,} test images of {len(evaluation.persons)} people"
