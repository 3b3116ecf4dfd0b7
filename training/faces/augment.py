"""Rendered pictures made as bad as webcams: whole batches at once, as tensors, from uint8 pictures to crops.

Geometry, light, colour, resolution, blur, compression, noise and things before the face. The eyes stay visible:
nothing is laid over them, since a picture without eyes cannot teach what eyes say. Two pictures that follow each
other and are twins (same person, pose and light) share geometry and light half of the time, so that what differs
between them is the eyes alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from training.faces.targets import GAZE, LIDS, Targets, averted, lapsed, mirrored, shut, turned
from training.model import IMAGENET_MEAN, IMAGENET_STD

LOWEST, HIGHEST = 24, 160
"""Pixels of a face crop's side, before it is scaled to what the network takes."""

LIDS_SEEN, GAZE_SEEN = (24, 64), (40, 112)
"""Crops of the first size show no eyelid, no iris; of the second they do. In between, what is said counts less."""

LEAST_TRUST = 0.2

SHUT_SEEN, AVERTED_SEEN = (40, 72), (56, 112)
"""The same for eyes that are shut or look aside, which below the first size do not count at all: blur is to speak for
a person. Real eyes that are narrow, at 28 pixels, were taken for shut ones."""

EYES_END = 0.56
"""Of a crop's height: above it lie the eyes, whatever the jitter."""

GROUPS = 6
"""Of a batch, each with a resolution of its own."""

BLOCK = 8
"""Pixels of a JPEG's block."""


@dataclass(frozen=True)
class Batch:
    """`crops`: (N, 3, S, S) float32, normalised by ImageNet's statistics; `targets`: theirs."""

    crops: Tensor
    targets: Targets


def cut(pictures: Tensor, boxes: Tensor, side: int, crop_scale: float) -> Tensor:
    """(N, H, H, 3) uint8 -> (N, 3, side, side) float32 of 0..1: the crops of the product, without any jitter."""
    halves = boxes[:, 2] * crop_scale / 2
    grid = _grid(boxes[:, :2], halves, torch.zeros(len(boxes)), torch.ones(len(boxes), 2))
    return _sampled(pictures, grid, side)


def normalised(crops: Tensor) -> Tensor:
    """(N, 3, S, S) of 0..1 by ImageNet's statistics, in channels_last."""
    mean, std = (torch.tensor(values, device=crops.device).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return ((crops - mean) / std).contiguous(memory_format=torch.channels_last)


class Augmenter:
    """Draws from `generator` alone: the same seed gives the same pictures. `side`: of the crops, S."""

    def __init__(self, side: int, crop_scale: float, generator: torch.Generator) -> None:
        self._side = side
        self._crop_scale = crop_scale
        self._generator = generator
        self._shared = torch.empty(0)

    def __call__(self, pictures: Tensor, boxes: Tensor, targets: Targets, twins: Tensor) -> Batch:
        """`pictures`: (N, H, H, 3) uint8, N even; `boxes`: (N, 3); `twins`: (N/2,) bool, of each two neighbours."""
        self._shared = (twins & (self._uniform(len(twins)) < 0.5)).repeat_interleave(2)
        flips = self._draw(self._uniform(len(pictures))) < 0.5
        angles = 0.11 * self._draw(self._normal(len(pictures)))
        crops = self._cut(pictures, boxes, angles, flips)
        crops = self._coloured(crops)
        crops = self._lit(crops)
        crops = self._covered(crops)
        crops, pixels = self._seen(crops)
        crops = self._exposed(crops)
        found = mirrored(turned(targets, angles), flips)
        weights = found.weights.clone()
        for signals, sizes, lapse, lapse_sizes in (
            (LIDS, LIDS_SEEN, shut(found), SHUT_SEEN), (GAZE, GAZE_SEEN, averted(found), AVERTED_SEEN)
        ):  # fmt: skip
            usual = _trust(pixels, *sizes).clamp_min(LEAST_TRUST)
            weights[:, signals] *= torch.where(lapse, _trust(pixels, *lapse_sizes), usual)[:, None]
        seen = torch.where(shut(found), _trust(pixels, *SHUT_SEEN), _trust(pixels, *AVERTED_SEEN))
        counts = torch.where(lapsed(targets), seen, found.counts)
        return Batch(normalised(crops), replace(found, weights=weights, counts=counts))

    def _cut(self, pictures: Tensor, boxes: Tensor, angles: Tensor, flips: Tensor) -> Tensor:
        """Another scale, place and aspect than the detector's, turned by `angles`, mirrored where `flips` says so."""
        count = len(pictures)
        scale = torch.exp(0.15 * self._draw(self._normal(count)))
        centres = boxes[:, :2] + 0.06 * boxes[:, 2:] * self._draw(self._normal(count, 2))
        aspect = torch.exp(0.06 * self._draw(self._normal(count)))
        stretch = torch.stack([torch.where(flips, -1.0, 1.0) * aspect, 1 / aspect], 1)
        return _sampled(
            pictures, _grid(centres, boxes[:, 2] * self._crop_scale / 2 * scale, angles, stretch), self._side
        )

    def _coloured(self, crops: Tensor) -> Tensor:
        """Grey by any mixture of the channels, or with a cast."""
        count = len(crops)
        grey = (self._draw(self._uniform(count)) < 0.35).view(-1, 1, 1, 1)
        mixture = self._draw(self._uniform(count, 3, 1, 1)) + 0.25
        plain = (crops * mixture).sum(1, keepdim=True) / mixture.sum(1, keepdim=True)
        warmth = 0.10 * self._draw(self._normal(count, 1, 1, 1)) * torch.tensor([1.0, 0.0, -1.0]).view(1, 3, 1, 1)
        cast = torch.exp(warmth + 0.05 * self._draw(self._normal(count, 3, 1, 1)))
        return torch.where(grey, plain, crops * cast)

    def _lit(self, crops: Tensor) -> Tensor:
        """Light from a side, and for some a shadow with an edge, hard or soft, anywhere: eyes in it are still seen."""
        count, ramp = len(crops), torch.linspace(-1, 1, self._side)
        across, down = ramp.view(1, 1, 1, -1), ramp.view(1, 1, -1, 1)
        gains = 0.18 * self._draw(self._normal(count, 2, 1, 1))
        lit = crops * torch.exp(across * gains[:, :1] + down * gains[:, 1:])
        lit = lit + 0.05 * across * self._draw(self._normal(count, 1, 1, 1))
        angle = 2 * math.pi * self._draw(self._uniform(count, 1, 1, 1))
        place, softness = (self._draw(self._uniform(count, 1, 1, 1)) for _ in range(2))
        strength = 0.65 * self._draw(self._uniform(count, 1, 1, 1))
        strength = strength * (self._draw(self._uniform(count, 1, 1, 1)) < 0.25)
        edge = across * torch.cos(angle) + down * torch.sin(angle) - 1.2 * (place - 0.5)
        return lit * (1 - strength * torch.sigmoid(edge * torch.exp(1 + 3 * softness)))

    def _covered(self, crops: Tensor) -> Tensor:
        """Something below the eyes or beside them for an eighth: a plain patch, or a piece of another picture."""
        side = self._side
        for index in torch.nonzero(self._uniform(len(crops)) < 0.12).flatten().tolist():
            draws = self._uniform(6).tolist()
            height, width = (int(side * (0.08 + 0.3 * value)) for value in draws[:2])
            top = int(side * EYES_END + draws[2] * (side * (1 - EYES_END) - height * 0.5))
            left = int(draws[3] * side - width / 2)
            rows, columns = slice(top, min(top + height, side)), slice(max(left, 0), max(left, 0) + width)
            other = crops[int(draws[4] * len(crops))].flip(1)[:, rows, columns]
            crops[index, :, rows, columns] = other if draws[5] < 0.6 else draws[5] * 2.5 - 1.5
        return crops

    def _seen(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Through a poor camera, each group of twins through another; also (N,) the pixels that a side has left."""
        seen = torch.full((len(crops),), float(HIGHEST))
        pairs = torch.randperm(len(crops) // 2, generator=self._generator)
        for group in pairs.chunk(GROUPS):
            chosen = torch.cat([2 * group, 2 * group + 1])
            draws = self._uniform(6).tolist()
            part = crops[chosen]
            if draws[0] < 0.3:
                part = self._blurred(part, moving=draws[0] < 0.15)
            if draws[1] < 0.65:
                pixels = math.exp(math.log(LOWEST) + draws[2] * math.log(HIGHEST / LOWEST))
                part = self._scaled(part, BLOCK * round(pixels / BLOCK), draws[3], draws[4])
                seen[chosen] = pixels
            elif draws[3] < 0.3:
                part = self._compressed(part, draws[4])
            crops[chosen] = part
        return crops, seen

    def _scaled(self, part: Tensor, pixels: int, kind: float, strength: float) -> Tensor:
        """As a face of so many pixels, with the noise or the compression of that size."""
        full = part.shape[-1]
        if pixels < full:
            part = functional.interpolate(part, size=(pixels, pixels), mode="bilinear", antialias=True)
        if kind < 0.4:
            part = self._compressed(part, strength)
        elif kind < 0.7:
            part = part + 0.05 * strength * self._normal(*part.shape)
        if pixels < full:
            part = functional.interpolate(part, size=(full, full), mode="bilinear" if kind < 0.85 else "bicubic")
        return part

    def _compressed(self, part: Tensor, strength: float) -> Tensor:
        """As JPEG does it: cosines of 8x8 blocks, rounded the more coarsely the finer they are."""
        count, channels, side, _ = part.shape
        blocks = part.reshape(count, channels, side // BLOCK, BLOCK, side // BLOCK, BLOCK)
        basis = _cosines()
        steps = torch.arange(BLOCK, dtype=torch.float32)
        coarse = (0.02 + 0.1 * strength) * (0.4 + (steps[:, None] + steps[None, :]) / BLOCK)
        found = torch.einsum("ui,ncaibj,vj->ncabuv", basis, blocks, basis)
        found = torch.round(found / coarse) * coarse
        return torch.einsum("ui,ncabuv,vj->ncaibj", basis, found, basis).reshape(part.shape)

    def _blurred(self, part: Tensor, *, moving: bool) -> Tensor:
        """Out of focus, or moved along a line, by up to 4 % of the side."""
        reach = max(2, round(0.03 * self._side))
        steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
        if moving:
            angle, length = math.pi * float(self._uniform(1)), reach * (0.4 + 0.6 * float(self._uniform(1)))
            across = -steps[None, :] * math.sin(angle) + steps[:, None] * math.cos(angle)
            along = steps[None, :] * math.cos(angle) + steps[:, None] * math.sin(angle)
            kernel = torch.exp(-(across**2)) * torch.sigmoid(4 * (length - along.abs()))
        else:
            width = reach * (0.1 + 0.35 * float(self._uniform(1)))
            kernel = torch.exp(-(steps[None, :] ** 2 + steps[:, None] ** 2) / (2 * width**2))
        weight = (kernel / kernel.sum()).expand(3, 1, -1, -1)
        padded = functional.pad(part, (reach,) * 4, mode="replicate")
        return functional.conv2d(padded, weight, groups=3)

    def _exposed(self, crops: Tensor) -> Tensor:
        """Gamma, contrast and brightness, clipped as a camera clips, and its noise."""
        count = len(crops)
        gamma = torch.exp(0.4 * self._draw(self._normal(count, 1, 1, 1)))
        contrast = torch.exp(0.1 + 0.35 * self._draw(self._normal(count, 1, 1, 1))).clamp(0.5, 2.5)
        brightness = 0.12 * self._draw(self._normal(count, 1, 1, 1))
        crops = (crops.clamp(1e-3, 1) ** gamma - 0.5) * contrast + 0.5 + brightness
        noise = 0.05 * self._draw(self._uniform(count, 1, 1, 1)) ** 2
        return (crops + noise * self._normal(*crops.shape)).clamp(0, 1)

    def _draw(self, values: Tensor) -> Tensor:
        """`values`, (N, ...), with those of the first twin for both where they share geometry and light."""
        shared = self._shared.view(-1, *[1] * (values.dim() - 1))
        return torch.where(shared, values[::2].repeat_interleave(2, 0), values)

    def _uniform(self, *shape: int) -> Tensor:
        return torch.rand(*shape, generator=self._generator)

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._generator)


def _trust(pixels: Tensor, hidden: int, shown: int) -> Tensor:
    """(N,) 0..1 for crops of so many pixels."""
    return ((pixels - hidden) / (shown - hidden)).clamp(0.0, 1.0)


def _grid(centres: Tensor, halves: Tensor, angles: Tensor, stretch: Tensor) -> Tensor:
    """(N, 2, 3) in pixels of the picture: from -1..1 of the crop. `stretch`: (N, 2), a negative one mirrors."""
    cosine, sine = torch.cos(angles), torch.sin(angles)
    across, down = (halves * stretch[:, axis] for axis in range(2))
    rows = [
        torch.stack([cosine * across, -sine * down, centres[:, 0]], 1),
        torch.stack([sine * across, cosine * down, centres[:, 1]], 1),
    ]
    return torch.stack(rows, 1)


def _sampled(pictures: Tensor, pixels: Tensor, side: int) -> Tensor:
    """(N, 3, side, side) of 0..1. Beyond the picture's edge its last pixels go on."""
    count, height = pictures.shape[:2]
    theta = pixels * (2 / height)
    theta[:, :, 2] -= 1
    grid = functional.affine_grid(theta, [count, 3, side, side], align_corners=False)
    planes = pictures.permute(0, 3, 1, 2).float() / 255
    return functional.grid_sample(planes, grid, align_corners=False, padding_mode="border")


def _cosines() -> Tensor:
    """(8, 8): the orthonormal basis of the discrete cosine transform."""
    steps = torch.arange(BLOCK, dtype=torch.float32)
    basis = torch.cos(math.pi * (steps[None, :] + 0.5) * steps[:, None] / BLOCK) * math.sqrt(2 / BLOCK)
    basis[0] /= math.sqrt(2)
    return basis
