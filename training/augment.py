"""The reference's three augmentations, and the folder `augmented/` with the copies that a plan asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from peer.perception.crop import Pixels
from training.balance import Augmentation, Planned
from training.files import remove, write_bytes
from training.images import read_crop, to_jpeg
from training.splits import CLASSES, PARTS, Part, Sample

AUGMENTED_FOLDER = "augmented"

OPERATIONS: dict[Augmentation, Callable[[Pixels], Any]] = {
    "flip": lambda image: cv2.flip(image, 1),
    "brightness": lambda image: cv2.convertScaleAbs(image, alpha=1.2, beta=20),
    "blur": lambda image: cv2.GaussianBlur(image, (5, 5), 0),
}
"""Reference document, chapter 4, step 2."""


def augment(image: Pixels, name: Augmentation) -> Pixels:
    """A changed copy of (H, W, 3) uint8, RGB or BGR: each operation does the same to every channel."""
    return np.asarray(OPERATIONS[name](image), np.uint8)


def write_augmented(run: Path, planned: Mapping[Part, Sequence[Planned]]) -> dict[Part, list[Sample]]:
    """Write the copies that `planned` asks for, and give its images as samples, in its order.

    A copy is `augmented/{class}/{name of the face}_{operation}.jpg`; copies of an earlier plan go. All are written
    anew: a face of the same name may have been cut again. Raises `TrainingFailed`.
    """
    samples = {part: [_sample(image) for image in planned[part]] for part in PARTS}
    copies = [sample for part in PARTS for sample in samples[part] if sample.augmentation]
    _remove_others(run, {sample.file for sample in copies})
    images = (image for part in PARTS for image in planned[part] if image.augmentation)
    for image, sample in tqdm(zip(images, copies, strict=True), "augmenting", len(copies), unit="image", disable=None):
        _write_copy(run, image, sample.file)
    return samples


def _sample(image: Planned) -> Sample:
    face = image.face
    if image.augmentation is None:
        return Sample(face.file, face.person, face.clip, face.label)
    file = f"{AUGMENTED_FOLDER}/{CLASSES[face.label]}/{Path(face.file).stem}_{image.augmentation}.jpg"
    return Sample(file, face.person, face.clip, face.label, source=face.file, augmentation=image.augmentation)


def _remove_others(run: Path, files: set[str]) -> None:
    """Take away every image below `augmented/` that is not in `files`, half-written ones too."""
    for path in (run / AUGMENTED_FOLDER).rglob("*.jpg"):
        if path.relative_to(run).as_posix() not in files:
            remove(path)


def _write_copy(run: Path, image: Planned, file: str) -> None:
    assert image.augmentation is not None
    write_bytes(run / file, to_jpeg(augment(read_crop(run / image.face.file), image.augmentation)))
