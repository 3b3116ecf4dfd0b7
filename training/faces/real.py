"""A model on pictures of real people: whether what was learnt from rendered ones holds for somebody with a pulse.

For checking only: nothing is trained on these people, no threshold is chosen by them, and no picture of them is
written. In: an `.npz` file in the form of the CMU Face Images as docs/training.md tells it, and the model that a
device runs. Out: numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Box, Pixels, crop_face
from training.bootstrap import LEVEL, Intervals, bootstrap_intervals, check_resamples
from training.errors import TrainingFailed
from training.files import check_unpacked, write_json
from training.metrics import Floats, Labels, binary_metrics
from training.tabular import markdown_table

STRAIGHT = "straight"
MAX_BYTES = 1 << 30
"""Of all arrays: the CMU Face Images have 2.5 MB."""
ARRAYS = ("images", "person", "pose", "sunglasses")
CENTRE = (31.0, 26.0)
"""Pixels, x and y, in the 64x60 pictures of the CMU Face Images at half resolution: all heads are about there."""

SIDES = (18.0, 19.25, 20.5, 21.75, 23.0)
"""Of the face box, pixels: five, as a device looks five times before it decides, and boxes are never twice the same."""

ENLARGED = 4
"""The pictures first: boxes are then not rounded to pixels that are a twentieth of a face."""

REPORTED = ("roc_auc", "balanced_accuracy", "recall", "specificity")


@dataclass(frozen=True)
class RealConfig:
    """The command's options. `faces`: the pictures; `out`: a JSON file for the numbers, or None."""

    faces: Path
    model: Path
    out: Path | None
    bootstrap: int
    seed: int


@dataclass(frozen=True)
class RealFaces:
    """`images`: (N, H, W) uint8 grey; `persons`: (N,); `poses`: (N,) "straight" or another; `sunglasses`: (N,) bool."""

    images: Pixels
    persons: Sequence[str]
    poses: NDArray[np.str_]
    sunglasses: NDArray[np.bool_]

    @property
    def labels(self) -> Labels:
        """(N,): 1 is straight."""
        return np.asarray(self.poses == STRAIGHT, np.int64)


@dataclass(frozen=True)
class Subset:
    """Some of the people's pictures: "straight" against the other poses, at the model's own threshold."""

    name: str
    images: int
    persons: int
    metrics: dict[str, float]
    intervals: Intervals

    def text(self, metric: str) -> str:
        """With its interval, if there is one."""
        bounds = self.intervals.bounds.get(metric)
        return f"{self.metrics[metric]:.3f}" + (f" ({bounds[0]:.3f} to {bounds[1]:.3f})" if bounds else "")


@dataclass(frozen=True)
class PoseRow:
    """One pose with or without sunglasses. `called`: share of the images called attentive."""

    pose: str
    sunglasses: bool
    images: int
    called: float
    mean_probability: float


def run(config: RealConfig) -> None:
    """Check the model and say what came out. Raises `TrainingFailed`, and `ModelUnavailable` for the model."""
    check_resamples(config.bootstrap)
    faces = read_faces(config.faces)
    classifier = AttentionClassifier(config.model)
    probabilities = score(classifier, faces)
    threshold = classifier.card.threshold
    subsets = [
        subset(name, faces, probabilities, which, threshold, config)
        for name, which in (
            ("without sunglasses", ~faces.sunglasses),
            ("with sunglasses", faces.sunglasses),
            ("all", np.ones(len(faces.images), np.bool_)),
        )
        if 0 < faces.labels[which].sum() < which.sum()
    ]
    rows = pose_rows(faces, probabilities, threshold)
    for line in report(subsets, rows, threshold):
        typer.echo(line)
    if config.out is not None:
        write_json(config.out, as_json(config, classifier, subsets, rows))
        typer.echo(f"numbers: {config.out}")


def read_faces(path: Path) -> RealFaces:
    """The pictures of an `.npz` file. Raises `TrainingFailed` where it is missing or of another form."""
    form = f"{', '.join(ARRAYS)} as docs/training.md tells"
    try:
        check_unpacked(path, MAX_BYTES)
        with np.load(path, allow_pickle=False) as arrays:
            images, person, poses, sunglasses = (np.atleast_1d(arrays[name]) for name in ARRAYS)
    except OSError as error:
        raise TrainingFailed(f"expected real faces at {path}, got: {error.strerror or error}") from error
    except Exception as error:  # whatever zipfile, zlib and NumPy's reader of headers raise
        raise TrainingFailed(f"expected an .npz file with {form} at {path}, got: {error}") from error
    shapes = {(len(images),), person.shape, poses.shape, sunglasses.shape}
    if images.ndim != 3 or images.dtype != np.uint8 or len(shapes) != 1 or sunglasses.dtype != np.bool_:
        raise TrainingFailed(
            f"expected images (n, H, W) uint8 with a person, a pose and sunglasses (bool) for each at {path}, got"
            f" images {images.shape} {images.dtype}, person {person.shape}, pose {poses.shape}, sunglasses"
            f" {sunglasses.shape} {sunglasses.dtype}"
        )
    faces = RealFaces(images, [str(one) for one in person], poses.astype(np.str_), sunglasses)
    if not 0 < faces.labels.sum() < len(faces.labels):
        raise TrainingFailed(f"expected faces that are {STRAIGHT!r} and others at {path}, got {sorted(set(poses))}")
    return faces


def score(classifier: AttentionClassifier, faces: RealFaces) -> Floats:
    """(N,) probabilities, each the mean over boxes of all `SIDES`, as a device's window takes it."""
    x, y = (ENLARGED * centre for centre in CENTRE)
    boxes = [Box(x - ENLARGED * side / 2, y - ENLARGED * side / 2, ENLARGED * side) for side in SIDES]
    means = []
    for grey in faces.images:
        large = cv2.resize(grey, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_LINEAR)
        bgr = np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)
        means.append(np.mean([classifier.score(crop_face(bgr, box, classifier.card.crop_scale)) for box in boxes]))
    return np.array(means, np.float64)


def subset(
    name: str, faces: RealFaces, probabilities: Floats, which: NDArray[np.bool_], threshold: float, config: RealConfig
) -> Subset:  # fmt: skip
    """How well straight faces are told from the others among some of them. Raises `TrainingFailed`."""
    labels, scores = faces.labels[which], probabilities[which]
    persons = [faces.persons[place] for place in np.flatnonzero(which).tolist()]
    intervals = bootstrap_intervals(
        labels, scores, persons, threshold=threshold, resamples=config.bootstrap, seed=config.seed
    )
    metrics = binary_metrics(labels, scores, threshold)
    kept = {metric: metrics[metric] for metric in REPORTED}
    return Subset(name, len(labels), len(set(persons)), kept, intervals)


def pose_rows(faces: RealFaces, probabilities: Floats, threshold: float) -> list[PoseRow]:
    """Every pose, straight first, without and with sunglasses."""
    rows = []
    for pose in sorted(set(faces.poses.tolist()), key=lambda pose: (pose != STRAIGHT, pose)):
        for sunglasses in (False, True):
            which = (faces.poses == pose) & (faces.sunglasses == sunglasses)
            if which.any():
                called = float((probabilities[which] >= threshold).mean())
                rows.append(PoseRow(pose, sunglasses, int(which.sum()), called, float(probabilities[which].mean())))
    return rows


def report(subsets: Sequence[Subset], rows: Sequence[PoseRow], threshold: float) -> list[str]:
    """What the terminal shows: two tables."""
    header = ["Straight against turned and up", "Images", "People", "AUC", "Balanced accuracy",
              "Straight called attentive", "Others not called so"]  # fmt: skip
    scores = [
        [found.name, str(found.images), str(found.persons), *(found.text(metric) for metric in REPORTED)]
        for found in subsets
    ]
    poses = [
        [row.pose, "yes" if row.sunglasses else "no", str(row.images), f"{row.called:.1%}",
         f"{row.mean_probability:.3f}"]
        for row in rows
    ]  # fmt: skip
    notes = sorted({found.intervals.note for found in subsets if found.intervals.note})
    return [
        markdown_table(header, scores),
        f"at the model's threshold, {threshold:g}; in brackets {LEVEL:.0%} intervals by person"
        + "".join(f"; {note}" for note in notes),
        "",
        markdown_table(["Pose", "Sunglasses", "Images", "Called attentive", "Mean probability"], poses, words=(0, 1)),
    ]


def as_json(
    config: RealConfig, classifier: AttentionClassifier, subsets: Sequence[Subset], rows: Sequence[PoseRow]
) -> dict[str, Any]:
    """For a model card: numbers alone, nothing of the people."""
    return {
        "faces": config.faces.name,
        "model_sha256": classifier.card.sha256,
        "threshold": classifier.card.threshold,
        "subsets": {
            found.name: {
                "images": found.images,
                "persons": found.persons,
                "metrics": found.metrics,
                "intervals_95": {name: found.intervals.bounds.get(name) for name in REPORTED},
            }
            for found in subsets
        },
        "poses": [asdict(row) for row in rows],
    }
