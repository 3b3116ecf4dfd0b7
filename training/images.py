"""Crops as JPEG files: read and encoded in one way by every stage.

By way of bytes: OpenCV itself opens no path with letters of other scripts on Windows.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from peer.perception.crop import CROP_SIDE, Pixels
from training.errors import TrainingFailed

JPEG_QUALITY = 95


def read_crop(path: Path) -> Pixels:
    """One image, (160, 160, 3) uint8 RGB. Raises `TrainingFailed`."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if bgr is None:
        raise TrainingFailed(f"expected an image at {path}, got none: run `prepare` again with --force")
    if bgr.shape[:2] != (CROP_SIDE, CROP_SIDE):
        bgr = cv2.resize(bgr, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def to_jpeg(rgb: Pixels, quality: int = JPEG_QUALITY) -> bytes:
    """The file's content for (H, W, 3) uint8 RGB."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
