"""How a face detector does on rendered people: how many it finds, whose, and how far its boxes are from Haar's.

Each picture is set into a webcam's frame at several sizes and searched as a single one. A face counts as found when
the box is on it (`training.faces.crops.BoxMap.holds`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from peer.perception.crop import Pixels
from peer.perception.detector import FaceDetector, choose
from peer.perception.face_model import FaceModel
from training.face_backdrops import backdrop
from training.face_light import photographed, relit
from training.face_scenes import FACE, HEIGHT, WIDTH, Scene
from training.faces.crops import VIEW_SIDE, BoxMap, StillDetector, find_face
from training.faces.groups import tone
from training.faces.truth import Mode, Truth

VIEW_SIDES = (128, 200, VIEW_SIDE, 560)
"""Pixels of the picture in the frame of 640x480: faces of about 80, 125, 240 and 350 pixels."""

EMPTY_FRAMES = 2000
SCENES = 2000
"""Of the validation part, to choose the threshold by."""

THRESHOLDS = tuple(round(float(one), 2) for one in np.arange(0.2, 0.81, 0.02))
ON_FACE, OFF_FACE = 0.3, 0.8
"""Shares of a face's side: an answer whose centre is nearer than the first is about it, one further away than the
second is about something else."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One picture at one size. `found`: on the face; `wrong`: on something else, instead. Where it was found, `off`:
    distance of the centre to the wanted one over the wanted side; `ratio`: side over the wanted side; `overlap`:
    intersection over union."""

    truth: Truth
    view_side: int
    found: bool
    wrong: bool
    off: float = float("nan")
    ratio: float = float("nan")
    overlap: float = float("nan")


def look_at(
    detector: StillDetector, pictures: Iterable[tuple[Truth, Pixels]], boxes: BoxMap, view_sides: Sequence[int]
) -> list[Sighting]:
    """What `detector` finds in pictures (S, S, 3) uint8 RGB, at each of the sizes."""
    return [
        sighting(detector, truth, np.ascontiguousarray(rgb[..., ::-1]), boxes, view_side)
        for truth, rgb in pictures
        for view_side in view_sides
    ]


def sighting(detector: StillDetector, truth: Truth, bgr: Pixels, boxes: BoxMap, view_side: int) -> Sighting:
    """What it finds in one of them."""
    box = find_face(detector, bgr, view_side)
    if box is None or not boxes.holds(truth, box):
        return Sighting(truth, view_side, False, box is not None)
    wanted = boxes.expected(truth)
    shared = [
        max(0.0, min(one + box.side / 2, other + wanted.side / 2) - max(one - box.side / 2, other - wanted.side / 2))
        for one, other in ((box.x, wanted.x), (box.y, wanted.y))
    ]
    both = shared[0] * shared[1]
    off = float(np.hypot(box.x - wanted.x, box.y - wanted.y)) / wanted.side
    overlap = both / (box.side**2 + wanted.side**2 - both)
    return Sighting(truth, view_side, True, False, off, box.side / wanted.side, overlap)


def summary(sightings: Sequence[Sighting]) -> dict[str, Any]:
    """Shares and errors, as JSON: found by size, and at the usual size by mode and, of attentive people, by tone."""
    usual = [one for one in sightings if one.view_side == VIEW_SIDE]
    attentive = [one for one in usual if one.truth.mode is Mode.ATTENTIVE]
    found = [one for one in usual if one.found]
    return {
        "images": len(usual),
        "found": _share(one.found for one in usual),
        "wrong": _share(one.wrong for one in usual),
        "found_by_view_side": _by((str(one.view_side), one.found) for one in sightings),
        "found_by_mode": _by((one.truth.mode.value, one.found) for one in usual),
        "found_of_attentive_by_tone": _by((tone(one.truth), one.found) for one in attentive),
        "centre_off_median": round(float(np.median([one.off for one in found])), 4) if found else None,
        "side_ratio_median": round(float(np.median([one.ratio for one in found])), 4) if found else None,
        "overlap_mean": round(float(np.mean([one.overlap for one in found])), 4) if found else None,
    }


def _by(pairs: Iterable[tuple[str, bool]]) -> dict[str, float]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return {name: _share(groups[name]) for name in sorted(groups)}


def _share(values: Iterable[bool]) -> float:
    return round(float(np.mean(list(values))), 4)


def empty_views(count: int, seed: int) -> Iterable[Pixels]:
    """(120, 160, 3) uint8 RGB without anybody."""
    random = np.random.default_rng(seed)
    cv2.setNumThreads(1)
    for _ in range(count):
        yield photographed(random, relit(random, backdrop(random, WIDTH, HEIGHT)))


@dataclass(frozen=True)
class Answers:
    """A network's scores of many scenes. `faces`: the best one on each face to be found; `others`: the best one of
    each scene that is about no face."""

    faces: Sequence[float]
    others: Sequence[float]


def answers(model: FaceModel, scenes: Iterable[Scene]) -> Answers:
    """What `model` says of scenes."""
    faces: list[float] = []
    others: list[float] = []
    for scene in scenes:
        rows = model.faces(scene.rgb)
        off = np.ones(len(rows), np.bool_)
        for x, y, side, kind in scene.faces:
            away = np.hypot(rows[:, 1] - x, rows[:, 2] - y)
            off &= away > OFF_FACE * side
            if kind == FACE:
                faces.append(float(rows[away <= ON_FACE * side, 0].max(initial=0.0)))
        others.append(float(rows[off, 0].max(initial=0.0)))
    return Answers(faces, others)


def best_threshold(said: Answers) -> float:
    """The one with the highest F1 of faces found and seen where there are none."""
    faces, others = np.array(said.faces), np.array(said.others)

    def f1(threshold: float) -> float:
        found, false = int((faces >= threshold).sum()), int((others >= threshold).sum())
        return 2 * found / (found + false + len(faces))

    return max(THRESHOLDS, key=f1)


def false_share(detector: FaceDetector, views: Iterable[Pixels]) -> float:
    """Of views without anybody, how many seem to show a face."""
    model = detector.model
    return _share(choose(model.faces(view), model.card.threshold) is not None for view in views)
