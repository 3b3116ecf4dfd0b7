"""A folder that `render` filled: which images have a truth, which lie alone, and what to know them by."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

from training.drops import Drop, Reason
from training.errors import TrainingFailed
from training.faces.label import LabelRule
from training.faces.truth import TRUTH_FILE, Truth, read_truth

IMAGES = "images"
SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True, slots=True)
class Shot:
    """An image with its truth. `size`, `modified_ns`: of the file, when it was looked up."""

    truth: Truth
    path: Path
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Rendered:
    """`shots`: images with a truth, in the order of their ids; `drops`: the others, and truths without an image."""

    folder: Path
    shots: list[Shot]
    drops: list[Drop]

    @property
    def truth_file(self) -> Path:
        """What the images are of."""
        return self.folder / TRUTH_FILE

    def fingerprint(self) -> str:
        """SHA-256 over the images' names, sizes and times, the stray ones too: another one means other images."""
        digest = hashlib.sha256()
        for shot in self.shots:
            digest.update(repr((shot.truth.file, shot.size, shot.modified_ns)).encode())
        digest.update(repr([(drop.clip, drop.reason, drop.detail) for drop in self.drops]).encode())
        return digest.hexdigest()


def read_rendered(folder: Path) -> Rendered:
    """Look through a folder. Raises `TrainingFailed` where there is no truth, or no image that has one."""
    shots, drops = [], []
    known = set()
    for truth in read_truth(folder):
        path = folder / truth.file
        known.add(path)
        try:
            status = path.stat()
        except OSError:
            drops.append(drop(truth, Reason.NO_IMAGE))
            continue
        shot = Shot(truth, path, status.st_size, status.st_mtime_ns)
        if has_head(truth):
            shots.append(shot)
        else:
            drops.append(drop(truth, Reason.NO_HEAD, f"{truth.file}, head box {truth.head_box}"))
    if not shots:
        raise TrainingFailed(
            f"expected rendered images in {folder / IMAGES} with their truth in {folder / TRUTH_FILE}, got"
            f" {len(known)} lines of truth and no image of them: run `train render`, or give its --out"
        )
    drops += [
        Drop(None, "", None, None, Reason.NO_TRUTH, path.relative_to(folder).as_posix())
        for path in sorted((folder / IMAGES).glob("*"))
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path not in known
    ]
    return Rendered(folder, shots, drops)


def drop(truth: Truth, reason: Reason, detail: str = "") -> Drop:
    """Why an image is not used; the image's name where there is nothing else to say."""
    label = int(LabelRule().attentive(truth))
    return Drop(person_name(truth), truth.scene, None, label, reason, detail or truth.file)


def person_name(truth: Truth) -> str:
    """As in splits and reports."""
    return f"{truth.person:06d}"


def has_head(truth: Truth) -> bool:
    """Whether any of the face lies in the picture."""
    left, top, right, bottom = truth.head_box
    box = all(math.isfinite(edge) for edge in truth.head_box) and left < right and top < bottom
    return box and left < 1 and top < 1 and right > 0 and bottom > 0
