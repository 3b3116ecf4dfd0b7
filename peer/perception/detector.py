"""Finds the largest face of a frame with a small network of our own, and stays with it from frame to frame.

A face that is small in the frame is looked for round the last box first, in a view that makes it larger; where that
holds none, in the whole frame. Views come in steps of size and place, so that a face that hardly moves is seen in the
very same view again: then its box stands still, which a view that follows each box would not let it. Browsers do the
same with the same model (static/perception).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from peer.perception.crop import Box, Pixels
from peer.perception.face_model import VIEW_HEIGHT, VIEW_WIDTH, FaceModel, Faces

NEAR_SIDES = 2.5
"""Least height of the view round the last box, in its sides: a head may move by half its width from look to look."""
ZOOMS_PER_OCTAVE = 2
"""Steps of size: each view shows faces 1.41 times as large as the one before."""
PLACES = 8
"""Steps of place: the middle of a view lies on a grid of this share of its height."""

SAME_PLACE, SAME_SIZE = 0.25, 1.5
"""Answers mean the same face when their centres are within this share of its side, and their sides within this
factor: their mean stands stiller than any of them."""
SURE_SHARE = 0.6
"""Of the best score in a view: faces are scored alike, and what is a face by a hair beside a sure one is none."""
KEPT_SHARE = 0.9
"""Of the threshold: less is enough for a face where one just was, so that turned heads stay and posters don't come."""
MOVED = 0.5
"""The followed face stays chosen beside a larger one while its centre moves by less than this share of its side."""


@dataclass(frozen=True, slots=True)
class View:
    """A part of a frame as the model sees it. `rgb`: (120, 160, 3) uint8; a pixel of it is `scale` pixels of the
    frame, and its corner lies at `left`, `top` of the frame, outside where there are black bars."""

    rgb: Pixels
    left: float
    top: float
    scale: float

    def to_frame(self, box: Box) -> Box:
        """A box of this view in pixels of the frame."""
        return Box(self.left + box.left * self.scale, self.top + box.top * self.scale, box.side * self.scale)

    def from_frame(self, box: Box) -> Box:
        """The other way round."""
        return Box((box.left - self.left) / self.scale, (box.top - self.top) / self.scale, box.side / self.scale)


class FaceDetector:
    """Follows the largest face from frame to frame; not thread-safe."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._last: Box | None = None

    def reset(self) -> None:
        """Forget the last face: the next frame has nothing to do with the one before."""
        self._last = None

    def detect(self, bgr: Pixels) -> Box | None:
        """The largest face of `bgr`, (H, W, 3) uint8, in its pixels, or None."""
        self._last = (self._near(bgr, self._last) if self._last else None) or self._anywhere(bgr, self._last)
        return self._last

    def detect_still(self, bgr: Pixels) -> Box | None:
        """The largest face of a single picture: the same search without a past, which it leaves alone."""
        return self._anywhere(bgr, None)

    def _anywhere(self, bgr: Pixels, last: Box | None) -> Box | None:
        """In the whole frame; a small face that is found there is looked at once more, larger."""
        found = self._find(whole(bgr), last)
        return None if found is None else self._near(bgr, found) or found

    def _near(self, bgr: Pixels, last: Box) -> Box | None:
        view = surroundings(bgr, last)
        return None if view is None else self._find(view, last)

    def _find(self, view: View, last: Box | None) -> Box | None:
        box = choose(
            self.model.faces(view.rgb), self.model.card.threshold, None if last is None else view.from_frame(last)
        )
        return None if box is None else view.to_frame(box)


def choose(faces: Faces, threshold: float, last: Box | None = None) -> Box | None:
    """Of `faces`, (N, 4), the one that was at `last`, or else the largest, as the mean of all rows that mean it.

    Rows count with a score from `threshold` on and not far below the best one; those of the followed face from
    `KEPT_SHARE` of it on.
    """
    rows = faces.astype(np.float64)
    least = SURE_SHARE * float(rows[:, 0].max())
    if last is not None:
        kept = rows[rows[:, 0] >= max(KEPT_SHARE * threshold, least)]
        followed = kept[_near(kept, last.centre, MOVED * last.side) & _alike(kept, last.side)]
        if len(followed):
            return _mean_of_largest(followed, kept)
    sure = rows[rows[:, 0] >= max(threshold, least)]
    return _mean_of_largest(sure, sure) if len(sure) else None


def _mean_of_largest(pool: NDArray[np.float64], rows: NDArray[np.float64]) -> Box:
    """The largest of `pool`, as the mean of those of `rows` that mean the same face."""
    _, x, y, side = pool[pool[:, 3].argmax()]
    same = rows[_near(rows, (x, y), SAME_PLACE * side) & _alike(rows, side)]
    x, y, side = (float(one) for one in np.average(same[:, 1:], axis=0, weights=same[:, 0]))
    return Box(x - side / 2, y - side / 2, side)


def _near(faces: NDArray[np.float64], centre: tuple[float, float], most: float) -> NDArray[np.bool_]:
    return np.asarray(np.hypot(faces[:, 1] - centre[0], faces[:, 2] - centre[1]) <= most)


def _alike(faces: NDArray[np.float64], side: float) -> NDArray[np.bool_]:
    return np.asarray((faces[:, 3] * SAME_SIZE >= side) & (faces[:, 3] <= side * SAME_SIZE))


def whole(bgr: Pixels) -> View:
    """All of a frame, (H, W, 3) uint8, its aspect kept, between black bars where that isn't 4:3."""
    return _view(bgr, 0, 0, bgr.shape[1], bgr.shape[0])


def surroundings(bgr: Pixels, box: Box) -> View | None:
    """What lies round `box`: 4:3, moved into the frame where it would leave it. None where only the whole frame is
    large enough."""
    whole_height = VIEW_HEIGHT * max(bgr.shape[1] / VIEW_WIDTH, bgr.shape[0] / VIEW_HEIGHT)
    steps = math.floor(ZOOMS_PER_OCTAVE * math.log2(whole_height / (NEAR_SIDES * box.side)))
    if steps <= 0:
        return None
    height = whole_height / 2 ** (steps / ZOOMS_PER_OCTAVE)
    grid = height / PLACES
    left, right = _reach(box.left + box.side / 2, height * VIEW_WIDTH / VIEW_HEIGHT, grid, bgr.shape[1])
    top, bottom = _reach(box.top + box.side / 2, height, grid, bgr.shape[0])
    return _view(bgr, left, top, right, bottom)


def _reach(middle: float, length: float, grid: float, most: int) -> tuple[int, int]:
    """Start and end, in whole pixels, of `length` round the place of the `grid` next to `middle`, within 0..`most`."""
    size = min(max(_rounded(length), 2), most)
    start = min(max(_rounded(_rounded(middle / grid) * grid - length / 2), 0), most - size)
    return start, start + size


def _rounded(value: float) -> int:
    """As JavaScript rounds: halves always up."""
    return math.floor(value + 0.5)


def _view(bgr: Pixels, left: int, top: int, right: int, bottom: int) -> View:
    width, height = right - left, bottom - top
    scale = max(width / VIEW_WIDTH, height / VIEW_HEIGHT)
    across, along = max(_rounded(width / scale), 1), max(_rounded(height / scale), 1)
    # INTER_AREA averages what it shrinks; it would be nearest neighbour when it enlarges.
    how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    small = cv2.resize(bgr[top:bottom, left:right], (across, along), interpolation=how)
    bar_x, bar_y = (VIEW_WIDTH - across) // 2, (VIEW_HEIGHT - along) // 2
    rgb = np.zeros((VIEW_HEIGHT, VIEW_WIDTH, 3), np.uint8)
    rgb[bar_y : bar_y + along, bar_x : bar_x + across] = small[..., ::-1]
    return View(rgb, left - bar_x * scale, top - bar_y * scale, scale)
