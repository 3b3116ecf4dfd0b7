"""How a training on rendered people went, epoch by epoch: `history.csv` and three pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path

from training.files import write_text
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.tabular import as_csv

SEEN = ("epoch", "side", "lr", "train_loss", "val_loss", "val_auc", "seconds", "images_per_s")
PLOTS: dict[str, dict[str, str]] = {
    "loss": {"train_loss": "training", "val_loss": "validation"},
    "auc": {"val_auc": "attentive or not"},
    "angles": {
        "yaw": "head, yaw", "pitch": "head, pitch", "gaze_yaw_averted": "gaze aside, yaw",
        "gaze_pitch_averted": "gaze aside, pitch",
    },
}  # fmt: skip
"""By file: the columns drawn, and what they are called."""

TITLES = {"loss": "Loss", "auc": "ROC-AUC on validation", "angles": "Mean error on validation, degrees"}


@dataclass(frozen=True)
class Row:
    """One epoch. Errors are mean absolute ones on validation pictures, in the signals' units; gaze also by itself
    where the eyes leave the head's direction."""

    epoch: int
    side: int
    lr: float
    train_loss: float
    val_loss: float
    val_auc: float
    yaw: float
    pitch: float
    lid_left: float
    lid_right: float
    gaze_yaw: float
    gaze_pitch: float
    mouth_open: float
    closed: float
    gaze_yaw_averted: float
    gaze_pitch_averted: float
    seconds: float
    images_per_s: float

    @staticmethod
    def errors() -> list[str]:
        """The columns that are errors of signals."""
        return [field.name for field in fields(Row) if field.name not in SEEN]

    def __str__(self) -> str:
        """For people: what was learnt, how fast."""
        return (
            f"{self.side} px, loss {self.train_loss:.3f}, validation {self.val_loss:.3f}, AUC {self.val_auc:.4f},"
            f" yaw {self.yaw:.1f}, pitch {self.pitch:.1f}, gaze aside {self.gaze_yaw_averted:.1f} and"
            f" {self.gaze_pitch_averted:.1f} deg, lids {(self.lid_left + self.lid_right) / 2:.3f},"
            f" {self.seconds:.1f} s, {self.images_per_s:.0f} images/s"
        )


def curve_files(folder: Path) -> list[Path]:
    """Where `write_curves` puts the table and the pictures."""
    return [folder / "history.csv", *(folder / f"{name}.png" for name in PLOTS)]


def write_curves(folder: Path, history: Sequence[Row]) -> None:
    """Write the table and the pictures. Raises `TrainingFailed`."""
    write_text(folder / "history.csv", as_csv([field.name for field in fields(Row)], map(astuple, history)))
    for name, columns in PLOTS.items():
        figure, axes = new_figure(7, 4)
        epochs = [row.epoch for row in history]
        for colour, (column, title) in zip(COLOURS, columns.items(), strict=False):
            values = [getattr(row, column) for row in history]
            axes.plot(epochs, values, color=colour, marker="o", markersize=3, label=title)
        for before, after in pairwise(history):
            if after.side != before.side:
                axes.axvline(before.epoch + 0.5, color=GREY, linewidth=1, linestyle="--")
                axes.annotate(
                    f"{after.side} px", (before.epoch + 0.5, 1), (3, 3), xycoords=("data", "axes fraction"),
                    textcoords="offset points", color=GREY,
                )  # fmt: skip
        axes.set(xlabel="epoch", xlim=(0.5, len(history) + 0.5))
        axes.set_title(TITLES[name], pad=20)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
        save_figure(figure, folder / f"{name}.png")
