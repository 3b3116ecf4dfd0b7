"""Training scenes for the face detector: rendered people set into frames of its input's size, with their boxes.

A rendered picture is nearly all head. A webcam's frame is not: here the head gets any size and place, a room round
it, sometimes company, bars of another picture format, another light and another camera. Some scenes are views
as the search round the last box cuts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from peer.perception.crop import Pixels
from training.face_backdrops import backdrop
from training.face_light import photographed, relit

Floats = NDArray[np.float32]

WIDTH, HEIGHT = 160, 120
"""Pixels of the detector's input."""

SIDES = (12.0, 112.0)
"""Pixels of a box in a scene, log-uniform: from somebody three metres away to a face that fills the picture."""

NEAR_SIDE, NEAR_SPREAD = HEIGHT / 3, 0.3
"""Of a box in a view round the last one: its height is 2.5 to 3.5 sides, and the face came a little nearer or went."""

MOST_TILT = 12.0
"""Degrees, on top of the rendered heads' own."""

STRETCH = 0.07
"""Standard deviation of the logarithm of a face's width over its height, halved: more faces than were rendered."""

EMPTY_SHARE, NEAR_SHARE, COMPANY_SHARE, BARS_SHARE, SCRAMBLED_SHARE = 0.12, 0.15, 0.15, 0.3, 0.08
"""`NEAR_SHARE` is small on purpose: of sizes that come often, the network guesses too many where it is unsure."""

SEEN, UNSEEN = 0.65, 0.25
"""Share of a box inside the picture: from the first on it is a face to be found, up to the second it is none, between
nobody is asked."""

FORMATS = (16 / 9, 16 / 9, 9 / 16, 3 / 4, 1.0, 2.2)
"""Width over height of pictures that are not 4:3 and get bars."""

OWN_LIGHT_SHARE, BODY_SHARE, OCCLUDED_SHARE = 0.35, 0.7, 0.06
"""Of people: lit apart from the room behind them, as by a screen; with shoulders; with something before the face."""

FACE, MAYBE = 1.0, 0.0

LEAST_CONTRAST, CONTRAST_CELLS = 5.0, 6
"""Levels, standard deviation over the means of so many parts of a box across and along, which leaves out noise: below
it nobody can be seen, and nobody is asked."""


@dataclass(frozen=True)
class Scene:
    """`rgb`: (120, 160, 3) uint8. `faces`: (n, 4) float32 rows of centre x, centre y, side in pixels, and `FACE` for
    one to be found or `MAYBE` for one that may be found or not."""

    rgb: Pixels
    faces: Floats


class SceneMaker:
    """Makes scenes of `images`, (N, S, S, 3) uint8 RGB, `mattes`, see `training.face_mattes`, and `boxes`, (N, 3)
    centre x, centre y and side in pixels.

    `places`: the pictures it may use, as indices; all randomness comes from the generator that is handed in.
    """

    def __init__(self, images: Pixels, mattes: Pixels, boxes: Floats, places: Sequence[int]) -> None:
        self._images, self._mattes, self._boxes = images, mattes, boxes
        self._places = np.asarray(places)

    def make(self, place: int, random: Generator) -> Scene:
        """A scene round picture `place`; now and then one without anybody."""
        left, top, right, bottom = self._frame(random)
        kind = random.random()
        empty = kind < EMPTY_SHARE
        near = not empty and kind < EMPTY_SHARE + NEAR_SHARE
        canvas = self._room(place, random)
        faces: list[tuple[float, float, float]] = []
        if empty:
            if random.random() < 0.5:
                self._put(canvas, place, random, self._spot(random, near=False), headless=True)
        else:
            spot = self._spot(random, near=near)
            if random.random() < COMPANY_SHARE:
                other = self._spot(random, near=False)
                if _apart(spot, other):
                    faces.append(self._put(canvas, self._another(random), random, other, headless=False))
            faces.append(self._put(canvas, place, random, spot, headless=False))
        rgb = photographed(random, relit(random, canvas))
        black = np.zeros_like(rgb)
        black[top:bottom, left:right] = rgb[top:bottom, left:right]
        return Scene(black, _rows(black, faces, (left, top, right, bottom)))

    def _another(self, random: Generator) -> int:
        return int(random.choice(self._places))

    def _frame(self, random: Generator) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the picture between its bars."""
        if random.random() >= BARS_SHARE:
            return 0, 0, WIDTH, HEIGHT
        ratio = FORMATS[random.integers(len(FORMATS))]
        width, height = min(WIDTH, round(HEIGHT * ratio)), min(HEIGHT, round(WIDTH / ratio))
        left, top = (WIDTH - width) // 2, (HEIGHT - height) // 2
        return left, top, left + width, top + height

    def _spot(self, random: Generator, *, near: bool) -> tuple[float, float, float]:
        """Centre and side of a box."""
        if near:
            side = NEAR_SIDE * float(np.exp(random.normal(0, NEAR_SPREAD)))
            return WIDTH / 2 + random.normal(0, 0.25) * side, HEIGHT / 2 + random.normal(0, 0.25) * side, side
        side = float(np.exp(random.uniform(*np.log(SIDES))))
        margin = random.uniform(-0.02, 0.5) * side  # most of them wholly inside, some cut off by the frame's edge
        x, y = ((min(margin, middle), max(2 * middle - margin, middle)) for middle in (WIDTH / 2, HEIGHT / 2))
        return random.uniform(*x), random.uniform(*y), side

    def _room(self, place: int, random: Generator) -> Pixels:
        cloth = self._images[self._another(random)]
        side = cloth.shape[0]
        piece = cloth[int(side * 0.8) :, :] if random.random() < 0.5 else cloth[: side // 6, : side // 4]
        room = backdrop(random, WIDTH, HEIGHT, piece)
        if random.random() < SCRAMBLED_SHARE:
            self._add_scrambled(room, random)
        return room

    def _add_scrambled(self, room: Pixels, random: Generator) -> None:
        """A head in pieces that lie wrongly: all that a face is made of, and no face."""
        place = self._another(random)
        x, y, side = self._boxes[place]
        left, top = max(int(x - side / 2), 0), max(int(y - side / 2), 0)
        head = self._images[place][top : int(y + side / 2), left : int(x + side / 2)]
        pieces, size = int(random.integers(3, 6)), int(random.integers(4, 24))
        head = np.asarray(cv2.resize(head, (pieces * size, pieces * size), interpolation=cv2.INTER_AREA), np.uint8)
        order = random.permutation(pieces * pieces)
        x0, y0 = int(random.integers(-size, WIDTH - size)), int(random.integers(-size, HEIGHT - size))
        for number, taken in enumerate(order.tolist()):
            row, column = divmod(number, pieces)
            patch = head[taken // pieces * size :, taken % pieces * size :][:size, :size]
            across, along = x0 + column * size, y0 + row * size
            part = room[max(along, 0) : max(along + size, 0), max(across, 0) : max(across + size, 0)]
            part[:] = patch[max(-along, 0) :, max(-across, 0) :][: part.shape[0], : part.shape[1]]

    def _put(
        self, canvas: Pixels, place: int, random: Generator, spot: tuple[float, float, float], *, headless: bool
    ) -> tuple[float, float, float]:
        """Draw the person of a picture into `canvas`, with the box at `spot`; the box as it lies there."""
        picture, (x, y, side) = self._images[place], self._boxes[place]
        if headless:
            picture = _without_head(random, picture, (x, y, side))
        elif random.random() < OWN_LIGHT_SHARE:
            picture = relit(random, picture)
        x_to, y_to, wanted = spot
        scale = wanted / float(side)
        halvings = 0
        while scale * 2**halvings < 0.6 and halvings < 4:  # bilinear alone would alias
            picture = np.asarray(cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            halvings += 1
        shrunk = 2.0**halvings
        turn = np.radians(random.normal(0, MOST_TILT / 2)) if random.random() < 0.5 else 0.0
        flip = -1.0 if random.random() < 0.5 else 1.0
        zoom = scale * shrunk
        cos, sin = zoom * np.cos(turn), zoom * np.sin(turn)
        wide = np.exp(random.normal(0, STRETCH))
        way = np.array([[cos * flip * wide, -sin / wide, 0.0], [sin * flip * wide, cos / wide, 0.0]])
        # OpenCV counts from the middle of the first pixel, boxes from its corner.
        centre = np.array([x, y]) / shrunk - 0.5
        way[:, 2] = np.array([x_to, y_to]) - 0.5 - way[:, :2] @ centre
        drawn = cv2.warpAffine(picture, way, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shown = None if headless else self._shown(place, picture.shape[0], random)
        if shown is None:
            canvas[:] = drawn
        else:
            if random.random() < BODY_SHARE:
                _add_body(random, canvas, picture, spot)
            # Continued below, where the body goes on; at the other edges it is 0.
            alpha = cv2.warpAffine(shown, way, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            share = alpha[..., None] * np.float32(1 / 255)
            canvas[:] = canvas + (drawn.astype(np.float32) - canvas) * share
        if random.random() < OCCLUDED_SHARE and not headless:
            _occlude(random, canvas, spot)
        return spot

    def _shown(self, place: int, side: int, random: Generator) -> Pixels | None:
        """(side, side) uint8, how much of a picture is shown: the person, or all of it; None: more than all of it."""
        kind = random.random()
        if kind < 0.25:
            return None
        if kind < 0.4:
            soft = np.full((side, side), 255, np.uint8)
        else:
            soft = np.asarray(cv2.resize(self._mattes[place], (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
        soft[0] = soft[:, 0] = soft[:, -1] = 0
        return soft


def _add_body(random: Generator, canvas: Pixels, picture: Pixels, spot: tuple[float, float, float]) -> None:
    """Shoulders and chest, which a rendered picture cuts off, of the colour of its cloth or another one."""
    x, y, side = spot
    cloth = picture[-1].mean(axis=0) if random.random() < 0.6 else random.integers(0, 255, 3)
    middle = (int(x + random.normal(0, 0.1) * side), int(y + side * random.uniform(1.5, 2.0)))
    axes = (max(int(side * random.uniform(1.1, 1.7)), 1), max(int(side * random.uniform(0.85, 1.2)), 1))
    cv2.ellipse(canvas, middle, axes, 0, 0, 360, [float(one) for one in cloth], -1, cv2.LINE_AA)
    cv2.rectangle(
        canvas, (middle[0] - axes[0], middle[1]), (middle[0] + axes[0], HEIGHT), [float(one) for one in cloth], -1
    )


def _without_head(random: Generator, picture: Pixels, box: tuple[float, float, float]) -> Pixels:
    """The picture with something else where the head was."""
    x, y, side = (float(one) for one in box)
    height, width = picture.shape[:2]
    hole = np.zeros((height, width), np.uint8)
    cv2.ellipse(hole, (int(x), int(y - 0.05 * side)), (int(0.75 * side), int(0.85 * side)), 0, 0, 360, 255, -1)
    share = (cv2.GaussianBlur(hole, (0, 0), side * 0.04)[..., None] / 255).astype(np.float32)
    filling = backdrop(random, width, height, picture[: height // 8, : width // 4])
    return np.asarray(picture * (1 - share) + filling * share, np.uint8)


def _occlude(random: Generator, canvas: Pixels, spot: tuple[float, float, float]) -> None:
    """Something before a part of the face: never more than a third of it."""
    x, y, side = spot
    angle = random.uniform(0, 2 * np.pi)
    middle = (int(x + 0.55 * side * np.cos(angle)), int(y + 0.55 * side * np.sin(angle)))
    radius = max(int(side * random.uniform(0.1, 0.3)), 1)
    cv2.circle(canvas, middle, radius, [float(one) for one in random.integers(0, 255, 3)], -1, cv2.LINE_AA)


def _apart(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether neither head covers the other."""
    away = max(abs(one[0] - other[0]), abs(one[1] - other[1]))
    return bool(away > 0.9 * (one[2] + other[2]))


def _rows(rgb: Pixels, faces: Sequence[tuple[float, float, float]], frame: tuple[int, int, int, int]) -> Floats:
    left, top, right, bottom = frame
    rows = []
    for x, y, side in faces:
        across = max(0.0, min(x + side / 2, right) - max(x - side / 2, left))
        along = max(0.0, min(y + side / 2, bottom) - max(y - side / 2, top))
        seen = across * along / side**2
        if seen > UNSEEN:
            whole = seen >= SEEN and left <= x < right and top <= y < bottom
            rows.append((x, y, side, FACE if whole and _contrast(rgb, x, y, side) >= LEAST_CONTRAST else MAYBE))
    return np.array(rows, np.float32).reshape(-1, 4)


def _contrast(rgb: Pixels, x: float, y: float, side: float) -> float:
    """Of the green channel, which holds most of the light, over the middle of a box."""
    part = rgb[max(int(y - side / 3), 0) : int(y + side / 3) + 1, max(int(x - side / 3), 0) : int(x + side / 3) + 1, 1]
    cells = (min(CONTRAST_CELLS, part.shape[1]), min(CONTRAST_CELLS, part.shape[0]))
    return float(cv2.resize(np.ascontiguousarray(part), cells, interpolation=cv2.INTER_AREA).std())
