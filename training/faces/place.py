"""Rendered images with all that is decided of them: label, part, box; and the crops and pictures cut by it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from peer.perception.crop import Pixels, crop_face
from training.errors import TrainingFailed
from training.faces.crops import BoxMap, FaceBox
from training.faces.folder import Shot, person_name
from training.faces.label import LabelRule
from training.faces.look import Sighting
from training.faces.pictures import SIDE, crop_file, to_side, writing_images
from training.faces.truth import Truth
from training.files import write_bytes, write_text
from training.images import read_image, to_jpeg
from training.index import INDEX_FILE
from training.pool import each
from training.splits import Part, Sample


class Sight(StrEnum):
    """Whose box a face has: the detector's, or the truth's where that found something else, or nothing."""

    FOUND = "found"
    WRONG = "wrong"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Placed:
    """One usable image. `box`: the one that is cut; `wrong`: what the detector took for a face, if that was not it."""

    shot: Shot
    label: int
    part: Part
    sight: Sight
    box: FaceBox
    wrong: FaceBox | None

    @property
    def truth(self) -> Truth:
        """What is known of it."""
        return self.shot.truth

    @property
    def file(self) -> str:
        """Its crop, in the run folder."""
        return crop_file(self.truth, self.label)

    def sample(self) -> Sample:
        """As the splits have it; a scene is what a clip is in videos."""
        return Sample(self.file, person_name(self.truth), self.truth.scene, self.label)


def place(shot: Shot, sighting: Sighting, part: Part, boxes: BoxMap, rule: LabelRule) -> Placed:
    """Decide whose box it is."""
    expected, found = boxes.expected(shot.truth), sighting.box
    label = int(rule.attentive(shot.truth))
    if found is None:
        return Placed(shot, label, part, Sight.LOST, expected, None)
    if boxes.holds(shot.truth, found):
        return Placed(shot, label, part, Sight.FOUND, found, None)
    return Placed(shot, label, part, Sight.WRONG, expected, found)


@dataclass(frozen=True, slots=True)
class Cutting:
    """One image to cut. `place`: in the pictures; `file`: of its crop."""

    place: int
    source: Path
    box: FaceBox
    crop_scale: float
    run: Path
    file: str


def cut_all(run: Path, placed: Sequence[Placed], crop_scale: float, jobs: int | None) -> NDArray[np.float32]:
    """Write the product's crops and the pictures; the boxes in the latter's pixels, (N, 3). Raises `TrainingFailed`."""
    tasks = [Cutting(number, one.shot.path, one.box, crop_scale, run, one.file) for number, one in enumerate(placed)]
    with (
        tqdm(desc="cut faces", total=len(tasks), unit="image", disable=None) as progress,
        writing_images(run, len(tasks)) as put,
        closing(each(cut, tasks, jobs)) as results,
    ):
        for number, picture in results:
            put(number, picture)
            progress.update()
    return SIDE * np.array([(one.box.x, one.box.y, one.box.side) for one in placed], np.float32)


def cut(task: Cutting) -> tuple[int, Pixels]:
    """Write one crop; the image's place, and the whole of it for the pictures. Raises `TrainingFailed`."""
    bgr = read_image(task.source)
    if bgr is None:
        raise TrainingFailed(
            f"expected the image {task.source}, which was there a moment ago, got none: run the command again"
        )
    write_bytes(task.run / task.file, to_jpeg(crop_face(bgr, task.box.in_pixels(bgr.shape[0]), task.crop_scale)))
    return task.place, to_side(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))


def write_faces(run: Path, placed: Sequence[Placed]) -> Path:
    """`faces/index.csv`: a line for each crop; the box in fractions of the picture. Raises `TrainingFailed`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "id", "person", "scene", "mode", "label", "part", "box", "x", "y", "side"))
    for one in placed:
        truth = one.truth
        where = (one.box.x, one.box.y, one.box.side)  # not rounded: boxes lie on halves of pixels
        words = (person_name(truth), truth.scene, truth.mode, one.label, one.part, one.sight)
        writer.writerow((one.file, truth.id, *words, *where))
    path = run / INDEX_FILE
    write_text(path, text.getvalue())
    return path
