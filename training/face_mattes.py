"""Cut-outs of the rendered people, so that a scene can put them before another room than the one they came with.

Each picture is cut by its colours, starting from where a head and shoulders must be (Rother, Kolmogorov & Blake,
"GrabCut", SIGGRAPH 2004). Where that keeps a piece of the old room, as with turned heads, the scene has one more
room; that hurts nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from peer.perception.crop import Pixels
from training.files import writing
from training.pool import each

SIDE = 96
"""Pixels of a matte: half of its picture's, and the search costs a quarter."""

ROUNDS = 1
"""Of GrabCut: a second one changes little and costs 15 ms more."""

SOFT = 0.8
"""Pixels, standard deviation: hair has no sharp edge."""

BATCH = 64
"""Pictures: about a second of work."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """Some pictures of the file `images`. `boxes`: a row of centre x, centre y and side for each of `places`."""

    images: Path
    places: tuple[int, ...]
    boxes: tuple[tuple[float, float, float], ...]


def cut_mattes(
    images: Path, boxes: NDArray[np.float32], places: Sequence[int], file: Path, *, jobs: int | None
) -> None:
    """Write `file`: (N, 96, 96) uint8, how much of each pixel is the person; 0 for pictures not in `places`.

    Raises `TrainingFailed` when it cannot be written.
    """
    mattes = np.zeros((len(boxes), SIDE, SIDE), np.uint8)
    tasks = [
        Cutting(images, tuple(some), tuple((float(x), float(y), float(side)) for x, y, side in boxes[list(some)]))
        for some in (tuple(places[start : start + BATCH]) for start in range(0, len(places), BATCH))
    ]
    with (
        tqdm(desc="cut out people", total=len(places), unit="picture", disable=None) as progress,
        closing(each(cut, tasks, jobs)) as results,
    ):
        for some, found in results:
            mattes[list(some)] = found
            progress.update(len(some))
    with writing(file) as aside, aside.open("wb") as stream:
        np.save(stream, mattes)


def cut(task: Cutting) -> tuple[tuple[int, ...], Pixels]:
    """The mattes of some pictures."""
    pictures = _open(task.images)
    found = [matte(pictures[place], box) for place, box in zip(task.places, task.boxes, strict=True)]
    return task.places, np.stack(found)


def matte(picture: Pixels, box: tuple[float, float, float]) -> Pixels:
    """(96, 96) uint8: how much of each pixel of `picture`, (S, S, 3) uint8 with a face at `box`, is the person."""
    small = np.ascontiguousarray(cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    x, y, side = (one * SIDE / picture.shape[0] for one in box)
    guess = np.full((SIDE, SIDE), cv2.GC_PR_BGD, np.uint8)
    head, face = (int(0.62 * side), int(0.85 * side)), (int(0.22 * side), int(0.3 * side))
    cv2.ellipse(guess, (int(x), int(y - 0.1 * side)), head, 0, 0, 360, cv2.GC_PR_FGD, -1)
    guess[int(min(y + 0.62 * side, 0.95 * SIDE)) :] = cv2.GC_PR_FGD  # shoulders
    cv2.ellipse(guess, (int(x), int(y)), face, 0, 0, 360, cv2.GC_FGD, -1)
    guess[: SIDE // 12, : SIDE // 10] = guess[: SIDE // 12, -SIDE // 10 :] = cv2.GC_BGD
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)  # its clusters begin at random
    cv2.grabCut(small, guess, None, *models, ROUNDS, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]
    person = np.isin(guess, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8) * 255
    return np.asarray(cv2.GaussianBlur(person, (0, 0), SOFT), np.uint8)


@lru_cache(maxsize=1)
def _open(images: Path) -> Pixels:
    pictures: Pixels = np.load(images, mmap_mode="r")
    return pictures
