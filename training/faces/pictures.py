"""`pictures/` of a run folder: whole rendered pictures with truth and box, for a trainer that cuts crops of its own.

`images.npy` (N, 192, 192, 3) uint8 RGB, `boxes.npy` (N, 3) float32 (centre x, centre y and side of the face box in
pixels of those pictures), `truth.jsonl` in the same order, and `meta.json`: of each picture its part and whether the
detector found its face; the splits' hash, the rule of the labels, and the side of the product's crop over the box's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from peer.perception.crop import Pixels
from training.errors import TrainingFailed
from training.faces.truth import TRUTH_FILE, Truth, read_truth
from training.files import read_array, read_json, write_bytes, write_json, writing
from training.splits import CLASSES, Part
from training.stage import command

FOLDER = "pictures"
SIDE = 192
"""Pixels: what is rendered, with room round the face for turned and shifted crops."""

CHANNELS = 3
IMAGES_FILE, BOXES_FILE, META_FILE = "images.npy", "boxes.npy", "meta.json"


@dataclass(frozen=True)
class Pictures:
    """All pictures of a run, in the order of their ids. `images`: (N, 192, 192, 3) uint8 RGB, mapped, not loaded;
    `boxes`: (N, 3) float32; `detected`: (N,) bool."""

    images: Pixels
    boxes: NDArray[np.float32]
    truths: Sequence[Truth]
    parts: Sequence[Part]
    detected: NDArray[np.bool_]
    rule_version: int
    crop_scale: float

    def by_crop(self) -> dict[str, int]:
        """The place of each picture by the name of its crop, without folder and ending."""
        return {crop_stem(truth): place for place, truth in enumerate(self.truths)}


def crop_stem(truth: Truth) -> str:
    """How the picture's product crop is called."""
    return f"{truth.id:07d}"


def crop_file(truth: Truth, label: int) -> str:
    """Where the picture's product crop lies in the run folder."""
    return f"faces/{CLASSES[label]}/{crop_stem(truth)}.jpg"


def has_pictures(run: Path) -> bool:
    """Whether the run is one of rendered faces."""
    return (run / FOLDER / META_FILE).is_file()


def to_side(rgb: Pixels) -> Pixels:
    """A square picture as it is stored."""
    if rgb.shape[0] == SIDE:
        return rgb
    how = cv2.INTER_AREA if rgb.shape[0] > SIDE else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(rgb, (SIDE, SIDE), interpolation=how), np.uint8)


@contextmanager
def writing_images(run: Path, count: int) -> Iterator[Callable[[int, Pixels], None]]:
    """A function that puts picture `place` into `images.npy`, in any order; the file appears when all are in.

    By plain writes: on a full disk a mapped file kills its process instead of saying so. Raises `TrainingFailed`.
    """
    with writing(run / FOLDER / IMAGES_FILE) as aside, aside.open("wb") as stream:
        shape = (count, SIDE, SIDE, CHANNELS)
        np.lib.format.write_array_header_1_0(stream, {"descr": "|u1", "fortran_order": False, "shape": shape})
        start = stream.tell()
        held = np.zeros(count, np.bool_)

        def put(place: int, rgb: Pixels) -> None:
            assert rgb.shape == shape[1:] and rgb.dtype == np.uint8
            stream.seek(start + place * rgb.size)
            stream.write(rgb.tobytes())
            held[place] = True

        yield put
        assert held.all()


def write_rest(
    run: Path,
    truths: Sequence[Truth],
    boxes: NDArray[np.float32],
    parts: Sequence[Part],
    detected: Sequence[bool],
    *,
    splits_sha256: str,
    rule_version: int,
    crop_scale: float,
) -> list[Path]:
    """Everything but the images; `meta.json` comes last, since by it the folder counts as whole."""
    folder = run / FOLDER
    with writing(folder / BOXES_FILE) as aside, aside.open("wb") as stream:
        np.save(stream, boxes)
    write_bytes(folder / TRUTH_FILE, b"".join(msgspec.json.encode(truth) + b"\n" for truth in truths))
    meta = {
        "parts": list(parts),
        "detected": list(detected),
        "splits_sha256": splits_sha256,
        "rule_version": rule_version,
        "crop_scale": crop_scale,
    }
    write_json(folder / META_FILE, meta)
    return [folder / name for name in (IMAGES_FILE, BOXES_FILE, TRUTH_FILE, META_FILE)]


def load_pictures(run: Path, splits_sha256: str) -> Pictures:
    """What `prepare --faces` left. Raises `TrainingFailed` where it is missing, damaged, or of other splits."""
    folder = run / FOLDER
    advice = f"run {command('prepare', run)} again, with --faces"
    meta = read_json(folder / META_FILE, what="rendered pictures", advice=advice)
    try:
        images = read_array(folder / IMAGES_FILE)
        boxes = np.array(read_array(folder / BOXES_FILE))
        pictures = Pictures(
            images,
            boxes,
            read_truth(folder),
            _parts(meta["parts"]),
            np.array(meta["detected"], np.bool_),
            int(meta["rule_version"]),
            float(meta["crop_scale"]),
        )
        owner = str(meta["splits_sha256"])
    except (OSError, KeyError, TypeError, ValueError, ArithmeticError, MemoryError) as error:
        raise TrainingFailed(f"expected rendered pictures in {folder}, got {error!r}: {advice}") from error
    count = len(pictures.truths)
    shapes = (images.shape, boxes.shape, len(pictures.parts), len(pictures.detected))
    if shapes != ((count, SIDE, SIDE, CHANNELS), (count, 3), count, count):
        raise TrainingFailed(
            f"expected {count} pictures of {SIDE}x{SIDE} with as many boxes, parts and words on detection in {folder},"
            f" got {shapes}: {advice}"
        )
    if owner != splits_sha256:
        raise TrainingFailed(
            f"expected the pictures in {folder} to be those of the splits {splits_sha256[:12]}…, got those of"
            f" {owner[:12]}…: {advice}"
        )
    return pictures


def _parts(words: Any) -> list[Part]:
    if not set(words) <= set(get_args(Part)):
        raise ValueError(f"parts {sorted(set(words))}")
    return list(words)
