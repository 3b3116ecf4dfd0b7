"""Where a face is in a rendered picture: by OpenCV's Haar cascade, and by the truth where that loses it.

In life people sit before a webcam: each picture is set into such a frame and searched as a single one.
Haar's frontal cascade loses most turned heads, which a network must see all the same (in life, the window holds some
frames of them). Their boxes come from a map that is fitted to the faces which were found: truth -> box. The same map
tells a box on a face from one on an ear: a false detection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from peer.perception.crop import Box, Pixels
from training.faces.truth import Truth

Floats = NDArray[np.float64]

FRAME_WIDTH, FRAME_HEIGHT = 640, 480
VIEW_SIDE = 384
"""Pixels of the picture in the frame: heads are then as large as before a laptop. From 200 to 480 the recall is the
same within two points."""

FURTHEST = 0.3
"""Of the expected box's side: a box whose centre is further away holds something else. On faces the median is 0.02
and the 95th percentile 0.1; from there to 0.3 there are few, and behind it eyes, ears and walls."""

MOST_RATIO = 1.6
"""Between the sides of the found and the expected box, either way. On faces the 95th percentile is 1.3."""

FEWEST_TO_FIT = 64
"""Found faces, eight for each number of the map; with fewer `USUAL` is taken."""

ROUNDS = 20
"""Of reweighting: the weights stand still after about ten."""

BEND = 4.685
"""Tukey's biweight: deviations beyond which a face has no say, for 95 % of the efficiency of least squares."""

MEDIAN_TO_SIGMA = 1.4826
SMALLEST = 1e-3
"""Of deviations, in sides of the head box: no map is better than this."""


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A square by its centre and side, fractions of the picture's side."""

    x: float
    y: float
    side: float

    def in_pixels(self, picture_side: int) -> Box:
        """As the product's crop takes it."""
        side = self.side * picture_side
        return Box(self.x * picture_side - side / 2, self.y * picture_side - side / 2, side)


class StillDetector(Protocol):
    """Finds a face in a single picture: `HaarDetector`, and peers' own."""

    def detect_still(self, bgr: Pixels) -> Box | None:
        """The largest face of (H, W, 3) uint8 BGR, in its pixels, or None."""
        ...


def find_face(detector: StillDetector, bgr: Pixels, view_side: int = VIEW_SIDE) -> FaceBox | None:
    """The largest face of the picture (S, S, 3) uint8, seen as a webcam would show it, or None.

    `view_side`: pixels of the picture in the webcam's frame.
    """
    scale = view_side / bgr.shape[0]
    left, top = (FRAME_WIDTH - view_side) / 2, (FRAME_HEIGHT - view_side) / 2
    # The picture's edge is continued: a bar would be an edge, and the cascade finds faces in those.
    place = np.array([[scale, 0, left], [0, scale, top]])
    frame = cv2.warpAffine(bgr, place, (FRAME_WIDTH, FRAME_HEIGHT), borderMode=cv2.BORDER_REPLICATE)
    box = detector.detect_still(frame)  # type: ignore[arg-type]
    if box is None:
        return None
    return FaceBox(
        (box.left + box.side / 2 - left) / view_side, (box.top + box.side / 2 - top) / view_side, box.side / view_side
    )


@dataclass(frozen=True)
class BoxMap:
    """Truth -> the box that the detector would give. `coefficients`: (8, 3), of `features` to `targets`."""

    coefficients: Floats
    faces: int
    """That it was fitted to; 0 where there were too few."""

    def expected(self, truth: Truth) -> FaceBox:
        """Where the face is."""
        across, along, size = features(truth) @ self.coefficients
        x, y, unit = _head(truth)
        return FaceBox(float(x + across * unit), float(y + along * unit), float(np.exp(size) * unit))

    def holds(self, truth: Truth, found: FaceBox) -> bool:
        """Whether `found` is on the face."""
        expected = self.expected(truth)
        away = np.hypot(found.x - expected.x, found.y - expected.y)
        ratio = max(found.side / expected.side, expected.side / found.side)
        return bool(away <= FURTHEST * expected.side and ratio <= MOST_RATIO)


USUAL = np.array(
    [
        [0.0, 0.14, 0.14], [0.85, 0.04, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0],
    ]
)  # fmt: skip
"""The map where too few faces were found: below the middle of the eyes, a little wider than the head box."""


def fit_boxes(truths: Sequence[Truth], found: Sequence[FaceBox | None]) -> BoxMap:
    """The map that fits the found boxes best; those that hold something else have no say.

    Iteratively reweighted least squares with Tukey's biweight (Holland & Welsch, "Robust regression using iteratively
    reweighted least-squares", Commun. Stat. 6, 1977).
    """
    pairs = [(truth, box) for truth, box in zip(truths, found, strict=True) if box is not None]
    if len(pairs) < FEWEST_TO_FIT:
        return BoxMap(USUAL, 0)
    inputs = np.array([features(truth) for truth, _ in pairs])
    outputs = np.array([targets(truth, box) for truth, box in pairs])
    weights = np.ones(len(pairs))
    coefficients = USUAL
    for _ in range(ROUNDS):
        roots = np.sqrt(weights)[:, None]
        coefficients = np.linalg.lstsq(inputs * roots, outputs * roots, rcond=None)[0]
        off = np.abs(outputs - inputs @ coefficients)
        usual = np.maximum(MEDIAN_TO_SIGMA * np.median(off, axis=0), SMALLEST)
        far = np.sqrt(np.square(off / usual).mean(axis=1)) / BEND
        weights = np.where(far < 1, np.square(1 - np.square(np.minimum(far, 1))), 0.0)
    return BoxMap(coefficients, len(pairs))


def features(truth: Truth) -> Floats:
    """(8,): 1, the middle of the eyes and the shape of the head box in its own units, and the pose."""
    x, y, unit = _head(truth)
    left, top, right, bottom = truth.head_box
    eyes = np.mean(truth.eyes_xy, axis=0)
    yaw, pitch, roll = np.sin(np.radians([truth.yaw, truth.pitch, truth.roll]))
    shape = np.log((right - left) / (bottom - top))
    return np.array([1.0, (eyes[0] - x) / unit, (eyes[1] - y) / unit, shape, yaw, pitch, abs(yaw), roll])


def targets(truth: Truth, box: FaceBox) -> Floats:
    """(3,): centre of the box from that of the head box, and the logarithm of its side, in units of the head box."""
    x, y, unit = _head(truth)
    return np.array([(box.x - x) / unit, (box.y - y) / unit, np.log(box.side / unit)])


def _head(truth: Truth) -> tuple[float, float, float]:
    """Centre and size of the head box, the size being that of a square as large."""
    left, top, right, bottom = truth.head_box
    return (left + right) / 2, (top + bottom) / 2, float(np.sqrt((right - left) * (bottom - top)))
