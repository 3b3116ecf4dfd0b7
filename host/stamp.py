"""Small pictures with transparency, made once and blended into a grid many times: names, clocks, badges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[Any]
"""uint8; OpenCV's stubs promise no more than an array."""

Yuv = tuple[int, int, int]
"""One colour as Y, U, V in limited range (BT.601, as VP8 has it)."""


def to_yuv(red: int, green: int, blue: int) -> Yuv:
    """R, G, B in 0-255 to limited-range BT.601, as OpenCV's and libvpx's I420."""
    y = 16 + (65.738 * red + 129.057 * green + 25.064 * blue) / 256
    u = 128 + (-37.945 * red - 74.494 * green + 112.439 * blue) / 256
    v = 128 + (112.439 * red - 94.154 * green - 18.285 * blue) / 256
    return round(y), round(u), round(v)


def _opacity(alpha: Bytes) -> NDArray[np.uint16]:
    """0-255 to 0-256, so that a shift divides by what is opaque."""
    return alpha.astype(np.uint16) + (alpha > 127)


@dataclass(frozen=True, slots=True)
class _Layer:
    """One plane of a stamp: `kept` (H, W) uint16 in 0-256 says how much of the ground stays, `added` what comes on."""

    kept: NDArray[np.uint16]
    added: NDArray[np.uint16]

    @classmethod
    def of(cls, values: Bytes, alpha: Bytes) -> _Layer:
        opacity = _opacity(alpha)
        return cls(256 - opacity, values.astype(np.uint16) * opacity)

    def blend(self, ground: Bytes) -> None:
        height, width = ground.shape
        kept, added = self.kept[:height, :width], self.added[:height, :width]
        np.copyto(ground, (ground * kept + added) >> 8, casting="unsafe")


class YuvStamp:
    """A picture with transparency, ready for an I420 canvas; its size is even."""

    def __init__(self, rgba: Bytes) -> None:
        """`rgba`: (H, W, 4) uint8, straight alpha."""
        height, width = rgba.shape[:2]
        even = np.zeros((height + height % 2, width + width % 2, 4), np.uint8)
        even[:height, :width] = rgba
        self.height, self.width = even.shape[:2]
        planes = cv2.cvtColor(even[:, :, :3], cv2.COLOR_RGB2YUV_I420)
        alpha = even[:, :, 3]
        half = cv2.resize(alpha, (self.width // 2, self.height // 2), interpolation=cv2.INTER_AREA)
        quarter = self.height // 2 * self.width // 2
        chroma = planes[self.height :].reshape(-1)
        u = chroma[:quarter].reshape(self.height // 2, self.width // 2)
        v = chroma[quarter:].reshape(self.height // 2, self.width // 2)
        self._layers = (_Layer.of(planes[: self.height], alpha), _Layer.of(u, half), _Layer.of(v, half))

    def blend(self, planes: tuple[Bytes, Bytes, Bytes], x: int, y: int) -> None:
        """Onto Y, U, V with the top left corner at even `x`, `y`; what lies outside is cut off."""
        for layer, plane, shift in zip(self._layers, planes, (0, 1, 1), strict=True):
            height, width = layer.kept.shape
            layer.blend(plane[y >> shift : (y >> shift) + height, x >> shift : (x >> shift) + width])


class BgrStamp:
    """The same for a BGR picture."""

    def __init__(self, rgba: Bytes) -> None:
        """`rgba`: (H, W, 4) uint8, straight alpha."""
        self.height, self.width = rgba.shape[:2]
        opacity = _opacity(rgba[:, :, 3])
        kept = 256 - opacity  # one for all three: stamps are kept by the hundred
        self._layers = tuple(_Layer(kept, rgba[:, :, channel].astype(np.uint16) * opacity) for channel in (2, 1, 0))

    def blend(self, bgr: Bytes, x: int, y: int) -> None:
        """Onto (H, W, 3) uint8 BGR with the top left corner at `x`, `y`; what lies outside is cut off."""
        for channel, layer in enumerate(self._layers):
            layer.blend(bgr[y : y + self.height, x : x + self.width, channel])


def pill(content: Bytes, background: tuple[int, int, int, int], pad_x: int = 8, pad_y: int = 2) -> Bytes:
    """`content` (H, W, 4) RGBA on a rounded bar of the colour `background` (R, G, B, A), as RGBA."""
    height, width = content.shape[0] + 2 * pad_y, content.shape[1] + 2 * pad_x
    radius = min(8, height // 2)
    mask = np.zeros((height * 4, width * 4), np.uint8)  # drawn at four times the size for smooth corners
    r = radius * 4
    cv2.rectangle(mask, (r, 0), (width * 4 - r - 1, height * 4 - 1), 255, -1)
    cv2.rectangle(mask, (0, r), (width * 4 - 1, height * 4 - r - 1), 255, -1)
    for centre in ((r, r), (width * 4 - r - 1, r), (r, height * 4 - r - 1), (width * 4 - r - 1, height * 4 - r - 1)):
        cv2.circle(mask, centre, r, 255, -1)
    shape = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
    bar = np.empty((height, width, 4), np.uint8)
    bar[:, :, :3] = background[:3]
    bar[:, :, 3] = (shape.astype(np.uint16) * background[3] // 255).astype(np.uint8)
    return over(bar, content, pad_x, pad_y)


def over(ground: Bytes, content: Bytes, x: int, y: int) -> Bytes:
    """`content` over `ground`, both (H, W, 4) RGBA with straight alpha, as a new picture of `ground`'s size."""
    result = ground.copy()
    area = result[y : y + content.shape[0], x : x + content.shape[1]]
    top = content[: area.shape[0], : area.shape[1]].astype(np.float32) / 255
    bottom = area.astype(np.float32) / 255
    alpha = top[..., 3:] + bottom[..., 3:] * (1 - top[..., 3:])
    colour = top[..., :3] * top[..., 3:] + bottom[..., :3] * bottom[..., 3:] * (1 - top[..., 3:])
    area[..., :3] = np.round(255 * colour / np.maximum(alpha, 1e-6))
    area[..., 3:] = np.round(255 * alpha)
    return result


def beside(left: Bytes, right: Bytes, gap: int) -> Bytes:
    """Two RGBA pictures next to each other, centred on one line."""
    height = max(left.shape[0], right.shape[0])
    row = np.zeros((height, left.shape[1] + gap + right.shape[1], 4), np.uint8)
    for picture, x in ((left, 0), (right, left.shape[1] + gap)):
        y = (height - picture.shape[0]) // 2
        row[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
    return row
