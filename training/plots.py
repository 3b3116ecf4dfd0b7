"""The one look of every plot: what a figure starts with, its colours, and how it is saved.

Figures are made and saved without pyplot, which keeps figures and a window system behind one's back. Importing this
module sets Matplotlib's defaults, since texts take their size when they are made.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.figure import Figure

from training.files import writing

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""For lines and areas, in this order: told apart by colourblind people too (Okabe & Ito, "Color Universal Design",
2008; without their yellow, which is lost on white)."""

GREY = "#6B6B6B"
"""For what a plot is compared with: chance, a baseline."""

PIXELS_PER_INCH = 150

mpl.rcParams.update(
    {
        "axes.axisbelow": True,
        "axes.grid": True,
        "axes.labelsize": 10,
        "axes.prop_cycle": cycler(color=COLOURS),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "figure.titlesize": 12,
        "figure.titleweight": "bold",
        "font.size": 10,
        "grid.color": "#E3E3E3",
        "grid.linewidth": 0.8,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "lines.linewidth": 1.8,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
    }
)


def new_figure(
    width_in: float, height_in: float, rows: int = 1, columns: int = 1, height_ratios: Sequence[float] | None = None
) -> tuple[Figure, Any]:
    """A figure of that size in inches and its axes, as `Figure.subplots` gives them: one alone, or an array."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    return figure, figure.subplots(rows, columns, height_ratios=height_ratios)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure in the format of `path`'s suffix. Raises `TrainingFailed`."""
    with writing(path) as aside:
        figure.savefig(aside, dpi=PIXELS_PER_INCH)
