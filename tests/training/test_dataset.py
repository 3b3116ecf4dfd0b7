"""The same pictures come however the work is shared, in the form the network takes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from training.dataset import CropDataset, loader, plain_transform, predict_logits, read_crops, train_transform
from training.errors import TrainingFailed
from training.images import read_crop
from training.model import IMAGENET_MEAN, IMAGENET_STD, load_checkpoint
from training.splits import Sample, load_splits

LOWEST = -max(mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))
HIGHEST = max((1 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True))


@pytest.fixture(scope="module")
def samples(tiny_original: Path) -> tuple[Sample, ...]:
    """Ten images of both classes."""
    train = load_splits(tiny_original)["train"]
    return tuple(sample for label in (0, 1) for sample in [one for one in train if one.label == label][:5])


def pictures(dataset: CropDataset, workers: int = 0, batch_size: int = 4) -> Tensor:
    return torch.cat([images for images, _ in loader(dataset, batch_size=batch_size, workers=workers)])


@pytest.mark.parametrize(("workers", "batch_size"), [(0, 3), (2, 4)])
def test_every_way_of_sharing_the_work_gives_the_same_pictures(
    tiny_original: Path, samples: tuple[Sample, ...], workers: int, batch_size: int
) -> None:
    dataset = CropDataset(tiny_original, samples, train_transform(), seed=7)
    expected = pictures(dataset)
    torch.manual_seed(99)
    assert torch.equal(pictures(dataset, workers, batch_size), expected)


def test_a_resumed_epoch_sees_what_it_would_have_seen(tiny_original: Path, samples: tuple[Sample, ...]) -> None:
    whole = CropDataset(tiny_original, samples, train_transform(), seed=7)
    epochs = []
    for whole.epoch in range(3):
        epochs.append(pictures(whole))
    resumed = CropDataset(tiny_original, samples, train_transform(), seed=7)
    resumed.epoch = 2
    assert torch.equal(pictures(resumed), epochs[2])
    assert not torch.equal(epochs[1], epochs[2])


def test_each_image_and_each_seed_is_varied_in_its_own_way(tiny_original: Path, samples: tuple[Sample, ...]) -> None:
    one, other = (
        pictures(CropDataset(tiny_original, [samples[0]] * 3, train_transform(), seed=seed)) for seed in (7, 8)
    )
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one, other)


def test_loading_leaves_the_random_numbers_of_training_alone(tiny_original: Path, samples: tuple[Sample, ...]) -> None:
    dataset = CropDataset(tiny_original, samples, train_transform())
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    _ = dataset[0]
    assert torch.equal(torch.rand(1), expected)


def test_images_are_normalised_and_labels_are_floats(tiny_original: Path, samples: tuple[Sample, ...]) -> None:
    for transform in (train_transform(), plain_transform()):
        images, labels = next(iter(loader(CropDataset(tiny_original, samples, transform), batch_size=10, workers=0)))
        assert (images.shape, images.dtype, labels.dtype) == ((10, 3, 160, 160), torch.float32, torch.float32)
        assert LOWEST - 1e-3 <= images.min() < 0 < images.max() <= HIGHEST + 1e-3
        assert labels.tolist() == [0.0] * 5 + [1.0] * 5


def test_the_plain_transform_is_scaling_and_imagenets_statistics() -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (160, 160, 3), np.uint8)
    expected = ((rgb / 255.0 - IMAGENET_MEAN) / IMAGENET_STD).transpose(2, 0, 1)
    np.testing.assert_allclose(plain_transform()(torch.from_numpy(rgb).permute(2, 0, 1)), expected, atol=1e-5)


@pytest.mark.parametrize("side", [64, 320])
def test_other_sizes_are_brought_to_160(tmp_path: Path, side: int) -> None:
    cv2.imwrite(str(tmp_path / "big.png"), np.full((side, side, 3), (10, 20, 30), np.uint8))  # BGR
    crop = read_crop(tmp_path / "big.png")
    assert (crop.shape, crop.dtype) == ((160, 160, 3), np.uint8)
    assert (crop == (30, 20, 10)).all()
    assert plain_transform()(torch.zeros(3, side, side, dtype=torch.uint8)).shape == (3, 160, 160)


def test_crops_come_in_the_order_of_their_samples(tiny_original: Path, samples: tuple[Sample, ...]) -> None:
    crops = read_crops(tiny_original, samples)
    assert (crops.shape, crops.dtype) == ((10, 160, 160, 3), np.uint8)
    assert all((crops[place] == read_crop(tiny_original / sample.file)).all() for place, sample in enumerate(samples))


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "face.jpg").write_bytes(content)
    with pytest.raises(TrainingFailed, match=r"expected an image at .*face\.jpg, got none: run `prepare` again"):
        read_crop(tmp_path / "face.jpg")


def test_logits_come_in_the_loaders_order_with_dropout_off(tiny_original: Path, samples: tuple[Sample, ...]) -> None:
    model = load_checkpoint(tiny_original / "attentive_model.pth").model.train()
    dataset = CropDataset(tiny_original, samples, plain_transform())
    found = predict_logits(model, loader(dataset, batch_size=4, workers=0))
    assert (found.shape, found.dtype) == ((10,), np.float64)
    backwards = predict_logits(model, loader(dataset, batch_size=4, sampler=list(range(9, -1, -1)), workers=0))
    np.testing.assert_allclose(backwards[::-1], found, atol=1e-4)
