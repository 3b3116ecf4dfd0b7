"""The square crop round a face that the classifier sees: one definition for training and for life."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

CROP_SIDE = 160
"""Pixels: the classifier's input, given by the contract."""

MAX_SIDES = 4
"""Largest square, in longer sides of the picture: beyond it there is no face to see, and memory grows with its area."""


@dataclass(frozen=True, slots=True)
class Box:
    """A face as Haar cascades give it, a square: left, top and side in pixels of the frame, not rounded."""

    left: float
    top: float
    side: float

    @property
    def centre(self) -> tuple[float, float]:
        """x and y."""
        return self.left + self.side / 2, self.top + self.side / 2


def crop_face(bgr: Pixels, box: Box, crop_scale: float) -> Pixels:
    """Cut the square centred on `box` whose side is `crop_scale` times the box's.

    `bgr`: (H, W, 3) uint8. Returns (160, 160, 3) uint8 RGB. Where the square leaves the picture, the picture's
    edge is continued: a black bar would be an edge that no training picture has.
    Raises `ValueError` when the square lies wholly outside the picture, or is more than `MAX_SIDES` times as large.
    """
    height, width = bgr.shape[:2]
    side = max(1, round(box.side * crop_scale))
    if side > MAX_SIDES * max(width, height):
        raise ValueError(f"expected a box that fits the {width}x{height} picture, got {box!r} times {crop_scale:g}")
    left = round(box.left + (box.side - side) / 2)
    top = round(box.top + (box.side - side) / 2)
    right, bottom = left + side, top + side
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        raise ValueError(f"expected a box in the {width}x{height} picture, got {box!r}")
    patch = bgr[max(top, 0) : bottom, max(left, 0) : right]
    margins = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if any(margins):
        patch = cv2.copyMakeBorder(patch, *margins, cv2.BORDER_REPLICATE)  # type: ignore[assignment]
    # INTER_AREA averages what it shrinks; it would be nearest neighbour when it enlarges.
    how = cv2.INTER_AREA if side > CROP_SIDE else cv2.INTER_LINEAR
    scaled = cv2.resize(patch, (CROP_SIDE, CROP_SIDE), interpolation=how)
    return cv2.cvtColor(scaled, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]
