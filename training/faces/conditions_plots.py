"""The pictures of conditions: modes with their goals, groups round the mean, signals against the truth."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from torch import nn

from training.faces.conditions import FURTHEST_BELOW, Bounds, Conditions, GroupScore, Judged, true_signals
from training.faces.truth import Mode
from training.gradcam import COLUMNS as GRADCAM_COLUMNS
from training.gradcam import Strip, choose, draw_strips, how_sure
from training.metrics import Floats
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.signals import SIGNALS

MOST_POINTS = 600
"""In a scatter plot: more become one blot."""


def draw_all(folder: Path, judged: Judged, conditions: Conditions) -> list[Path]:
    """Write the plots; returns their paths. Raises `TrainingFailed`."""
    draw_modes(folder / "modes.png", conditions)
    draw_groups(folder / "groups.png", conditions)
    (folder / "signals.png").unlink(missing_ok=True)  # of a model that had some
    paths = [folder / "modes.png", folder / "groups.png"]
    if judged.signals is not None:
        draw_signals(folder / "signals.png", judged)
        paths.append(folder / "signals.png")
    return paths


def draw_modes(path: Path, conditions: Conditions) -> None:
    """Left: how well attentive people are told from those of each mode; right: what all of them are called."""
    figure, (left, right) = new_figure(10.2, 4.2, columns=2)
    scores = sorted((score for score in conditions.modes if score.auc is not None), key=lambda score: score.auc or 0)
    places = range(len(scores))
    for place, score in zip(places, scores, strict=True):
        reached = (score.auc or 0) >= score.goal
        _draw_value(left, place, score.auc or 0, score.bounds, COLOURS[0] if reached else COLOURS[1])
        left.plot([score.goal] * 2, [place - 0.32, place + 0.32], color="black", linewidth=2, zorder=4)
    left.plot([], [], color="black", linewidth=2, label="goal")
    for colour, name in ((COLOURS[0], "reached"), (COLOURS[1], "missed")):
        left.plot([], [], "o", color=colour, label=f"{name}, with 95 % interval")
    left.set_yticks(places, [f"{score.mode} ({score.images:,})" for score in scores])
    ends = [score.bounds[0] if score.bounds else score.auc or 0 for score in scores]
    left.set(xlim=(min([0.8, *(end - 0.02 for end in ends)]), 1.003), ylim=(-0.6, len(scores) - 0.4))
    left.set(title="Attentive against others", xlabel="AUC", ylabel="mode (images)")
    left.grid(visible=False, axis="y")
    _draw_outcomes(right, conditions)
    figure.legend(loc="outside lower center", ncols=5)
    save_figure(figure, path)


def _draw_outcomes(axis: Axes, conditions: Conditions) -> None:
    rows = conditions.outcomes[::-1]
    for place, outcome in enumerate(rows):
        colour = COLOURS[5] if outcome.label else COLOURS[4]
        share = outcome.called / outcome.images
        axis.barh(place, share, color=colour, height=0.7)
        inside = share > 0.86
        axis.text(
            share - 0.01 if inside else share + 0.01, place, f"{outcome.called:,}/{outcome.images:,}", va="center",
            ha="right" if inside else "left", fontsize=8,
        )  # fmt: skip
    for colour, name in ((COLOURS[5], "attentive by the rule"), (COLOURS[4], "not attentive by the rule")):
        axis.barh([0], [0], color=colour, label=name)
    axis.set_yticks(range(len(rows)), [outcome.mode for outcome in rows])
    axis.set(title="Called attentive", xlim=(0, 1), xlabel="share of the images")
    axis.xaxis.set_major_formatter(PercentFormatter(1))
    axis.grid(visible=False, axis="y")


def draw_groups(path: Path, conditions: Conditions) -> None:
    """Balanced accuracy of each group with its interval, by family, the worst on top; and the goal below the mean."""
    families = [(family, list(found)) for family, found in groupby(_known(conditions), lambda score: score.family)]
    rows = sum(len(found) for _, found in families) + len(families)
    mean = conditions.operating.device
    figure, axis = new_figure(8, 1.5 + 0.235 * rows)
    axis.axvspan(mean - FURTHEST_BELOW, mean, color=COLOURS[2], alpha=0.12, linewidth=0, label="within 3 points below")
    axis.axvline(mean, color=COLOURS[2], linewidth=1.4, label=f"all test images, {mean:.3f}")
    place = 0.0
    ticks: list[float] = []
    names: list[str] = []
    for family, found in families:
        axis.text(
            0.003, place, family, transform=axis.get_yaxis_transform(), va="center", fontsize=9, fontweight="bold"
        )
        for score in found:
            place += 1
            colour = GREY if not score.below else COLOURS[1] if score.sure else COLOURS[4]
            _draw_value(axis, place, score.balanced_accuracy or 0, score.bounds, colour, hollow=score.few)
            ticks.append(place)
            names.append(f"{score.group} ({score.images:,}; {score.persons} people)")
        place += 1.25
    for colour, name in (
        (GREY, "no further below"), (COLOURS[4], "further below, may be chance"), (COLOURS[1], "further below, surely"),
    ):  # fmt: skip
        axis.plot([], [], "o", color=colour, label=name)
    axis.plot([], [], "o", color=GREY, markerfacecolor="white", label="too few people to judge")
    axis.set_yticks(ticks, names)
    # Those with few people may lie anywhere, and would squeeze the others together.
    judged = [score for score in _known(conditions) if not score.few]
    ends = [score.bounds[0] if score.bounds else score.balanced_accuracy or 0 for score in judged]
    lowest = max(0.0, min([mean - 0.1, *ends]) - 0.02)
    for tick, score in zip(ticks, _known(conditions), strict=True):
        if (score.balanced_accuracy or 0) < lowest:
            axis.plot([lowest], [tick], "<", color=GREY, markerfacecolor="white", markersize=6, clip_on=False)
    axis.set(xlim=(lowest, 1.005), ylim=(place - 0.9, -0.8))
    axis.set(title="Groups of the test part", xlabel="balanced accuracy, with 95 % interval by person")
    axis.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=3)
    save_figure(figure, path)


def _known(conditions: Conditions) -> list[GroupScore]:
    return [score for score in conditions.groups if score.balanced_accuracy is not None]


def _draw_value(axis: Axes, place: float, value: float, bounds: Bounds, colour: str, *, hollow: bool = False) -> None:
    if bounds is not None:
        axis.hlines(place, *bounds, color=colour, alpha=0.55, linewidth=2.5)
    inside = "white" if hollow else colour
    axis.plot([value], [place], "o", color=colour, markerfacecolor=inside, markersize=6, zorder=3)


def draw_signals(path: Path, judged: Judged) -> None:
    """What was said against what is true, a plot for each signal."""
    assert judged.signals is not None
    figure, axes = new_figure(11, 5.9, rows=2, columns=4)
    figure.suptitle("Signals on test images that show them", ha="left", x=0.01)
    random = np.random.default_rng(judged.seed)
    for index, (axis, (truth, shown)) in enumerate(zip(axes.flat, true_signals(judged.truths), strict=True)):
        signal = SIGNALS[index]
        places = random.permutation(np.flatnonzero(shown))[:MOST_POINTS]
        said, real = judged.signals[places, index], truth[places]
        if signal.unit == "probability":
            _draw_probabilities(axis, said, real)
        else:
            ends = [min(real.min(initial=0), said.min(initial=0)), max(real.max(initial=1), said.max(initial=1))]
            axis.plot(ends, ends, color=GREY, linewidth=1, linestyle="--")
            axis.plot(real, said, ".", color=COLOURS[0], alpha=0.4, markersize=5, markeredgewidth=0)
            axis.set(xlabel=f"true, {signal.unit}", ylabel="said")
        off = np.abs(judged.signals[shown, index] - truth[shown])
        error = f"{off.mean():.1f}" if signal.unit == "deg" else f"{off.mean():.2f}"
        axis.set_title(f"{signal.name}: off by {error}" if len(off) else signal.name, fontsize=10)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.yaxis.set_major_locator(MaxNLocator(5))
    save_figure(figure, path)


def _draw_probabilities(axis: Axes, said: Floats, real: Floats) -> None:
    edges = np.linspace(0, 1, 16).tolist()
    axis.hist([said[real == 0], said[real == 1]], edges, stacked=True, color=[COLOURS[5], COLOURS[1]],
              label=["open", "closed"])  # fmt: skip
    axis.set(xlabel="probability of closed eyes", ylabel="images")
    axis.legend(fontsize=8)


def draw_mode_sheet(path: Path, run: Path, model: nn.Module, judged: Judged) -> None:
    """Grad-CAM: a row for each mode, three wrong decisions and three right ones, the surest of many people."""
    test = judged.predictions
    margins = how_sure(test, judged.calibration)
    strips = []
    for mode in Mode:
        groups = [
            np.flatnonzero((judged.modes == mode) & ((judged.called == test.labels) == right))
            for right in (False, True)
        ]
        wrong = choose(groups[0], margins, test.persons, GRADCAM_COLUMNS // 2)
        right = choose(groups[1], margins, test.persons, GRADCAM_COLUMNS - len(wrong))
        title = f"{mode}: {len(wrong)} of {len(groups[0])} wrong decisions, {len(right)} of {len(groups[1])} right ones"
        strips.append(Strip(title, [*wrong, *right]))
    draw_strips(path, run, model, test, judged.calibration, rows=strips)
