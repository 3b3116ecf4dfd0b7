"""Where each tile goes: columns, rows and letterboxes of a grid, computed when somebody joins or leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEADER_PX = 44
GAP_PX = 8
DEFAULT_ASPECT = 4 / 3
"""Of a tile whose video has not been seen yet: most webcams' native shape."""


@dataclass(frozen=True, slots=True)
class Rect:
    """A rectangle in pixels of the grid, even in every number, so that it falls on whole chroma samples."""

    x: int
    y: int
    width: int
    height: int


def _even(value: float) -> int:
    return int(value) & ~1


def fit(width: int, height: int, box: Rect) -> Rect:
    """The largest rectangle of the shape `width` x `height` centred in `box`, never empty."""
    scale = min(box.width / width, box.height / height)
    inner_width = min(max(2, _even(width * scale + 0.5)), box.width)
    inner_height = min(max(2, _even(height * scale + 0.5)), box.height)
    x = box.x + _even((box.width - inner_width) / 2)
    y = box.y + _even((box.height - inner_height) / 2)
    return Rect(x, y, inner_width, inner_height)


def layout(width: int, height: int, aspects: Sequence[float]) -> list[Rect]:
    """One tile per participant, in their order, under a header; the last row is centred.

    `width`, `height`: the grid, pixels. `aspects`: each participant's video width / height. Of all numbers of
    columns the one is taken that shows the most video pixels.
    """
    count = len(aspects)
    if count == 0:
        return []
    best: tuple[float, int] = (-1.0, 1)
    for columns in range(1, count + 1):
        tile_width, tile_height = _tile_size(width, height, columns, math.ceil(count / columns))
        if tile_width < 2 or tile_height < 2:
            continue
        shown = sum(min(tile_width, tile_height * a) * min(tile_height, tile_width / a) for a in aspects)
        if shown > best[0] * 1.001:
            best = (shown, columns)
    columns = best[1]
    rows = math.ceil(count / columns)
    tile_width, tile_height = _tile_size(width, height, columns, rows)
    tiles = []
    for index in range(count):
        row, column = divmod(index, columns)
        in_row = min(columns, count - row * columns)
        row_width = in_row * tile_width + (in_row - 1) * GAP_PX
        x = _even((width - row_width) / 2) + column * (tile_width + GAP_PX)
        tiles.append(Rect(x, HEADER_PX + row * (tile_height + GAP_PX), tile_width, tile_height))
    return tiles


def _tile_size(width: int, height: int, columns: int, rows: int) -> tuple[int, int]:
    tile_width = _even((width - GAP_PX * (columns + 1)) / columns)
    tile_height = _even((height - HEADER_PX - GAP_PX * rows) / rows)
    return tile_width, tile_height
