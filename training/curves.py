"""How a training went, epoch by epoch: `history.csv` and the curves of loss, accuracy and AUC."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import astuple, fields
from itertools import groupby
from pathlib import Path

from training.files import write_text
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.schedule import Row

TITLES = {"loss": "Loss", "accuracy": "Accuracy", "auc": "ROC-AUC"}


def curve_files(folder: Path) -> list[Path]:
    """Where `write_curves` puts the table and the plots."""
    return [folder / "history.csv", *(folder / f"{measure}.png" for measure in TITLES)]


def write_curves(folder: Path, history: Sequence[Row]) -> None:
    """Write the table and the plots. Raises `TrainingFailed`."""
    table, *plots = curve_files(folder)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    writer.writerows(astuple(row) for row in history)
    write_text(table, text.getvalue())
    for path, measure in zip(plots, TITLES, strict=True):
        _plot(path, measure, history)


def _plot(path: Path, measure: str, history: Sequence[Row]) -> None:
    figure, axes = new_figure(7, 4)
    epochs = range(1, len(history) + 1)
    for part, name, colour in (("train", "training", COLOURS[0]), ("val", "validation", COLOURS[1])):
        values = [getattr(row, f"{part}_{measure}") for row in history]
        axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=name)
    axes.set(xlabel="epoch", xlim=(0.5, len(history) + 0.5))
    axes.set_title(TITLES[measure], pad=20)
    axes.xaxis.get_major_locator().set_params(integer=True)
    first = 1
    for stage, rows in groupby(history, lambda row: row.stage):
        if first > 1:
            axes.axvline(first - 0.5, color=GREY, linewidth=1, linestyle="--")
        axes.annotate(
            stage, (first - 0.5, 1), (3, 3), xycoords=("data", "axes fraction"), textcoords="offset points", color=GREY
        )
        first += len(list(rows))
    axes.legend()
    save_figure(figure, path)
