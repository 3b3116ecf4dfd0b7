"""`faces/index.csv`: one line per face that was cut from the videos, in the order of person, clip and frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from training.errors import TrainingFailed
from training.files import write_text
from training.splits import Part

INDEX_FILE = "faces/index.csv"


@dataclass(frozen=True, slots=True)
class Face:
    """One crop. `file`: relative to the run folder; `part`: DAiSEE's own; `engagement`: 0 to 3, of its clip;
    `label`: 1 is attentive; `left`, `top`, `side`: the detector's box in pixels of the frame."""

    file: str
    person: str
    clip: str
    part: Part
    engagement: int
    label: int
    frame: int
    time_s: float
    left: float
    top: float
    side: float


def write_index(run: Path, faces: Iterable[Face]) -> Path:
    """Write the index of a run folder and return its path. Raises `TrainingFailed`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Face))
    writer.writerows(astuple(face) for face in faces)
    path = run / INDEX_FILE
    write_text(path, text.getvalue())
    return path


def read_index(run: Path) -> list[Face]:
    """The faces of a run folder. Raises `TrainingFailed`."""
    path = run / INDEX_FILE
    kinds = {"engagement": int, "label": int, "frame": int, "time_s": float, "left": float, "top": float, "side": float}
    try:
        with path.open(newline="") as stream:
            return [
                Face(**{name: kinds.get(name, str)(value) for name, value in row.items()})
                for row in csv.DictReader(stream)
            ]
    except OSError as error:
        raise TrainingFailed(f"expected the faces' index at {path}, got: {error.strerror or error}") from error
    except (TypeError, ValueError, csv.Error) as error:
        raise TrainingFailed(f"expected the faces' index at {path}, got another file: {error}") from error
