"""Finds the largest frontal face of a frame with OpenCV's Haar cascade, cheaply, because faces stay where they are.

A whole frame costs nine tenths of perception, so the search goes from cheap to dear: round the last box; the whole
frame at half scale when it is lost; every n-th lost frame the whole frame at full scale with its contrast
stretched place by place, which finds far and badly lit faces. Numbers: benchmarks/perception.py.

Dark pictures are lifted first: the cascade was made for light faces in good light. On rendered people of the darker
half of the Monk scale that finds 71 % instead of 54 %, and loses nobody among the lighter ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from peer.perception.crop import Box, Pixels

Grey = NDArray[np.uint8]

MIDDLE_GREY = 0.5
"""To which the median of a darker picture's middle, where faces are, is lifted."""
STRONGEST_LIFT = 0.35
"""Exponent of the strongest lift: beyond it, noise looks like faces."""

CLAHE_CLIP, CLAHE_TILES = 2.0, (8, 8)
"""Contrast-limited adaptive histogram equalisation (Zuiderveld, Graphics Gems IV, 1994)."""

CASCADE = Path(cv2.data.haarcascades) / "haarcascade_frontalface_default.xml"  # type: ignore[attr-defined]


@dataclass(frozen=True)
class DetectorConfig:
    """How hard to look; lengths in pixels of the working picture, whose longer side is `working_side`."""

    working_side: int = 640
    # Fine steps and a generous range near the last box: both keep the box still, and a face that moved is still
    # found here instead of in the whole frame at six times the cost.
    near_step: float = 1.05
    near_margin: float = 0.25
    near_shrink: float = 0.75
    near_grow: float = 1.35
    near_side: int = 100
    near_neighbours: int = 3
    whole_step: float = 1.1
    whole_neighbours: int = 4
    whole_min_side: int = 60
    thorough_every: int = 5
    """The thorough search runs on each n-th frame in a row without a face: once a second at 5 frames/s."""
    thorough_min_side: int = 36
    thorough_neighbours: int = 6
    """More than elsewhere: stretched noise looks like faces."""


class FaceDetector:
    """Follows the largest face from frame to frame; not thread-safe."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        self._config = config or DetectorConfig()
        self._cascade = cv2.CascadeClassifier(str(CASCADE))
        self._stretch = cv2.createCLAHE(CLAHE_CLIP, CLAHE_TILES)
        self._last: Box | None = None
        self._lost_frames = 0

    def reset(self) -> None:
        """Forget the last face: the next frame has nothing to do with the one before."""
        self._last = None
        self._lost_frames = 0

    def detect(self, bgr: Pixels) -> Box | None:
        """The largest face of `bgr`, (H, W, 3) uint8, in its pixels, or None."""
        grey, scale = self._working_grey(bgr)
        found = self._near(grey, self._last) if self._last is not None else None
        if found is None:
            found = self._half(grey)
        if found is None:
            self._lost_frames += 1
            if self._lost_frames % self._config.thorough_every == 0:
                found = self._thorough(grey)
        self._last = found
        if found is None:
            return None
        self._lost_frames = 0
        return Box(found.left / scale, found.top / scale, found.side / scale)

    def detect_still(self, bgr: Pixels) -> Box | None:
        """The largest face of a single picture: the same search without a past, and thorough at once."""
        grey, scale = self._working_grey(bgr)
        found = self._half(grey) or self._thorough(grey)
        return None if found is None else Box(found.left / scale, found.top / scale, found.side / scale)

    def _working_grey(self, bgr: Pixels) -> tuple[Grey, float]:
        """(H, W) uint8 with a longer side of at most `working_side`, and its scale to the frame."""
        grey = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)
        scale = min(1.0, self._config.working_side / max(grey.shape))
        if scale < 1.0:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return lifted(grey), scale  # type: ignore[arg-type]

    def _near(self, grey: Grey, last: Box) -> Box | None:
        config = self._config
        margin = last.side * config.near_margin
        left, top = int(max(0.0, last.left - margin)), int(max(0.0, last.top - margin))
        right, bottom = int(last.left + last.side + margin), int(last.top + last.side + margin)
        shrink = min(1.0, config.near_side / last.side)
        side = last.side * shrink
        region = grey[top:bottom, left:right]
        found = self._search(
            region,
            shrink,
            step=config.near_step,
            neighbours=config.near_neighbours,
            sides=(int(side * config.near_shrink), int(side * config.near_grow) + 1),
        )
        return None if found is None else Box(found.left + left, found.top + top, found.side)

    def _half(self, grey: Grey) -> Box | None:
        return self._whole(grey, 0.5, self._config.whole_min_side, self._config.whole_neighbours)

    def _thorough(self, grey: Grey) -> Box | None:
        config = self._config
        stretched = self._stretch.apply(grey)
        return self._whole(stretched, 1.0, config.thorough_min_side, config.thorough_neighbours)  # type: ignore[arg-type]

    def _whole(self, grey: Grey, scale: float, min_side: int, neighbours: int) -> Box | None:
        sides = (int(min_side * scale), max(grey.shape))
        return self._search(grey, scale, step=self._config.whole_step, neighbours=neighbours, sides=sides)

    def _search(self, grey: Grey, scale: float, *, step: float, neighbours: int, sides: tuple[int, int]) -> Box | None:
        """The largest face with a side within `sides` pixels of the scaled picture, in pixels of `grey`."""
        if scale < 1.0:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        smallest, largest = sides
        faces = self._cascade.detectMultiScale(
            grey, step, neighbours, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        if len(faces) == 0:
            return None
        left, top, side, _ = max(faces, key=lambda face: int(face[2]))
        return Box(float(left) / scale, float(top) / scale, float(side) / scale)


def lifted(grey: Grey) -> Grey:
    """(H, W) uint8: the same where it is light; where its middle is dark, made lighter by a power law."""
    height, width = grey.shape
    middle = grey[height // 5 : height - height // 5 : 4, width // 4 : width - width // 4 : 4]
    median = min(max(float(np.median(middle)), 1.0), 254.0) / 255 if middle.size else MIDDLE_GREY
    exponent = math.log(MIDDLE_GREY) / math.log(median)
    if exponent >= 1.0:
        return grey
    curve = (np.arange(256) / 255) ** max(exponent, STRONGEST_LIFT) * 255
    return cv2.LUT(grey, curve.astype(np.uint8))  # type: ignore[return-value]
