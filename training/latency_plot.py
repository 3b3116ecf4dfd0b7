"""The picture of `compare`: accuracy against time, every model with its name and size beside its point."""

from __future__ import annotations

import math
import textwrap
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from training.label_layout import Rectangle, place_labels
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.tables import PART_NAMES, Row
from training.variants import BASELINE

FAMILIES = {
    "FP32": COLOURS[0],
    "INT8": COLOURS[1],
    "unstructured pruning": COLOURS[2],
    "structural pruning": COLOURS[3],
}
MARKERS = {"torch": "o", "fx": "s", "onnx": "D"}
RUNTIMES = {"torch": "torch", "fx": "torch, FX INT8", "onnx": "ONNX Runtime"}
GAP_POINTS = 8.0
"""Models that are worse by more than this go into a panel of their own, or the good ones could not be told apart."""

LABEL_CHARACTERS = 26
TIE_PIXELS = 18
"""A label that is farther from its point than this is tied to it by a line."""

TICKS_MS = tuple(digit * 10.0**power for power in range(-3, 5) for digit in (1, 2, 5))


def draw_comparison(comparison: dict[str, Any], path: Path) -> None:
    """Write the plot. Raises `TrainingFailed`."""
    panels = in_panels(comparison["variants"])
    figure, axes = new_figure(10.0, 7.5 if len(panels) > 1 else 6.5, rows=len(panels))
    column: list[Axes] = list(axes) if len(panels) > 1 else [axes]
    for axis, rows in zip(column, panels, strict=True):
        draw_points(axis, rows, comparison["variants"])
    if len(panels) > 1:
        column[0].tick_params(labelbottom=False)
        column[1].set_title("Those that lose much, on a scale of their own", fontsize=9, fontweight="normal")
    column[0].set_title(
        f"Accuracy on the {PART_NAMES[comparison['part']]} part ({comparison['images']:,} images of"
        f" {comparison['persons']} persons) against time"
    )
    column[-1].set_xlabel("CPU time per image at batch 5, one thread (ms, logarithmic)")
    figure.supylabel("Accuracy (%)", fontsize=10)
    figure.legend(handles=legend_marks(comparison["variants"]), loc="outside lower center", ncols=4)
    figure.draw_without_rendering()  # labels need to know where points are in pixels
    for axis, rows in zip(column, panels, strict=True):
        write_labels(axis, rows)
    save_figure(figure, path)


def in_panels(rows: list[Row]) -> list[list[Row]]:
    """All in one, or the good ones, the FP32 model among them, and those that are worse by a wide gap."""
    ranked = sorted(rows, key=lambda row: -float(row["accuracy"]))
    whole = next(index for index, row in enumerate(ranked) if row["name"] == BASELINE)
    for index, (better, worse) in enumerate(pairwise(ranked)):
        if index >= whole and 100 * (better["accuracy"] - worse["accuracy"]) > GAP_POINTS:
            return [ranked[: index + 1], ranked[index + 1 :]]
    return [ranked]


def draw_points(axis: Axes, rows: list[Row], all_rows: list[Row]) -> None:
    """The points of one panel; the time axis has room for all models, so that panels stand under one another."""
    for row in rows:
        axis.plot(
            row["ms_batch5"], 100 * row["accuracy"], MARKERS[row["runtime"]], color=FAMILIES[family(row)],
            markersize=8, markeredgecolor="white", markeredgewidth=0.8, zorder=3,
        )  # fmt: skip
    times = [row["ms_batch5"] for row in all_rows]
    axis.set_xscale("log")
    axis.set_xlim(min(times) / 1.9, max(times) * 1.9)
    low, high = axis.get_xlim()
    ticks = [tick for tick in TICKS_MS if low <= tick <= high]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.xaxis.set_minor_locator(NullLocator())
    values = [100 * row["accuracy"] for row in rows]
    room = max(0.45 * (max(values) - min(values)), 0.5)
    axis.set_ylim(min(values) - room, max(values) + room)
    axis.set_yticks([tick for tick in axis.get_yticks() if min(values) - room <= tick <= 100])


def write_labels(axis: Axes, rows: list[Row]) -> None:
    """Names and sizes beside the points, each tied to its own by a thin line."""
    texts = [axis.text(0, 0, label_of(row), fontsize=8, linespacing=1.15, va="bottom") for row in rows]
    sizes = [(box.width, box.height) for box in (text.get_window_extent() for text in texts)]
    pixels = axis.transData.transform([(row["ms_batch5"], 100 * row["accuracy"]) for row in rows])
    points = [(float(x), float(y)) for x, y in pixels]
    frame = axis.get_window_extent()
    inside = Rectangle(frame.x0, frame.y0, frame.x1, frame.y1)
    to_data = axis.transData.inverted()
    for text, point, place in zip(texts, points, place_labels(points, sizes, inside), strict=True):
        x, y = to_data.transform((place.left, place.bottom))
        text.set_position((float(x), float(y)))
        near = place.nearest(point)
        if math.dist(point, near) > TIE_PIXELS:
            ends = to_data.transform([point, near])
            axis.plot(*ends.T, color=GREY, linewidth=0.7, zorder=2)


def label_of(row: Row) -> str:
    """Two or three short lines."""
    return "\n".join(
        [*textwrap.wrap(row["title"], LABEL_CHARACTERS, break_on_hyphens=False), f"{row['size_mb']:.2f} MB"]
    )


def family(row: Row) -> str:
    """What was done to the model; it decides the colour."""
    for kind in ("unstructured", "structural"):
        if row["origin"].startswith(kind):
            return f"{kind} pruning"
    return "INT8" if "int8" in row["name"] else "FP32"


def legend_marks(rows: list[Row]) -> list[Line2D]:
    """Colours, then shapes, of what is there."""
    families = [name for name in FAMILIES if any(family(row) == name for row in rows)]
    runtimes = [name for name in RUNTIMES if any(row["runtime"] == name for row in rows)]
    colours = [Line2D([], [], linestyle="", marker="o", markersize=8, color=FAMILIES[name]) for name in families]
    shapes = [Line2D([], [], linestyle="", marker=MARKERS[name], markersize=7, color=GREY) for name in runtimes]
    for mark, name in zip([*colours, *shapes], [*families, *(RUNTIMES[name] for name in runtimes)], strict=True):
        mark.set_label(name)
    return [*colours, *shapes]
