"""Varied crops: the same from the same seed, mirrored with their truth, with eyes that nothing covers."""

from __future__ import annotations

import math

import torch

from tests.training.rendered import make_truth
from training.faces.augment import EYES_END, Augmenter, Batch, cut, normalised
from training.faces.targets import Targets, make_targets
from training.model import IMAGENET_MEAN, IMAGENET_STD
from training.signals import GAZE_YAW, LID_LEFT, YAW

SIDE, COUNT = 64, 16


def pictures() -> torch.Tensor:
    """Grey noise that is smooth enough to survive a camera; the left half is darker."""
    generator = torch.Generator().manual_seed(5)
    coarse = torch.rand(COUNT, 3, 24, 24, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(192, 192), mode="bilinear")
    fine[:, :, :, :96] *= 0.3
    return (255 * fine).byte().permute(0, 2, 3, 1).contiguous()


BOXES = torch.tensor([[96.0, 96.0, 110.0]]).repeat(COUNT, 1)


def targets() -> Targets:
    return make_targets([make_truth(yaw=20.0, gaze_yaw=10.0)] * COUNT)


def varied(seed: int, twins: bool = False) -> Batch:
    augment = Augmenter(SIDE, 1.25, torch.Generator().manual_seed(seed))
    return augment(pictures(), BOXES, targets(), torch.full((COUNT // 2,), twins))


def test_a_plain_cut_is_the_square_round_the_box() -> None:
    found = cut(pictures()[:2], torch.tensor([[96.5, 96.5, 44.0]] * 2), 55, 1.25)
    expected = pictures()[:2, 69:124, 69:124].permute(0, 3, 1, 2).float() / 255
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


def test_beyond_the_edge_the_picture_goes_on() -> None:
    found = cut(torch.full((1, 192, 192, 3), 77, dtype=torch.uint8), torch.tensor([[10.0, 5.0, 150.0]]), 40, 1.25)
    torch.testing.assert_close(found, torch.full_like(found, 77 / 255))


def test_the_same_seed_gives_the_same_crops_and_another_one_others() -> None:
    first, again, other = varied(1), varied(1), varied(2)
    assert first.crops.equal(again.crops)
    assert first.targets.signals.equal(again.targets.signals)
    assert not first.crops.equal(other.crops)


def test_crops_are_normalised_pictures() -> None:
    crops = varied(3).crops
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    assert crops.shape == (COUNT, 3, SIDE, SIDE)
    pixels = crops * std + mean
    assert -1e-5 <= float(pixels.min()) < float(pixels.max()) <= 1 + 1e-5
    assert torch.isfinite(crops).all()


def test_mirrored_crops_have_mirrored_targets() -> None:
    seen = set()
    for seed in range(3):
        batch = varied(seed)
        left, right = batch.crops[..., : SIDE // 2], batch.crops[..., SIDE // 2 :]
        darker_left = left.mean((1, 2, 3)) < right.mean((1, 2, 3))
        mirrored = batch.targets.signals[:, YAW] < 0
        assert mirrored.equal(batch.targets.signals[:, GAZE_YAW] < 0)
        agree = (darker_left != mirrored).float().mean()
        assert agree > 0.9  # a shadow may fall on the brighter half
        seen |= set(mirrored.tolist())
    assert seen == {True, False}


def test_twins_share_geometry_and_light_half_of_the_time() -> None:
    alike = 0
    for seed in range(6):
        flips = varied(seed, twins=True).targets.signals[:, YAW] < 0
        alike += int((flips[::2] == flips[1::2]).sum())
    assert 28 <= alike <= 45  # of 48 pairs: half share all, half of the rest agree by chance


def test_nothing_covers_the_eyes() -> None:
    augment = Augmenter(100, 1.25, torch.Generator().manual_seed(0))
    crops = torch.zeros(400, 3, 100, 100)
    covered = augment._covered(crops) != 0
    assert covered.any(dim=(1, 2, 3)).sum() > 10
    assert not covered[:, :, : int(100 * EYES_END)].any()


def test_eyes_that_a_poor_camera_hides_count_less() -> None:
    weights = torch.cat([varied(seed).targets.weights for seed in range(4)])
    assert (weights[:, YAW] == 1).all()
    asked = targets().weights[0, GAZE_YAW]
    assert (weights[:, GAZE_YAW] < asked).any()
    assert (weights[:, GAZE_YAW] == asked).any()
    assert (weights[:, GAZE_YAW] > 0).all()
    lids = weights[:, LID_LEFT]
    assert ((lids == 1) & (weights[:, GAZE_YAW] < asked)).any()  # an eyelid is larger than an iris


def test_a_lapse_that_only_the_eyes_tell_counts_where_they_can_be_seen() -> None:
    counts = torch.cat([varied(seed).targets.counts for seed in range(4)])
    assert (counts == 1).all()  # all attentive
    truths = [make_truth(lid_left=0.1, lid_right=0.1), make_truth(yaw=60.0)] * 24
    pictures = torch.zeros(48, 32, 32, 3, dtype=torch.uint8)
    boxes = torch.tensor([[16.0, 16.0, 16.0]] * 48)
    augment = Augmenter(64, 1.25, torch.Generator().manual_seed(5))
    counts = augment(pictures, boxes, make_targets(truths), torch.zeros(24, dtype=torch.bool)).targets.counts
    assert (counts[1::2] == 1).all()
    assert (counts[::2] == 1).any() and (counts[::2] < 1).any()


def test_normalised_crops_lie_in_channels_last() -> None:
    assert normalised(torch.rand(2, 3, 8, 8)).is_contiguous(memory_format=torch.channels_last)


def test_a_crop_turns_its_picture_the_way_that_its_targets_turn() -> None:
    """A light dot to the right of the middle: turned counter-clockwise it goes up, as a gaze to the right does."""
    pictures = torch.zeros(1, 100, 100, 3, dtype=torch.uint8)
    pictures[0, 49:52, 74:77] = 255
    augment = Augmenter(96, 1.0, torch.Generator().manual_seed(0))
    augment._shared = torch.zeros(1, dtype=torch.bool)
    augment._draw = torch.zeros_like  # type: ignore[method-assign]
    box, quarter = torch.tensor([[50.0, 50.0, 80.0]]), torch.tensor([math.pi / 2])
    crop = augment._cut(pictures, box, quarter, torch.tensor([False]))[0, 0]
    row, column = divmod(int(crop.argmax()), 96)
    assert row < 30 and abs(column - 48) < 4
