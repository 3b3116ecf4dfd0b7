"""Paints a person's skin into the head's UV map: no photograph of anybody is in it.

Tone by the Monk scale (Monk, "Monk Skin Tone Scale", 2019), then what lies in and on skin: blotches, freckles,
redness, lids, lips, wrinkles, stubble and beards, make-up. Strengths come from `Skin`, places from `Atlas`.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.faces.atlas import SHAPE, Atlas, Field
from training.faces.person import Rgb, Skin

Albedo = NDArray[np.floating]
"""(H, W, 3) linear light, 0..1."""

MONK_SRGB = {
    1: (246, 237, 228), 2: (243, 231, 219), 3: (247, 234, 208), 4: (234, 218, 186), 5: (215, 189, 150),
    6: (160, 126, 86), 7: (130, 92, 67), 8: (96, 65, 52), 9: (58, 49, 42), 10: (41, 36, 32),
}  # fmt: skip
"""The scale's swatches, 8 bit sRGB."""

LIGHT_TONE_DAMPING = 0.34
WARMTH = np.array([1.02, 0.76, 0.6], np.float32)
"""A swatch is skin in light; the albedo of light skin is lower and warmer than it: blood shows through."""


DARKEST = np.array([0.058, 0.034, 0.024], np.float32)
"""No skin is as black and as neutral as the last swatches, which are skin in shade."""


def to_linear(srgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """IEC 61966-2-1: sRGB 0..1 -> linear light."""
    return np.asarray(np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4), np.float32)


def to_srgb(linear: NDArray[np.floating]) -> NDArray[np.floating]:
    """IEC 61966-2-1: linear light 0..1 -> sRGB."""
    clipped = np.clip(linear, 0, 1)
    curve = 1.055 * clipped ** (1 / 2.4) - 0.055
    return np.asarray(np.where(clipped <= 0.0031308, clipped * 12.92, curve), np.float32)


def base_tone(skin: Skin) -> NDArray[np.floating]:
    """(3,) linear albedo of plain skin."""
    swatch = to_linear(np.array(MONK_SRGB[skin.tone], np.float32) / 255)
    light = float(swatch.mean())
    albedo = swatch * (1 - LIGHT_TONE_DAMPING * light) * (1 + (WARMTH - 1) * min(1.0, 1.8 * light))
    found = albedo * np.array(skin.undertone) * skin.lightness
    return np.asarray(np.maximum(found, DARKEST * skin.lightness), np.float32)


def paint(skin: Skin, atlas: Atlas, random: Generator) -> Albedo:
    """The person's albedo; the border has the plain tone, which the neck and the body take."""
    masks, tone = atlas.masks, base_tone(skin)
    brush = _Brush(np.broadcast_to(tone, (*SHAPE, 3)).copy())

    brush.tint((1.06, 0.9, 0.86), skin.blotches * 0.55 * _spots(_noise(random, 7, 3), 0.45, 0.8))
    brush.tint((0.9, 0.93, 0.95), skin.blotches * 0.5 * _spots(_noise(random, 10, 3), 0.5, 0.8))
    brush.tint((0.84, 0.78, 0.76), 0.3 * _spots(_noise(random, 150, 2), 0.55, 0.85))
    if skin.freckles:
        where = np.clip(masks["cheek"] + masks["nose"] + 0.25, 0, 1)
        brush.tint((0.68, 0.5, 0.38), skin.freckles * where * _spots(_noise(random, 110, 1), 0.66, 0.74))
    brush.tint((0.4, 0.3, 0.28), 0.8 * _moles(random))

    red = (1.1, 0.76, 0.72)
    brush.tint(red, skin.blush * masks["cheek"])
    brush.tint(red, 0.8 * skin.blush * masks["nose"])
    brush.tint((0.84, 0.72, 0.7), 0.55 * masks["lid"])
    brush.tint((0.72, 0.64, 0.68), skin.dark_circles * masks["under_eye"])
    brush.tint((0.22, 0.14, 0.12), 0.85 * masks["nostril"])
    for region, strength in (("forehead_lines", 0.5), ("crow_feet", 0.55), ("fold", 0.6)):
        brush.tint((0.62, 0.52, 0.48), skin.wrinkles * strength * masks[region] * (0.5 + 0.5 * _noise(random, 30, 1)))

    hairs = _spots(_noise(random, 260, 1), 0.2, 0.8)
    brush.cover(_darkened(skin.beard_colour, tone), 0.9 * skin.scalp * masks["scalp"] * (0.55 + 0.45 * hairs))
    brush.cover(_darkened(skin.beard_colour, tone), skin.brow_shadow * 0.6 * masks["brow"])
    _paint_beard(brush, skin, masks, tone, hairs, random)

    lips = np.clip(np.array(skin.lip, np.float32) * (0.4 + 1.1 * float(tone.mean()) ** 0.5), 0, 0.8)
    brush.cover(lips, skin.lip_strength * masks["lips"] * (0.85 + 0.15 * _noise(random, 60, 1)))
    if skin.eyeshadow is not None:
        brush.cover(np.array(skin.eyeshadow, np.float32), 0.55 * masks["eyeshadow"])
    brush.cover(np.array((0.01, 0.008, 0.008), np.float32), skin.eyeliner * 0.85 * masks["eyeliner"])
    brush.cover(np.array((0.16, 0.03, 0.03), np.float32), masks["mouth"])

    albedo = brush.albedo
    albedo[[0, -1]] = tone
    albedo[:, [0, -1]] = tone
    return np.asarray(np.clip(albedo, 0, 1))


def _paint_beard(
    brush: _Brush, skin: Skin, masks: dict[str, Field], tone: NDArray[np.floating], hairs: Field, random: Generator
) -> None:
    """Stubble shadows the skin; a beard covers it, with an edge of single hairs."""
    if skin.beard == "none":
        return
    region = masks["full" if skin.beard == "stubble" else skin.beard]
    colour = _darkened(skin.beard_colour, tone)
    if skin.beard == "stubble":
        brush.cover(colour, 0.55 * skin.beard_density * region * (0.35 + 0.65 * hairs))
        return
    edge = np.clip(region * 1.6 - 0.5 * _noise(random, 120, 1), 0, 1)
    brush.cover(colour, skin.beard_density * edge * (0.6 + 0.4 * hairs))


def _darkened(hair: Rgb, tone: NDArray[np.floating]) -> NDArray[np.floating]:
    """(3,): roots are never lighter than half of the skin."""
    return np.asarray(np.minimum(np.array(hair, np.float32), 0.5 * tone))


def _noise(random: Generator, cells: int, octaves: int) -> Field:
    """(H, W) 0..1: smooth noise with `cells` across the map, each octave twice as fine and half as strong."""
    height, width = SHAPE
    total, weight = np.zeros(SHAPE, np.float32), 0.0
    for octave in range(octaves):
        across = min(cells << octave, width)
        grid = random.random((max(2, across * height // width), across), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
        weight += 0.5**octave
    return np.clip(total / weight, 0, 1)  # type: ignore[no-any-return]


def _moles(random: Generator) -> Field:
    """(H, W) 0..1: a few dots anywhere on the head."""
    field = np.zeros(SHAPE, np.float32)
    for _ in range(random.poisson(4)):
        x, y = random.integers(SHAPE[1]), random.integers(SHAPE[0])
        cv2.circle(field, (int(x), int(y)), int(random.integers(1, 4)), 1.0, -1, cv2.LINE_AA)
    return field


def _spots(noise: Field, low: float, high: float) -> Field:
    """(H, W) 0..1: where noise is high."""
    return np.clip((noise - low) / (high - low), 0, 1)  # type: ignore[no-any-return]


class _Brush:
    """An albedo and the two ways to lay colour on it."""

    def __init__(self, albedo: Albedo) -> None:
        self.albedo = albedo

    def tint(self, factors: Rgb, strength: Field) -> None:
        """Multiply what is there, so that a tint suits every tone."""
        self.albedo *= 1 + strength[..., None] * (np.array(factors, np.float32) - 1)

    def cover(self, colour: NDArray[np.floating], strength: Field) -> None:
        """Mix with a colour of its own."""
        self.albedo += strength[..., None] * (colour - self.albedo)
