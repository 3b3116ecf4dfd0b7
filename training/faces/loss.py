"""How wrong an answer about rendered pictures is: in training, and in units that people know."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from training.faces.targets import UNSEEN, Targets
from training.signals import CLOSED, GAZE_PITCH, GAZE_YAW, NAMES, SIGNALS, in_units

WEIGHTS = {
    "yaw": 2.0, "pitch": 2.0, "lid_left": 2.0, "lid_right": 2.0, "gaze_yaw": 5.0, "gaze_pitch": 5.0,
    "mouth_open": 1.0, "closed": 1.0,
}  # fmt: skip
"""Of each signal. Gaze is the hardest to see: a few pixels of each eye."""

ATTENTIVE = 0.5
"""Weight of the reference head's logit, the only one whose truth is a label."""

KNEE = 0.15
"""Of the smooth L1 loss, in the network's units: 7 degrees of yaw."""

TEACHER = 2.0
"""Weight of the differences to a teacher's answers, in distillation."""


def loss_of(own: Tensor, raw: Tensor, targets: Targets, gaze: float = 1.0) -> Tensor:
    """Mean over the batch. `own`: (N, 1) logits of the reference's head; `raw`: (N, 8) signals of the network.

    `gaze`: share of its weight that gaze has, 0..1.
    """
    columns = [
        functional.smooth_l1_loss(raw[:, index], targets.signals[:, index], reduction="none", beta=KNEE)
        if index != CLOSED
        else functional.binary_cross_entropy_with_logits(raw[:, index], targets.signals[:, index], reduction="none")
        for index in range(len(SIGNALS))
    ]
    shares = [gaze if index in (GAZE_YAW, GAZE_PITCH) else 1.0 for index in range(len(SIGNALS))]
    importance = torch.tensor([WEIGHTS[name] * share for name, share in zip(NAMES, shares, strict=True)]).to(raw)
    signals = (torch.stack(columns, 1) * targets.weights * importance).sum(1).mean()
    labels = functional.binary_cross_entropy_with_logits(own.squeeze(1), targets.attentive, targets.counts)
    return signals + ATTENTIVE * labels


def distillation(
    own: Tensor, raw: Tensor, teacher_own: Tensor, teacher_raw: Tensor, weights: Tensor | None = None
) -> Tensor:
    """How far a small network's answers are from a large one's on the same pictures; also where truth is silent,
    unless `weights`, (N, 8), say that a teacher who is no better is to be silent there, too.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; here most of it is regression.
    """
    importance = torch.tensor([WEIGHTS[name] if name != "closed" else 0.2 for name in NAMES], device=raw.device)
    signals = functional.smooth_l1_loss(raw, teacher_raw, reduction="none", beta=KNEE) * importance
    logits = functional.binary_cross_entropy_with_logits(own, torch.sigmoid(teacher_own))
    if weights is not None:
        signals = signals * weights.clamp_max(1.0)
    return TEACHER * signals.sum(1).mean() + ATTENTIVE * logits


def mean_errors(raw: Tensor, targets: Targets) -> dict[str, float]:
    """Mean absolute error of each signal in its units, where truth says something: `closed`'s is a probability's.

    Gaze also by itself where it leaves the head's direction, as `gaze_yaw_averted`. NaN where nothing is known.
    """
    told, truth = in_units(raw), in_units(_as_raw(targets.signals))
    known = targets.weights > UNSEEN
    errors = (told - truth).abs()
    found = {name: _mean(errors[:, index], known[:, index]) for index, name in enumerate(NAMES)}
    averted = targets.weights[:, GAZE_YAW] > 1.75  # 15 degrees and more
    found["gaze_yaw_averted"] = _mean(errors[:, GAZE_YAW], averted)
    found["gaze_pitch_averted"] = _mean(errors[:, GAZE_PITCH], averted)
    return found


def _as_raw(signals: Tensor) -> Tensor:
    """Targets with `closed` as a logit, as `in_units` takes them."""
    raw = signals.clone()
    raw[:, CLOSED] = torch.logit(signals[:, CLOSED], eps=1e-6)
    return raw


def _mean(values: Tensor, known: Tensor) -> float:
    return float(values[known].mean())
