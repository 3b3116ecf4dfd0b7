"""Light, camera and compression of a training scene: what rooms, cheap webcams and slow links do to a picture."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from peer.perception.crop import Pixels

AS_IT_IS = 0.3
"""Of pictures that keep their light: most rooms are not extreme, and the network is to be sure of them first."""

GAMMAS = (0.45, 2.2)
"""Of the power law, log-uniform: from a face before a window to one in an overlit room."""

CONTRASTS = (0.4, 1.8)
"""Log-uniform: from fog to burnt-out cheeks."""

WORST_NOISE = 14.0
"""Standard deviation in levels."""

NOISE_SIDE = 512
"""Pixels of the noise that is drawn once, a random part of which is taken each time: to draw takes a millisecond."""

JPEG_QUALITIES = (15, 95)


def relit(random: Generator, rgb: Pixels) -> Pixels:
    """`rgb`, (H, W, 3) uint8, in another light."""
    if random.random() < AS_IT_IS:
        return rgb
    if random.random() < 0.35:
        shade = _ramp if random.random() < 0.5 else _shadows
        lit = rgb * shade(random, rgb.shape[0], rgb.shape[1])
        rgb = np.asarray(np.minimum(lit, 255), np.uint8)
    if random.random() < 0.25:
        rgb = np.asarray(cv2.cvtColor(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(cv2.LUT(rgb, _curve(random, float(rgb.mean()) / 255)), np.uint8)


def _curve(random: Generator, mean: float) -> Pixels:
    """(1, 256, 3): what becomes of each level of each colour in a picture of that mean, 0..1."""
    light = np.repeat(np.linspace(0, 1, 256)[:, None], 3, axis=1)
    if random.random() < 0.5:
        gamma = np.exp(random.uniform(*np.log(GAMMAS)))
        light, mean = light**gamma, mean**gamma
    if random.random() < 0.5:
        light *= random.uniform(0.7, 1.3, 3)
    if random.random() < 0.5:
        contrast = np.exp(random.uniform(*np.log(CONTRASTS)))
        light = (light - mean) * contrast + mean + random.normal(0, 0.1)
    if random.random() < 0.08:  # in the dark
        light *= random.uniform(0.15, 0.5)
    return np.asarray(np.clip(light * 255, 0, 255), np.uint8)[None]


def _ramp(random: Generator, height: int, width: int) -> NDArray[np.float32]:
    """(H, W, 1): a lamp or a window on one side."""
    angle = random.uniform(0, 2 * np.pi)
    strength = random.uniform(0.2, 1.2)
    columns = np.exp(strength * np.cos(angle) * np.linspace(-1, 1, width, dtype=np.float32))
    rows = np.exp(strength * np.sin(angle) * np.linspace(-1, 1, height, dtype=np.float32))
    return np.asarray((rows[:, None] * columns)[..., None], np.float32)


def _shadows(random: Generator, height: int, width: int) -> NDArray[np.float32]:
    """(H, W, 1): several lamps, and what stands before them."""
    cells = int(random.integers(3, 8))
    coarse = np.exp(random.normal(0, random.uniform(0.1, 0.5), (cells, cells))).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)[..., None].clip(0)


def photographed(random: Generator, rgb: Pixels) -> Pixels:
    """`rgb`, (H, W, 3) uint8, as a camera and an encoder leave it: less sharp, noisy, compressed."""
    height, width = rgb.shape[:2]
    kind = random.random()
    if kind < 0.25:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), random.uniform(0.3, 1.6)), np.uint8)
    elif kind < 0.37:
        share = random.uniform(0.35, 0.8)
        small = cv2.resize(rgb, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        rgb = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    elif kind < 0.5:
        sharp = cv2.addWeighted(rgb, 1.8, cv2.GaussianBlur(rgb, (0, 0), 1.0), -0.8, 0)
        rgb = np.asarray(sharp, np.uint8)
    if random.random() < 0.4:
        top, left = random.integers(0, (NOISE_SIDE - height, NOISE_SIDE - width))
        noise = _noise()[top : top + height, left : left + width]
        if random.random() < 0.5:
            noise = noise[..., :1]
        rgb = np.asarray(np.clip(rgb + noise * np.float32(WORST_NOISE * random.random() ** 2), 0, 255), np.uint8)
    if random.random() < 0.35:
        _, data = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(*JPEG_QUALITIES))])
        rgb = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return rgb


@lru_cache(maxsize=1)
def _noise() -> NDArray[np.float32]:
    """(512, 512, 3), of standard deviation 1."""
    return np.random.default_rng(0).standard_normal((NOISE_SIDE, NOISE_SIDE, 3), np.float32)
