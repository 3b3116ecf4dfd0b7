"""`dataset_splits.json`: which image belongs to training, validation and test, in the reference's form and more.

The reference's scripts read `train_files`, `val_files` and `test_files`, paths that hold the class folder's name
(`attentive/` or `not_attentive/`). Beside them stand each image's person and clip, and a hash over all of it and the
images' content: later stages refuse images that are not the ones the split was made from.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from signaling.files import read_bounded
from training.errors import TrainingFailed
from training.files import read_json, write_json
from training.images import MAX_IMAGE_BYTES
from training.stage import command

CLASSES = ("not_attentive", "attentive")
"""Names of the classes 0 and 1, as in the reference; also the names of the folders."""

Part = Literal["train", "val", "test"]
PARTS: tuple[Part, ...] = get_args(Part)
SPLITS_FILE = "dataset_splits.json"


class Labelled(Protocol):
    """Whatever is of class 0 or 1: a face, an image."""

    @property
    def label(self) -> int:
        """0 or 1."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a part. `file`: relative to the run folder, with slashes. `source`: what an augmented copy is of."""

    file: str
    person: str
    clip: str
    label: int
    source: str | None = None
    augmentation: str | None = None


@dataclass(frozen=True)
class Splits:
    """The three parts and how they were made; `settings` holds kind, seed, per_class, reference, crop_scale, ..."""

    parts: Mapping[Part, tuple[Sample, ...]]
    settings: dict[str, Any]
    sha256: str

    def __getitem__(self, part: Part) -> tuple[Sample, ...]:
        return self.parts[part]

    def labels(self, part: Part) -> NDArray[np.int64]:
        """(N,) of 0 and 1."""
        return np.array([sample.label for sample in self.parts[part]], np.int64)

    def persons(self, part: Part) -> list[str]:
        """(N,) person of each image."""
        return [sample.person for sample in self.parts[part]]

    @property
    def crop_scale(self) -> float:
        """Side of the crops over the detector's box side, as the model card needs it."""
        return float(self.settings["crop_scale"])


def save_splits(run: Path, parts: Mapping[Part, Iterable[Sample]], settings: dict[str, Any]) -> Splits:
    """Write `dataset_splits.json` for images that are there. Raises `TrainingFailed`."""
    fixed = {part: tuple(parts[part]) for part in PARTS}
    splits = Splits(fixed, settings, content_hash(run, fixed))
    document: dict[str, Any] = {"classes": list(CLASSES), "settings": settings, "sha256": splits.sha256}
    for part, samples in fixed.items():
        document[f"{part}_files"] = [sample.file for sample in samples]
        document[f"{part}_labels"] = [sample.label for sample in samples]
        document[f"{part}_persons"] = [sample.person for sample in samples]
        document[f"{part}_clips"] = [sample.clip for sample in samples]
    document["augmented"] = {
        sample.file: {"source": sample.source, "augmentation": sample.augmentation}
        for samples in fixed.values()
        for sample in samples
        if sample.source is not None
    }
    write_json(run / SPLITS_FILE, document)
    return splits


def load_splits(run: Path) -> Splits:
    """The splits of a run folder, checked against its images.

    Raises `TrainingFailed` when the file is missing or malformed, an image is missing or is not the one the split
    was made from, or a part has no image or one class only.
    """
    path = run / SPLITS_FILE
    advice = f"run {command('prepare', run)}"
    document = read_json(path, what="the splits", advice=advice)
    try:
        augmented = document["augmented"]
        parts = {
            part: tuple(
                Sample(file, person, clip, label, **augmented.get(file, {}))
                for file, label, person, clip in zip(
                    *(document[f"{part}_{column}"] for column in ("files", "labels", "persons", "clips")), strict=True
                )
            )
            for part in PARTS
        }
        for sample in (sample for part in PARTS for sample in parts[part]):
            _check_sample(sample)
        splits = Splits(parts, document["settings"], str(document["sha256"]))
        _ = splits.crop_scale
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise TrainingFailed(f"expected the splits that `prepare` writes at {path}, got {error!r}: {advice}") from error
    if content_hash(run, parts) != splits.sha256:
        raise TrainingFailed(
            f"expected the images that {path} was made from, got others (its hash {splits.sha256[:12]}… does not"
            f" match them): {advice} again, or take the split file that belongs to these images"
        )
    for part in PARTS:
        check_part(part, splits[part])
    if not 0 < splits.crop_scale < math.inf:
        raise TrainingFailed(f"expected a crop_scale above 0 at {path}, got {splits.crop_scale}: {advice}")
    return splits


def _check_sample(sample: Sample) -> None:
    """Raise `ValueError` for what JSON can hold and a sample cannot."""
    words = (sample.file, sample.person, sample.clip)
    if not all(isinstance(word, str) for word in words) or "\0" in sample.file:
        raise ValueError(f"file, person and clip {words!r:.200}")
    if type(sample.label) is not int or sample.label not in {0, 1}:
        raise ValueError(f"label {sample.label!r:.50} of {sample.file}")


def check_part(part: Part, samples: Iterable[Labelled]) -> None:
    """Raise `TrainingFailed` unless there are images of both classes."""
    counts = [0, 0]
    for sample in samples:
        counts[sample.label] += 1
    if 0 in counts:
        raise TrainingFailed(
            f"expected images of both classes in the part {part!r}, got {counts[1]} attentive and {counts[0]} not"
            " attentive: give more people or clips, or choose another --split"
        )


def content_hash(run: Path, parts: Mapping[Part, Iterable[Sample]]) -> str:
    """SHA-256 over every part's files in their order: names, labels, persons and bytes."""
    digest = hashlib.sha256()
    for part in PARTS:
        for sample in parts[part]:
            try:
                content = read_bounded(run / sample.file, MAX_IMAGE_BYTES)
            except OSError as error:
                raise TrainingFailed(
                    f"expected the image {sample.file} of {SPLITS_FILE} in {run}, got: {error.strerror or error}:"
                    f" run {command('prepare', run)} again"
                ) from error
            line = f"{part}\t{sample.file}\t{sample.label}\t{sample.person}\t{hashlib.sha256(content).hexdigest()}\n"
            digest.update(line.encode())
    return digest.hexdigest()
