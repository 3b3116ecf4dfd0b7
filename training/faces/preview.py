"""Contact sheets of rendered faces as the network will see them, and of what the detector made of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator

from peer.perception.crop import CROP_SIDE, Pixels
from training.faces.crops import FaceBox
from training.faces.place import Placed, Sight
from training.faces.truth import Mode
from training.images import read_crop
from training.sheets import COLUMNS, Tile, write_sheet
from training.splits import CLASSES, PARTS

ROW = COLUMNS
SHEET_TILES = 6 * COLUMNS
"""Fits a screen."""

FOUND_RGB, WRONG_RGB = (0, 150, 60), (220, 0, 0)


def draw_sheets(run: Path, folder: Path, placed: Sequence[Placed], seed: int) -> list[Path]:
    """A row of crops of each mode, the crops of each part, those that the detector lost, and its mistakes."""
    random = np.random.default_rng(seed)
    modes = [
        one for mode in Mode for one in some([one for one in placed if one.truth.mode is mode], random, ROW, full=True)
    ]
    sheets = [
        write_sheet(
            folder / "modes.jpg",
            "a row of random crops of each mode; yaw, pitch, and whether the detector found the face",
            _tiles(run, modes, _by_mode),
        )
    ]
    for part in PARTS:
        chosen = some([one for one in placed if one.part == part], random, SHEET_TILES)
        sheets.append(
            write_sheet(folder / f"part-{part}.jpg", f"{part}: random crops", _tiles(run, chosen, _by_person))
        )
    lost = some([one for one in placed if one.sight is Sight.LOST], random, SHEET_TILES)
    sheets += _optional(folder / "lost.jpg", "no face found: crops by the truth's box", _tiles(run, lost, _by_mode))
    wrong = some([one for one in placed if one.wrong], random, SHEET_TILES)
    tiles = [Tile(_with_boxes(one), _by_mode(one)) for one in wrong]
    sheets += _optional(folder / "wrong.jpg", "red: what the detector took for a face; green: the truth's box", tiles)
    return sheets


def some(items: Sequence[Placed], random: Generator, amount: int, *, full: bool = False) -> list[Placed]:
    """At most `amount` at random, in their order; `full`: gaps are filled with repetitions, to keep rows whole."""
    if full and 0 < len(items) < amount:
        items = [items[place % len(items)] for place in range(amount)]
    return [items[place] for place in sorted(random.permutation(len(items))[:amount])]


def _optional(path: Path, title: str, tiles: Sequence[Tile]) -> list[Path]:
    path.unlink(missing_ok=True)  # there may be none this time
    return [write_sheet(path, title, tiles)] if tiles else []


def _tiles(run: Path, chosen: Sequence[Placed], caption: Callable[[Placed], tuple[str, str]]) -> list[Tile]:
    return [Tile(run / one.file, caption(one)) for one in chosen]


def _by_mode(one: Placed) -> tuple[str, str]:
    truth = one.truth
    return f"{truth.mode}, {CLASSES[one.label]}", f"{truth.yaw:.0f}, {truth.pitch:.0f} deg, {one.sight}"


def _by_person(one: Placed) -> tuple[str, str]:
    return f"person {one.truth.person}, {one.truth.mode}", f"{CLASSES[one.label]}, {one.sight}"


def _with_boxes(one: Placed) -> Pixels:
    picture = read_crop(one.shot.path)
    for box, colour in ((one.box, FOUND_RGB), (one.wrong, WRONG_RGB)):
        if box is not None:
            _draw(picture, box, colour)
    return picture


def _draw(picture: Pixels, box: FaceBox, colour: tuple[int, int, int]) -> None:
    square = box.in_pixels(CROP_SIDE)
    first = (round(square.left), round(square.top))
    last = (round(square.left + square.side), round(square.top + square.side))
    cv2.rectangle(picture, first, last, colour, 2)
