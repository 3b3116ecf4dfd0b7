"""Batches of rendered pictures: varied and in twins for training, plain for measuring.

What an epoch shows depends on (seed, epoch) alone, so a training that was killed goes on as if it had not been.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.errors import TrainingFailed
from training.faces.augment import Augmenter, Batch, cut, normalised
from training.faces.label import LabelRule
from training.faces.pictures import Pictures, load_pictures
from training.faces.targets import make_targets
from training.faces.truth import Truth
from training.splits import Part, Splits
from training.stage import command

PLAIN_BATCH = 64

FOUND_LOOSE = 0.5
"""Of the faces that the detector found get a box up to that far on the way to the head's. Where it found none, a device
still has the box of before, which is the head's rather than the face's: without this, a network that knew rendered
profiles in the middle of the face took real ones in the middle of the head for frontal (AUC 0.71 instead of 0.91)."""

LOST_LOOSE = 1.5
"""Where it found none the box lies up to that far on the way: a head that turns on leaves its face behind. Real ones
whose crop held an ear and the edge of a cheek were taken for frontal."""

LOST_TIGHT = 0.7
"""And its side is down to that share: heads have hair, and are larger than rendered ones."""

TURNED = (30.0, 45.0, 60.0)
"""Degrees of yaw from which a picture comes once more in an epoch."""

HEAD_SHARE, HEAD_DOWN = 0.79, -0.1
"""Side of a frontal face's box in heights of the head box, and how far below that one's centre it lies in sides:
medians of 3,838 faces that the detector found."""


class Feed:
    """The pictures of a run. `batch_size`: of training, even. Raises `TrainingFailed`, also for an older label rule."""

    def __init__(self, run: Path, splits: Splits, *, batch_size: int = 32, seed: int = 0) -> None:
        self._pictures: Pictures = load_pictures(run, splits.sha256)
        if self._pictures.rule_version != LabelRule().version:
            raise TrainingFailed(
                f"expected pictures that are labelled by rule {LabelRule().version}, got rule"
                f" {self._pictures.rule_version}: run {command('prepare', run)} again, with --faces"
            )
        self._scenes = [truth.scene for truth in self._pictures.truths]
        self._times = [1 + sum(abs(truth.yaw) > limit for limit in TURNED) for truth in self._pictures.truths]
        self._targets = make_targets(self._pictures.truths)
        self._boxes = torch.from_numpy(self._pictures.boxes)
        self._detected = torch.tensor(self._pictures.detected)
        self._heads = head_boxes(self._pictures.truths, self._pictures.images.shape[1])
        self._crop_scale = self._pictures.crop_scale
        self._batch_size = batch_size
        self._seed = seed

    def count(self, part: Part) -> int:
        """Pictures of a part."""
        return len(self._of(part))

    def steps(self, part: Part = "train") -> int:
        """Batches of an epoch."""
        return len(self._in_batches(self._order(part, 0)))

    def varied(self, side: int, epoch: int, part: Part = "train") -> Iterator[Batch]:
        """An epoch's batches for training, crops of `side` pixels."""
        generator = torch.Generator().manual_seed(hash((self._seed, epoch)) % 2**63)
        augment = Augmenter(side, self._crop_scale, generator)
        for index in self._in_batches(self._order(part, epoch)):
            scenes = [self._scenes[each] for each in index.tolist()]
            twins = torch.tensor([one == two for one, two in zip(scenes[::2], scenes[1::2], strict=True)])
            where = torch.from_numpy(index)
            yield augment(self._images(index), self._loosened(where, generator), self._targets[where], twins)

    def plain(self, part: Part, side: int, limit: int | None = None) -> Iterator[Batch]:
        """A part's batches as the product cuts them, in their order; at most `limit` pictures, evenly taken."""
        indices = self._of(part)
        if limit is not None and len(indices) > limit:
            indices = indices[np.linspace(0, len(indices) - 1, limit).astype(np.int64)]
        for start in range(0, len(indices), PLAIN_BATCH):
            index = indices[start : start + PLAIN_BATCH]
            where = torch.from_numpy(index)
            crops = cut(self._images(index), self._boxes[where], side, self._crop_scale)
            yield Batch(normalised(crops), self._targets[where])

    def _of(self, part: Part) -> NDArray[np.int64]:
        """Places of a part's pictures."""
        return np.array([place for place, own in enumerate(self._pictures.parts) if own == part], np.int64)

    def _loosened(self, where: Tensor, generator: torch.Generator) -> Tensor:
        """(N, 3): boxes between the face's and the head's, near the latter or beyond where no detector saw a face."""
        first, second, third = torch.rand(3, len(where), generator=generator)
        found = self._detected[where]
        share = torch.where(found, FOUND_LOOSE * first * (second < FOUND_LOOSE), LOST_LOOSE * first.sqrt())
        places = torch.lerp(self._boxes[where], self._heads[where], share[:, None])
        sides = torch.lerp(self._boxes[where, 2], self._heads[where, 2], share.clamp_max(1.0))
        places[:, 2] = sides * torch.where(found, 1.0, 1 - (1 - LOST_TIGHT) * third)
        return places

    def _images(self, index: NDArray[np.int64]) -> Tensor:
        """(N, H, H, 3) uint8; a copy, since the file is mapped for reading only."""
        return torch.from_numpy(np.ascontiguousarray(self._pictures.images[index]))

    def _order(self, part: Part, epoch: int) -> NDArray[np.int64]:
        """All of the part but at most one picture, an even number: twins beside each other, the rest at random.

        Heads that are turned far come more than once: they are few, and all that tells a profile from a face.
        """
        rng = np.random.default_rng((self._seed, epoch))
        scenes: dict[str, list[int]] = defaultdict(list)
        for index in rng.permutation(self._of(part)).tolist():
            scenes[self._scenes[index]].append(index)
        pairs, single = [], []
        for members in scenes.values():
            even = len(members) // 2 * 2
            for start in range(0, even, 2):
                pair = members[start : start + 2]
                pairs += [pair] * max(self._times[place] for place in pair)
            single += [place for place in members[even:] for _ in range(self._times[place])]
        pairs += [single[start : start + 2] for start in range(0, len(single) // 2 * 2, 2)]
        return np.array(pairs, np.int64).reshape(-1, 2)[rng.permutation(len(pairs))].reshape(-1)

    def _in_batches(self, order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Whole batches only, unless there is none: BatchNorm wants company."""
        size = self._batch_size
        return [order[start : start + size] for start in range(0, max(len(order) - size, 0) + 1, size)]


def head_boxes(truths: Sequence[Truth], pixels: int) -> Tensor:
    """(N, 3): centre and side of boxes round heads, as `Pictures.boxes` has those round faces."""
    boxes = []
    for truth in truths:
        left, top, right, bottom = truth.head_box
        side = HEAD_SHARE * (bottom - top)
        boxes.append(((left + right) / 2, (top + bottom) / 2 + HEAD_DOWN * side, side))
    return pixels * torch.tensor(boxes, dtype=torch.float32).reshape(-1, 3)
