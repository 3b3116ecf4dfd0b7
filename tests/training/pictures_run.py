"""A run folder of rendered people as `prepare --faces` leaves it, drawn with a few strokes and cut by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.training.rendered import draw, truths_of
from training.faces.feed import Feed
from training.faces.label import LabelRule
from training.faces.pictures import crop_file, to_side, write_rest, writing_images
from training.images import to_jpeg
from training.splits import PARTS, Part, Sample, Splits, save_splits

CROP_SCALE = 1.25
PEOPLE: dict[Part, int] = {"train": 3, "val": 1, "test": 1}
"""Of eight pictures each."""

BOX = (96.0, 100.0, 80.0)
"""Centre and side of the drawn heads, in pixels of the 192 x 192 picture."""


def make_pictures_run(run: Path) -> Splits:
    """Crops, splits and `pictures/` in `run`."""
    rule = LabelRule()
    part_of = [part for part in PARTS for _ in range(PEOPLE[part])]
    truths = truths_of(len(part_of))
    samples: dict[Part, list[Sample]] = {part: [] for part in PARTS}
    left, top, side = (round(value) for value in (BOX[0] - 50, BOX[1] - 50, BOX[2] * CROP_SCALE))
    with writing_images(run, len(truths)) as put:
        for place, truth in enumerate(truths):
            rgb = to_side(np.ascontiguousarray(draw(truth)[:, :, ::-1]))
            put(place, rgb)
            label = int(rule.attentive(truth))
            file = crop_file(truth, label)
            (run / file).parent.mkdir(parents=True, exist_ok=True)
            crop = cv2.resize(rgb[top : top + side, left : left + side], (160, 160))
            (run / file).write_bytes(to_jpeg(np.asarray(crop, np.uint8)))
            samples[part_of[truth.person]].append(Sample(file, f"p{truth.person}", truth.scene, label))
    splits = save_splits(run, samples, {"split": "subject", "seed": 42, "per_class": None, "crop_scale": CROP_SCALE})
    write_rest(
        run, truths, np.array([BOX] * len(truths), np.float32), [part_of[truth.person] for truth in truths],
        [True] * len(truths), splits_sha256=splits.sha256, rule_version=rule.version, crop_scale=CROP_SCALE,
    )  # fmt: skip
    return splits


def small_feed(run: Path, splits: Splits, *, seed: int = 0) -> Feed:
    """Batches of eight."""
    return Feed(run, splits, batch_size=8, seed=seed)
