"""Where to write the names of points so that nobody has to guess: no label over a label, a point or a line.

Plain geometry in pixels, y upwards. Every label starts beside its point; then each in turn moves to where it
disturbs the others least, until nobody wants to move.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Point = tuple[float, float]

DIRECTIONS = 24
DISTANCES = (9.0, 16.0, 26.0, 40.0, 58.0, 80.0, 106.0, 136.0, 170.0)
"""Pixels between a point and the near edge of its label."""

ROUNDS = 8
GAP = 3.0
"""Pixels that stay free round a label."""

POINT_RADIUS = 9.0
OVERLAP, OUTSIDE, CROSSING = 20.0, 60.0, 400.0
"""Costs, of a square pixel of overlap or outside the frame, and of a line that crosses; a pixel of distance costs 1."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Its edges in pixels."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Rectangle) -> float:
        """The common area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return width * height if width > 0 and height > 0 else 0.0

    def outside(self, frame: Rectangle) -> float:
        """The area that leaves `frame`."""
        return (self.right - self.left) * (self.top - self.bottom) - self.overlap(frame)

    def grown(self, by: float) -> Rectangle:
        """With a margin."""
        return Rectangle(self.left - by, self.bottom - by, self.right + by, self.top + by)

    def nearest(self, point: Point) -> Point:
        """The point of the rectangle that is nearest to `point`."""
        return min(max(point[0], self.left), self.right), min(max(point[1], self.bottom), self.top)

    def crossed_by(self, start: Point, end: Point) -> bool:
        """Whether the line from `start` to `end` enters the rectangle; tried at points along it."""
        return any(
            self.left < start[0] + (end[0] - start[0]) * step / 20 < self.right
            and self.bottom < start[1] + (end[1] - start[1]) * step / 20 < self.top
            for step in range(21)
        )


def place_labels(points: Sequence[Point], sizes: Sequence[Point], frame: Rectangle) -> list[Rectangle]:
    """Where each label goes, by preference within `frame`. `sizes`: width and height of each."""
    choices = [list(places(point, size)) for point, size in zip(points, sizes, strict=True)]
    placed = [mine[0] for mine in choices]
    for _ in range(ROUNDS):
        before = list(placed)
        for index, mine in enumerate(choices):
            placed[index] = best_place(mine, index, points, placed, frame)
        if placed == before:
            break
    return placed


def places(point: Point, size: Point) -> Iterator[Rectangle]:
    """Where the label of `point` could go: all round it, nearest first."""
    (x, y), (width, height) = point, size
    for distance in DISTANCES:
        for number in range(DIRECTIONS):
            angle = 2 * math.pi * number / DIRECTIONS
            centre_x = x + math.cos(angle) * (distance + width / 2)
            centre_y = y + math.sin(angle) * (distance + height / 2)
            yield Rectangle(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)


def best_place(
    choices: Sequence[Rectangle], index: int, points: Sequence[Point], placed: Sequence[Rectangle], frame: Rectangle
) -> Rectangle:
    """The cheapest of `choices`; one that is farther off than the best one costs cannot beat it, and is not tried."""
    best, lowest = choices[0], math.inf
    for place in choices:
        if math.dist(points[index], place.nearest(points[index])) < lowest:
            own = cost(place, index, points, placed, frame)
            if own < lowest:
                best, lowest = place, own
    return best


def cost(place: Rectangle, index: int, points: Sequence[Point], placed: Sequence[Rectangle], frame: Rectangle) -> float:
    """How bad it is to put label `index` there while the others are where `placed` has them."""
    point, near, roomy = points[index], place.nearest(points[index]), place.grown(GAP)
    total = math.dist(point, near) + OUTSIDE * place.outside(frame)
    for other, (mark, box) in enumerate(zip(points, placed, strict=True)):
        dot = Rectangle(*mark, *mark).grown(POINT_RADIUS)
        total += OVERLAP * roomy.overlap(dot)
        if other == index:
            continue
        total += OVERLAP * roomy.overlap(box)
        total += CROSSING * (box.crossed_by(point, near) + roomy.crossed_by(mark, box.nearest(mark)))
        # Lines that cross one another lead the eye to the wrong point.
        total += CROSSING * segments_cross(point, near, mark, box.nearest(mark))
    return total


def segments_cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the line from a to b crosses the one from c to d."""

    def side(start: Point, end: Point, point: Point) -> float:
        return (end[0] - start[0]) * (point[1] - start[1]) - (end[1] - start[1]) * (point[0] - start[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
