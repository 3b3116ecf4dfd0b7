"""Contact sheets: what a table cannot show, such as crops that miss the face or labels that do not fit the look."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from peer.perception.crop import CROP_SIDE, Pixels
from training.files import write_bytes
from training.images import read_crop, to_jpeg

COLUMNS = 8
GAP = 8  # pixels between tiles
LINE = 18  # pixels per line of a caption
TITLE = 44  # pixels of the strip above
FONT = cv2.FONT_HERSHEY_SIMPLEX
INK = (40, 40, 40)  # RGB
PAPER = 255
JPEG_QUALITY = 90


@dataclass(frozen=True)
class Tile:
    """One picture, a file or (160, 160, 3) uint8 RGB, and the lines below it."""

    picture: Path | Pixels
    caption: tuple[str, ...]


def write_sheet(path: Path, title: str, tiles: Sequence[Tile], columns: int = COLUMNS) -> Path:
    """Write the tiles, row by row, as a JPEG. Raises `TrainingFailed`."""
    write_bytes(path, to_jpeg(draw_sheet(title, tiles, columns), JPEG_QUALITY))
    return path


def draw_sheet(title: str, tiles: Sequence[Tile], columns: int = COLUMNS) -> Pixels:
    """(H, W, 3) uint8 RGB. Raises `TrainingFailed`."""
    lines = max((len(tile.caption) for tile in tiles), default=0)
    width, height = CROP_SIDE + GAP, CROP_SIDE + lines * LINE + GAP + 4
    rows = math.ceil(len(tiles) / columns)
    sheet = np.full((TITLE + rows * height + GAP, columns * width + GAP, 3), PAPER, np.uint8)
    _write(sheet, title, GAP, 30, 0.65)
    for index, tile in enumerate(tiles):
        top, left = TITLE + index // columns * height, GAP + index % columns * width
        sheet[top : top + CROP_SIDE, left : left + CROP_SIDE] = _pixels(tile.picture)
        for number, line in enumerate(tile.caption):
            _write(sheet, line, left, top + CROP_SIDE + (number + 1) * LINE - 3, 0.43)
    return sheet


def _pixels(picture: Path | Pixels) -> Pixels:
    return read_crop(picture) if isinstance(picture, Path) else picture


def _write(sheet: Pixels, text: str, left: int, baseline: int, size: float) -> None:
    # OpenCV's own letters: ASCII only, but there is no font to ship. Ids of people and clips are digits.
    cv2.putText(sheet, text, (left, baseline), FONT, size, INK, 1, cv2.LINE_AA)
