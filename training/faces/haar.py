"""OpenCV's Haar cascade for frontal faces: whose boxes the attention model learnt on, so that they say what a box is.

Peers find faces with a network of their own (`peer.perception.detector`), which was trained to give the boxes that
this one gives. It stays for `prepare --faces`, whose crops must not change under a trained model, and as what the
network is measured against (benchmarks/detectors.py).

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
class HaarConfig:
    """How hard to look; lengths in pixels of the working picture, whose longer side is `working_side`."""

    working_side: int = 640
    step: float = 1.1
    neighbours: int = 4
    min_side: int = 60
    thorough_min_side: int = 36
    thorough_neighbours: int = 6
    """More than elsewhere: stretched noise looks like faces."""


class HaarDetector:
    """Searches single pictures: at half scale, then thoroughly; not thread-safe."""

    def __init__(self, config: HaarConfig | None = None) -> None:
        self._config = config or HaarConfig()
        self._cascade = cv2.CascadeClassifier(str(CASCADE))
        self._stretch = cv2.createCLAHE(CLAHE_CLIP, CLAHE_TILES)

    def detect_still(self, bgr: Pixels) -> Box | None:
        """The largest frontal face of `bgr`, (H, W, 3) uint8, in its pixels, or None."""
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

    def _half(self, grey: Grey) -> Box | None:
        return self._search(grey, 0.5, self._config.min_side, self._config.neighbours)

    def _thorough(self, grey: Grey) -> Box | None:
        """With its contrast stretched place by place, which finds far and badly lit faces."""
        stretched = self._stretch.apply(grey)
        return self._search(stretched, 1.0, self._config.thorough_min_side, self._config.thorough_neighbours)  # type: ignore[arg-type]

    def _search(self, grey: Grey, scale: float, min_side: int, neighbours: int) -> Box | None:
        """The largest face whose side is at least `min_side` pixels of `grey`, searched at `scale`; in its pixels."""
        smallest, largest = int(min_side * scale), max(grey.shape)
        if scale < 1.0:
            grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        faces = self._cascade.detectMultiScale(
            grey, self._config.step, neighbours, minSize=(smallest, smallest), maxSize=(largest, largest)
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
