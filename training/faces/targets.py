"""What a network is to say of each rendered picture, and how much each answer counts.

Where a picture cannot show something, nothing is asked: lids and gaze in a head that is turned away, the direction of
eyes that are shut. Behind sunglasses, `LabelRule` lets the head alone decide; there the network is taught, with little
weight, to take the eyes for open and for looking where the head does, so that it does not speak against the person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from training.faces.label import LabelRule
from training.faces.truth import Truth
from training.signals import (
    CLOSED,
    GAZE_PITCH,
    GAZE_YAW,
    LID_LEFT,
    LID_RIGHT,
    MAX_OPENNESS,
    PITCH,
    SCALES,
    SIGNALS,
    YAW,
)

CLOSED_LID, OPEN_LID = 0.2, 0.35
"""Openness of the more open eye: up to the first it is closed, from the second it is not, between nobody can say."""

HALF_OPEN = 0.5

EYES_YAW, GAZE_YAW_LIMIT, EYES_PITCH = 42.0, 50.0, -30.0
"""Degrees: a head turned further hides the far eye, one lowered further hides both behind their lids."""

GAZE_LID = 0.3
"""Openness below which no iris is to be seen."""

UNSEEN = 0.2
"""Weight of what is only supposed."""

OPEN = 0.9
"""Openness of eyes that nobody sees."""

AVERTED_DEG = 20.0
"""Gaze this far from the head's direction counts twice as much as gaze straight ahead, which the head gives away."""

LIDS, GAZE = (LID_LEFT, LID_RIGHT, CLOSED), (GAZE_YAW, GAZE_PITCH)


@dataclass(frozen=True)
class Targets:
    """`signals`: (N, 8) as the network has them, `closed` as 0 or 1; `weights`: (N, 8); `attentive`: (N,) 0 or 1;
    `counts`: (N,) how much that label counts."""

    signals: Tensor
    weights: Tensor
    attentive: Tensor
    counts: Tensor

    def __getitem__(self, index: Tensor) -> Targets:
        return Targets(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, device: torch.device) -> Targets:
        """The same on `device`."""
        return Targets(*(getattr(self, field.name).to(device) for field in fields(self)))


def make_targets(truths: Sequence[Truth], rule: LabelRule | None = None) -> Targets:
    """Of N pictures."""
    judge = rule or LabelRule()
    rows = [_asked(truth, judge) for truth in truths]
    return Targets(
        signals=torch.tensor([signals for signals, _ in rows]).reshape(-1, len(SIGNALS)),
        weights=torch.tensor([weights for _, weights in rows]).reshape(-1, len(SIGNALS)),
        attentive=torch.tensor([float(judge.attentive(truth)) for truth in truths]),
        counts=torch.ones(len(truths)),
    )


def mirrored(targets: Targets, flipped: Tensor) -> Targets:
    """The targets of pictures of which `flipped`, (N,) bool, are mirrored: left is right."""
    order = list(range(len(SIGNALS)))
    order[LID_LEFT], order[LID_RIGHT] = LID_RIGHT, LID_LEFT
    signs = torch.ones(len(SIGNALS), device=targets.signals.device)
    signs[YAW] = signs[GAZE_YAW] = -1
    which = flipped[:, None]
    return replace(
        targets,
        signals=torch.where(which, targets.signals[:, order] * signs, targets.signals),
        weights=torch.where(which, targets.weights[:, order], targets.weights),
    )


def shut(targets: Targets) -> Tensor:
    """(N,) bool: both eyes are at most half open."""
    lids = targets.signals[:, [LID_LEFT, LID_RIGHT]] * SCALES[LID_LEFT]
    return lids.amax(1) < HALF_OPEN


def lapsed(targets: Targets) -> Tensor:
    """(N,) bool: not attentive, though the head faces the screen; only the eyes tell."""
    rule = LabelRule()
    yaw, pitch = (targets.signals[:, index] * SCALES[index] for index in (YAW, PITCH))
    faces = (yaw.abs() < rule.max_yaw) & (pitch > rule.min_pitch) & (pitch < rule.max_pitch)
    return faces & (targets.attentive == 0)


def averted(targets: Targets) -> Tensor:
    """(N,) bool: the eyes look elsewhere than the head."""
    away = [(targets.signals[:, gaze] * SCALES[gaze] - targets.signals[:, head] * SCALES[head]).abs()
            for gaze, head in ((GAZE_YAW, YAW), (GAZE_PITCH, PITCH))]  # fmt: skip
    return torch.stack(away).amax(0) > AVERTED_DEG


def turned(targets: Targets, angles: Tensor) -> Targets:
    """The targets of pictures that are turned about their middle, counter-clockwise by `angles`, (N,) radians.

    A direction's part along the camera's axis stays, the parts across and up turn with the picture.
    """
    signals = targets.signals.clone()
    sine, cosine = torch.sin(angles), torch.cos(angles)
    for yaw, pitch in ((YAW, PITCH), (GAZE_YAW, GAZE_PITCH)):
        east, north = (torch.deg2rad(signals[:, index] * SCALES[index]) for index in (yaw, pitch))
        across, up, along = torch.sin(east) * torch.cos(north), torch.sin(north), torch.cos(east) * torch.cos(north)
        across, up = cosine * across - sine * up, sine * across + cosine * up
        signals[:, yaw] = torch.rad2deg(torch.atan2(across, along)) / SCALES[yaw]
        signals[:, pitch] = torch.rad2deg(torch.asin(up.clamp(-1, 1))) / SCALES[pitch]
    return replace(targets, signals=signals)


def _asked(truth: Truth, rule: LabelRule) -> tuple[list[float], list[float]]:
    """One picture's signals and their weights."""
    lid = max(truth.lid_left, truth.lid_right)
    values = [
        truth.yaw, truth.pitch, min(truth.lid_left, MAX_OPENNESS), min(truth.lid_right, MAX_OPENNESS),
        truth.gaze_yaw, truth.gaze_pitch, truth.mouth_open, float(lid < CLOSED_LID),
    ]  # fmt: skip
    weights = [1.0] * len(SIGNALS)
    eyes = abs(truth.yaw) < EYES_YAW and truth.pitch > EYES_PITCH
    gaze = abs(truth.yaw) < GAZE_YAW_LIMIT and truth.pitch > EYES_PITCH and lid > GAZE_LID
    if not truth.eyes_visible and rule.faces(truth):
        values[LID_LEFT] = values[LID_RIGHT] = OPEN
        values[GAZE_YAW], values[GAZE_PITCH], values[CLOSED] = truth.yaw, truth.pitch, 0.0
        for index in LIDS + GAZE:
            weights[index] = UNSEEN
    elif not truth.eyes_visible:
        eyes = gaze = False
    if not eyes:
        weights[LID_LEFT] = weights[LID_RIGHT] = weights[CLOSED] = 0.0
    elif CLOSED_LID <= lid < OPEN_LID:
        weights[CLOSED] = 0.0
    if not gaze and weights[GAZE_YAW] == 1.0:
        weights[GAZE_YAW] = weights[GAZE_PITCH] = 0.0
    elif weights[GAZE_YAW] == 1.0:
        turned = max(abs(truth.gaze_yaw - truth.yaw), abs(truth.gaze_pitch - truth.pitch))
        weights[GAZE_YAW] = weights[GAZE_PITCH] = 1.0 + min(turned / AVERTED_DEG, 1.5)
    return [value / scale for value, scale in zip(values, SCALES, strict=True)], weights
