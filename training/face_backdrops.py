"""What lies behind and beside the people of a training scene: rooms that hold no face.

Most is made up, since nothing of it has to look real, only to be nobody: a detector that is shown walls, stripes,
balls of skin colour and cloth in all lights learns that a face is more than a bright patch with an edge.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator

from peer.perception.crop import Pixels

COARSE = (2, 12)
"""Cells across the widest and the finest noise of a room."""

MOST_SHAPES = 14
MOST_BALLS = 3
SKIN_HUES = ((255, 224, 196), (222, 171, 127), (172, 112, 72), (110, 68, 46), (66, 42, 32))
"""RGB, light to dark: of hands, balls and cushions that are no faces."""


def backdrop(random: Generator, width: int, height: int, cloth: Pixels | None = None) -> Pixels:
    """(height, width, 3) uint8 RGB without a face. `cloth`: a piece of a picture without a head, to cover it with."""
    kinds: list[Callable[[], Pixels]] = [
        lambda: _gradient(random, width, height),
        lambda: _clouds(random, width, height),
        lambda: _stripes(random, width, height),
        lambda: _leaves(random, width, height),
        lambda: _leaves(random, width, height),
        lambda: _wall(random, width, height),
    ]
    if cloth is not None:
        kinds += [lambda: _stretched(cloth, width, height)] * 2
    room = np.ascontiguousarray(kinds[random.integers(len(kinds))]())
    if random.random() < 0.5:
        _add_shapes(random, room)
    if random.random() < 0.12:
        _add_balls(random, room)
    if random.random() < 0.4:
        room = np.asarray(cv2.GaussianBlur(room, (0, 0), random.uniform(0.4, 6.0)), np.uint8)
    return room


def _colour(random: Generator) -> list[float]:
    """Mostly dull, as rooms are."""
    grey = random.uniform(5, 250)
    return [float(np.clip(grey + random.normal(0, 40), 0, 255)) for _ in range(3)]


def _stretched(cloth: Pixels, width: int, height: int) -> Pixels:
    return np.asarray(cv2.resize(cloth, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _gradient(random: Generator, width: int, height: int) -> Pixels:
    corners = np.array([[_colour(random) for _ in range(2)] for _ in range(2)], np.float32)
    return np.asarray(cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _clouds(random: Generator, width: int, height: int) -> Pixels:
    cells = int(random.integers(*COARSE))
    noise = np.array(_colour(random)) + random.normal(0, random.uniform(5, 60), (cells, cells, 3))
    if random.random() < 0.3:
        noise = noise.mean(axis=2, keepdims=True).repeat(3, axis=2)
    coarse = np.clip(noise, 0, 255).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def _stripes(random: Generator, width: int, height: int) -> Pixels:
    """Blinds, shelves, curtains."""
    along = np.arange(width if random.random() < 0.5 else height)
    wave = np.sin(along * random.uniform(0.05, 1.2) + random.uniform(0, 6))
    if random.random() < 0.5:
        wave = np.sign(wave)
    share = (wave[:, None] + 1) / 2
    line = np.array(_colour(random)) * share + np.array(_colour(random)) * (1 - share)
    plane = np.broadcast_to(line[None] if len(along) == width else line[:, None], (height, width, 3))
    return plane.astype(np.uint8)


def _leaves(random: Generator, width: int, height: int) -> Pixels:
    """Things before things, small ones many, large ones few: what photographs are like (Lee, Mumford & Huang,
    "Occlusion models for natural images", IJCV 41, 2001)."""
    room = _clouds(random, width, height).copy()
    colourful = random.random() < 0.3
    smallest, largest = random.uniform(1.0, 4.0), random.uniform(15.0, 50.0)
    count = int(random.integers(40, 400))
    # Radii whose density falls with their cube: then no scale is special.
    radii = 1 / np.sqrt(random.uniform(1 / largest**2, 1 / smallest**2, count))
    places = random.uniform((-10, -10), (width + 10, height + 10), (count, 2))
    colours = random.uniform(0, 255, (count, 3 if colourful else 1)).repeat(1 if colourful else 3, axis=1)
    angles, shares, round_ones = (
        random.uniform(0, 180, count),
        random.uniform(0.2, 1, count),
        random.random(count) < 0.5,
    )
    for (x, y), radius, colour, angle, share, is_round in zip(
        places, radii, colours, angles, shares, round_ones, strict=True
    ):
        size = (max(2 * radius, 1.0), max(2 * radius * share, 1.0))
        if is_round:
            cv2.ellipse(room, ((x, y), size, angle), colour.tolist(), -1)
        else:
            corners = cv2.boxPoints(((x, y), size, angle)).astype(np.int32)
            cv2.fillConvexPoly(room, corners, colour.tolist())
    return room


def _wall(random: Generator, width: int, height: int) -> Pixels:
    """Rows of things that are alike: photographs, books, tiles, checks of a shirt, keys."""
    room = _gradient(random, width, height).copy()
    across, along = random.uniform(4, 30, 2)
    fill = random.uniform(0.4, 0.95)
    ink = np.array(_colour(random))
    untidy = random.uniform(0, 0.25)
    for row in range(int(height / along) + 1):
        for column in range(int(width / across) + 1):
            if random.random() < 0.1:
                continue
            x, y = (column + random.normal(0, untidy)) * across, (row + random.normal(0, untidy)) * along
            colour = np.clip(ink + random.normal(0, 30, 3), 0, 255).tolist()
            end = (int(x + fill * across), int(y + fill * along))
            cv2.rectangle(room, (int(x), int(y)), end, colour, -1)
            if random.random() < 0.5:  # what the picture shows
                middle = (int(x + fill * across / 2), int(y + fill * along / 2))
                shade = np.clip(np.array(colour) + random.normal(0, 60, 3), 0, 255).tolist()
                cv2.circle(room, middle, max(int(min(across, along) * 0.2), 1), shade, -1)
    return room


def _add_shapes(random: Generator, room: Pixels) -> None:
    """Windows, pictures on the wall, lamps, backs of chairs."""
    height, width = room.shape[:2]
    for _ in range(random.integers(1, MOST_SHAPES)):
        x, y = int(random.integers(-20, width)), int(random.integers(-20, height))
        across, along = int(random.integers(3, width // 2)), int(random.integers(3, height // 2))
        colour = _colour(random)
        thickness = -1 if random.random() < 0.7 else int(random.integers(1, 4))
        match random.integers(3):
            case 0:
                cv2.rectangle(room, (x, y), (x + across, y + along), colour, thickness)
            case 1:
                axes = (max(across // 2, 1), max(along // 2, 1))
                cv2.ellipse(room, (x, y), axes, random.uniform(0, 180), 0, 360, colour, thickness, cv2.LINE_AA)
            case _:
                end = (int(random.integers(width)), int(random.integers(height)))
                cv2.line(room, (x, y), end, colour, int(random.integers(1, 6)), cv2.LINE_AA)


def _add_balls(random: Generator, room: Pixels) -> None:
    """Round things of the colour of skin, shaded like heads, without anything of a face."""
    height, width = room.shape[:2]
    for _ in range(random.integers(1, MOST_BALLS + 1)):
        across, along = random.uniform(4, 45), random.uniform(4, 55)
        x, y = random.uniform(0, width), random.uniform(0, height)
        left, top = max(int(x - across), 0), max(int(y - along), 0)
        part = room[top : int(y + along) + 1, left : int(x + across) + 1]
        columns = (np.arange(left, left + part.shape[1], dtype=np.float32) - x) / across
        rows = (np.arange(top, top + part.shape[0], dtype=np.float32)[:, None] - y) / along
        distance = np.square(columns) + np.square(rows)
        shade = 1 - random.uniform(0.1, 0.6) * distance + random.uniform(-0.3, 0.3) * columns
        tone = np.array(SKIN_HUES[random.integers(len(SKIN_HUES))], np.float32) * random.uniform(0.5, 1.0)
        inside = np.clip((1 - distance) * across / 2, 0, 1)[..., None]
        part[:] = np.clip(part * (1 - inside) + tone * shade[..., None] * inside, 0, 255).astype(np.uint8)
