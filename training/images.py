"""Crops as JPEG files: read and encoded in one way by every stage.

By way of bytes: OpenCV itself opens no path with letters of other scripts on Windows.
"""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from peer.perception.crop import CROP_SIDE, Pixels
from signaling.files import read_bounded
from training.errors import TrainingFailed

JPEG_QUALITY = 95

MAX_IMAGE_BYTES = 32 << 20
MAX_IMAGE_PIXELS = 8192 * 8192
"""Ours have 160 x 160 and 256 x 256. A PNG of 3 MB can hold a thousand million, of which OpenCV would make 3 GB."""


def read_image(path: Path) -> Pixels | None:
    """(H, W, 3) uint8 BGR of any JPEG or PNG within the bounds; None where there is none."""
    try:
        data = read_bounded(path, MAX_IMAGE_BYTES)
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as header:  # OpenCV does not tell before it decodes
            width, height = header.size
        if width * height > MAX_IMAGE_PIXELS:
            return None
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except Exception:  # whatever Pillow's plugins and OpenCV raise for what is no picture
        return None
    return None if bgr is None else np.asarray(bgr, np.uint8)


def read_crop(path: Path) -> Pixels:
    """One image, (160, 160, 3) uint8 RGB. Raises `TrainingFailed`."""
    bgr = read_image(path)
    if bgr is None:
        raise TrainingFailed(f"expected an image at {path}, got none: run `prepare` again with --force")
    if bgr.shape[:2] != (CROP_SIDE, CROP_SIDE):
        bgr = cv2.resize(bgr, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def to_jpeg(rgb: Pixels, quality: int = JPEG_QUALITY) -> bytes:
    """The file's content for (H, W, 3) uint8 RGB."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()
