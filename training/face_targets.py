"""What the face detector's network is to say of a scene, and how much each answer counts.

Every cell near a face's middle answers for it, more the nearer it is, so that the box that devices choose is the mean
of several answers and stands stiller than any one of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.face_network import CELL, COLUMNS, ROWS, UNIT, centres

REACH_SHARE, REACH_PIXELS = 0.11, 2.5
"""Standard deviation of the score round a face's middle: this share of the side and this much, in pixels."""

ANSWERS_FROM = 0.2
"""Wanted score from which a cell also answers for the box."""

UNASKED_SHARE = 0.6
"""Of the side: within it, cells of a face that may be found or not are not asked."""

SHARPNESS = 2.0
"""Exponent of the generalized focal loss (Li et al., NeurIPS 2020): easy cells, nearly all, count for little."""

BOX_WEIGHT = 2.0
"""Of the box's error, in sides, beside the score's."""


@dataclass(frozen=True)
class Targets:
    """Of N scenes. `score`, `asked`: (N, 16, 20), what to say and whether it counts; `box`: (N, 3, 16, 20), in the
    network's units; `side`: (N, 16, 20), pixels; `share`: (N, 16, 20), how much the box of a cell counts."""

    score: Tensor
    asked: Tensor
    box: Tensor
    side: Tensor
    share: Tensor


def targets(faces: Tensor) -> Targets:
    """Of `faces`, (N, most, 4): rows of centre x, centre y, side and whether it is to be found; sides of 0 are none."""
    grid = centres()[None, None]  # 1, 1, 2, 16, 20
    x, y, side, sure = (faces[:, :, index, None, None] for index in range(4))
    real = side > 0
    side = side.clamp(min=1.0)
    across, along = x - grid[:, :, 0], y - grid[:, :, 1]
    away = across.square() + along.square()
    reach = REACH_SHARE * side + REACH_PIXELS
    score = torch.exp(-away / (2 * reach.square()))
    score = score / score.amax(dim=(-2, -1), keepdim=True).clamp(min=1e-6)  # one cell is sure, wherever the middle is
    score = torch.where(real & (sure > 0), score, 0.0)
    near = (across.abs() < UNASKED_SHARE * side) & (along.abs() < UNASKED_SHARE * side)
    asked = ~(near & real & (sure <= 0)).any(dim=1)
    best, whose = score.max(dim=1)
    box = torch.stack((across / CELL, along / CELL, torch.log(side / UNIT).expand_as(across)), dim=2)
    chosen = box.gather(1, whose[:, None, None].expand(-1, 1, 3, ROWS, COLUMNS))[:, 0]
    sides = side.expand_as(across).gather(1, whose[:, None])[:, 0]
    share = torch.where(asked & (best >= ANSWERS_FROM), best, 0.0)
    return Targets(best, asked.float(), chosen, sides, share)


def loss(raw: Tensor, wanted: Targets) -> Tensor:
    """Of the network's (N, 4, 16, 20), per scene."""
    logits = raw[:, 0]
    missed = (torch.sigmoid(logits) - wanted.score).abs().pow(SHARPNESS)
    scores = functional.binary_cross_entropy_with_logits(logits, wanted.score, reduction="none") * missed
    off = (raw[:, 1:] - wanted.box).abs()
    # A face of any size is as wrong as the share of its side by which it is off.
    sides = torch.stack((wanted.side / CELL, wanted.side / CELL, torch.ones_like(wanted.side)), dim=1)
    boxes = (off / sides).sum(dim=1) * wanted.share
    faces = wanted.share.sum() + 1
    return (scores * wanted.asked).sum() / faces + BOX_WEIGHT * boxes.sum() / faces
