"""Scenes in batches for the face detector: of rendered pictures, each with the box that the attention model expects.

Haar's boxes are what the attention model learnt on, but each is a little off, and turned heads have none. The map from
truth to box that `prepare` fits (`training.faces.crops`) gives every head the box that Haar means, without its noise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.face_scenes import SceneMaker
from training.faces.crops import BoxMap, FaceBox, fit_boxes
from training.faces.pictures import FOLDER, IMAGES_FILE, SIDE, Pictures
from training.splits import Part

MOST_FACES = 3
"""In a scene; a tensor has as many rows."""


HARD_YAW, HARD_PITCH, HARD_TIMES = 25.0, (-15.0, 10.0), 2
"""Degrees. A third of the rendered heads; of the scenes it makes them half."""


def box_map(pictures: Pictures) -> BoxMap:
    """What `prepare` fitted, from what it left."""
    found = [
        FaceBox(*(float(one) / SIDE for one in box)) if seen else None
        for box, seen in zip(pictures.boxes, pictures.detected, strict=True)
    ]
    return fit_boxes(pictures.truths, found)


def clean_boxes(pictures: Pictures, boxes: BoxMap) -> NDArray[np.float32]:
    """(N, 3) centre x, centre y and side of every picture's face, in its pixels."""
    expected = [boxes.expected(truth) for truth in pictures.truths]
    return SIDE * np.array([(one.x, one.y, one.side) for one in expected], np.float32)


def places_of(pictures: Pictures, part: Part) -> NDArray[np.int64]:
    """The pictures of a part, as indices."""
    return np.flatnonzero([one == part for one in pictures.parts])


def with_hard_ones(pictures: Pictures, places: Sequence[int]) -> list[int]:
    """`places`, those of turned, lowered and thrown back heads several times: they are few, and the hardest."""
    found: list[int] = []
    for place in places:
        truth = pictures.truths[place]
        hard = abs(truth.yaw) > HARD_YAW or not HARD_PITCH[0] < truth.pitch < HARD_PITCH[1]
        found += [place] * (HARD_TIMES if hard else 1)
    return found


class SceneDataset(Dataset[tuple[Tensor, Tensor]]):
    """`count` scenes: (120, 160, 3) uint8, and (3, 4) float32 rows of faces, see `training.face_scenes.Scene`.

    A scene is decided by `seed` and its number alone, whoever makes it.
    """

    def __init__(
        self, run: Path, mattes: Path, boxes: NDArray[np.float32], places: Sequence[int], *, count: int, seed: int
    ) -> None:
        self._files = run / FOLDER / IMAGES_FILE, mattes
        self._boxes, self._places = boxes, list(places)
        self._count, self._seed = count, seed
        self._maker: SceneMaker | None = None

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        if self._maker is None:  # in the process that makes the scenes
            cv2.setNumThreads(1)
            images, mattes = (np.load(file, mmap_mode="r") for file in self._files)
            self._maker = SceneMaker(images, mattes, self._boxes, self._places)
        random = np.random.default_rng((self._seed, number))
        scene = self._maker.make(int(random.choice(self._places)), random)
        faces = np.zeros((MOST_FACES, 4), np.float32)
        faces[: len(scene.faces)] = scene.faces
        return torch.from_numpy(scene.rgb), torch.from_numpy(faces)


def batches(scenes: SceneDataset, size: int, *, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """(size, 120, 160, 3) uint8 and (size, 3, 4) float32, in the order of the scenes' numbers."""
    # Spawned, not forked: a fork of a process with OpenCV's and torch's threads may wait for a lock that nobody holds.
    how = "spawn" if workers else None
    return iter(DataLoader(scenes, batch_size=size, num_workers=workers, drop_last=True, multiprocessing_context=how))
