"""Crops on disk -> batches of tensors, the same ones however many workers and processes share the work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from peer.perception.crop import CROP_SIDE, Pixels
from training.images import read_crop
from training.model import IMAGENET_MEAN, IMAGENET_STD
from training.pool import usable_cores
from training.splits import Sample
from training.vision import InterpolationMode, v2

Transform = Callable[[Tensor], Tensor]

NORMALISE: tuple[v2.Transform, ...] = (
    v2.Resize((CROP_SIDE, CROP_SIDE)),
    v2.ToDtype(torch.float32, scale=True),
    v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
)
MAX_WORKERS = 4
"""The reference's number; fewer where the machine has fewer cores."""


def train_transform() -> Transform:
    """(3, H, W) uint8 RGB -> (3, 160, 160) float32 normalised, varied as in the reference, chapter 4."""
    return v2.Compose(  # type: ignore[no-any-return]
        [
            NORMALISE[0],
            v2.RandomHorizontalFlip(0.5),
            v2.RandomRotation(8, InterpolationMode.BILINEAR),
            v2.RandomAffine(0, translate=(0.05, 0.05), scale=(0.9, 1.1), interpolation=InterpolationMode.BILINEAR),
            v2.ColorJitter(contrast=0.15),
            *NORMALISE[1:],
        ]
    )


def plain_transform() -> Transform:
    """(3, H, W) uint8 RGB -> (3, 160, 160) float32 normalised."""
    return v2.Compose(list(NORMALISE))  # type: ignore[no-any-return]


def read_crops(run: Path, samples: Sequence[Sample]) -> Pixels:
    """(N, 160, 160, 3) uint8 RGB: what the deployed model takes, 77 kB per image. Raises `TrainingFailed`."""
    crops = np.empty((len(samples), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for index, sample in enumerate(samples):
        crops[index] = read_crop(run / sample.file)
    return crops


class CropDataset(Dataset[tuple[Tensor, Tensor]]):
    """Images with their labels: ((3, 160, 160) float32, () float32).

    What happens to image i in epoch e depends on (seed, e, i) alone, so that a run that was killed and resumed, one
    with more workers, and one over two processes all see the same pictures.
    """

    def __init__(self, run: Path, samples: Sequence[Sample], transform: Transform, seed: int = 0) -> None:
        self._run = run
        self._samples = samples
        self._transform = transform
        self._seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        sample = self._samples[index]
        image = torch.from_numpy(read_crop(self._run / sample.file)).permute(2, 0, 1).contiguous()
        with torch.random.fork_rng(devices=[]):  # dropout draws from the same generator where there are no workers
            torch.manual_seed(hash((self._seed, self.epoch, index)) % 2**63)
            return self._transform(image), torch.tensor(float(sample.label))


def loader(
    dataset: CropDataset,
    *,
    batch_size: int = 32,
    sampler: Sampler[int] | Sequence[int] | None = None,
    workers: int | None = None,
    pin_memory: bool = False,
) -> DataLoader[tuple[Tensor, Tensor]]:
    """Batches of ((B, 3, 160, 160), (B,)) in the sampler's order, or the data set's."""
    count = min(MAX_WORKERS, usable_cores() - 1) if workers is None else workers
    return DataLoader(dataset, batch_size, sampler=sampler, num_workers=count, pin_memory=pin_memory)


@torch.inference_mode()
def predict_logits(
    model: torch.nn.Module, batches: DataLoader[tuple[Tensor, Tensor]], device: torch.device | None = None
) -> NDArray[np.float64]:
    """(N,) logits in the loader's order."""
    model.eval()
    where = device or torch.device("cpu")
    found = [model(images.to(where)).reshape(-1).float().cpu() for images, _ in batches]
    return torch.cat(found).numpy().astype(np.float64)
