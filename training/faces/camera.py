"""What a webcam makes of light: exposure metered on the face, white balance, noise, softness, few pixels, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.faces.truth import Light

Picture = NDArray[np.uint8]
"""(H, W, 3) RGB."""

GAMMA = 2.2
FACE_WEIGHT = 0.65
"""Of the face in the exposure; the rest is the whole picture."""


def meter(rendered: Picture, face: tuple[float, float, float, float]) -> float:
    """The linear light that the exposure goes by; `face`: box as fractions."""
    height, width = rendered.shape[:2]
    linear = (rendered.astype(np.float32) / 255) ** GAMMA
    left, top, right, bottom = (
        int(np.clip(edge, 0, 1) * side) for edge, side in zip(face, (width, height) * 2, strict=True)
    )
    whole = float(linear.mean())
    inside = linear[top:bottom, left:right]
    return FACE_WEIGHT * (float(inside.mean()) if inside.size else whole) + (1 - FACE_WEIGHT) * whole


def photograph(rendered: Picture, random: Generator, metered: float, light: Light, dark_skin: float) -> Picture:
    """`metered`: by `meter`; `dark_skin`: 0..1, since a camera meant for the average does not lift it fully."""
    height, width = rendered.shape[:2]
    linear = (rendered.astype(np.float32) / 255) ** GAMMA
    wanted = float(np.clip(random.normal(0.23, 0.07), 0.10, 0.42)) * (1 - 0.35 * dark_skin)
    noise = random.uniform(0.002, 0.018)
    if light in {Light.DARK, Light.SCREEN} or random.random() < 0.05:
        wanted, noise = wanted * random.uniform(0.3, 0.8), noise + random.uniform(0.0, 0.03)
    linear *= float(np.clip(wanted / max(metered, 0.008), 0.3, 6.0))
    linear *= 1 + random.normal(0, 0.05, 3)
    linear = np.where(linear > 0.75, 0.75 + 0.25 * (1 - np.exp(-(linear - 0.75) / 0.25)), linear)
    picture: NDArray[np.floating] = (np.clip(linear, 0, 1) ** (1 / GAMMA) - 0.5) * random.uniform(0.85, 1.15) + 0.5
    small = random.uniform(0.35, 0.9) if random.random() < 0.25 else 1.0
    picture = cv2.resize(picture, None, fx=small, fy=small, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    picture += random.normal(0, noise, picture.shape)
    if random.random() < 0.35:
        picture = cv2.GaussianBlur(picture, (0, 0), random.uniform(0.1, 0.7))  # type: ignore[assignment]
    found = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    if random.random() < 0.4:
        found = _compressed(found, int(random.integers(35, 90)))
    if small < 1:
        found = cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(found, np.uint8)


def _compressed(picture: Picture, quality: int) -> Picture:
    """As after a codec with few bits."""
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]  # type: ignore[return-value,index]
