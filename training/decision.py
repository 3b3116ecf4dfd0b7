"""From what the network sees to "attentive": a soft minimum over margins, so that one reason against is enough.

A margin says how far a signal is on the right side of its limit (`training.faces.label.LabelRule`): the head's yaw
and pitch, the gaze, the lids, the logit of "closed", and the reference's own head as one more opinion. Each margin
is a logit; the odds against "attentive" are the sum of the odds that each margin gives:

    logit = bias - log(sum(exp(-margin)))        margin = scale * (distance to the limit + offset)

Scales, offsets and the bias are fitted on the validation part, after training, by cross-entropy that weighs both
classes alike: so probability 0.5 is the operating point. They are held near the rule's own limits, since a few
hundred images must not switch a reason off, nor make it the only one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.errors import TrainingFailed
from training.faces.label import LabelRule
from training.signals import CLOSED, GAZE_PITCH, GAZE_YAW, LID_LEFT, LID_RIGHT, PITCH, SCALES, YAW


@dataclass(frozen=True, slots=True)
class Margin:
    """`scale`: logits per 1 of the distance before anything is fitted; `reach`: how far an offset may go, in the
    network's own units of the signal."""

    name: str
    scale: float
    reach: float


MARGINS = (
    Margin("yaw", 12.0, 8.0 / SCALES[YAW]),
    Margin("pitch_up", 8.0, 8.0 / SCALES[PITCH]),
    Margin("pitch_down", 8.0, 8.0 / SCALES[PITCH]),
    Margin("gaze_yaw", 12.0, 8.0 / SCALES[GAZE_YAW]),
    Margin("gaze_up", 8.0, 8.0 / SCALES[GAZE_PITCH]),
    Margin("gaze_down", 8.0, 8.0 / SCALES[GAZE_PITCH]),
    Margin("lids", 12.0, 0.2),
    Margin("closed", 1.0, 4.0),
    Margin("own", 1.0, 4.0),
)
"""A scale of 12 makes 10 degrees of yaw (0.22 inside) 2.7 logits."""

SCALE_RANGE = 4.0
"""A fitted scale lies within this factor of the one before."""

BIAS_REACH = 4.0
PRIOR = 0.02
"""Weight of the squared way from the start, in steps of the range, beside the mean cross-entropy."""

ROUNDS = 200
"""Of L-BFGS, for 19 numbers: far more than it takes."""


class Decision(nn.Module):
    """(N, 1) own logits and (N, 8) signals as the network has them -> (N, 1) logits of "attentive".

    Its numbers are buffers: part of the state dict, but nothing that an optimizer of the network would touch.
    """

    scales: Tensor
    offsets: Tensor
    bias: Tensor

    def __init__(self, rule: LabelRule | None = None) -> None:
        super().__init__()
        self.rule = rule or LabelRule()
        self.register_buffer("scales", torch.tensor([margin.scale for margin in MARGINS]))
        self.register_buffer("offsets", torch.zeros(len(MARGINS)))
        self.register_buffer("bias", torch.zeros(1))

    def forward(self, own: Tensor, raw: Tensor) -> Tensor:
        """Logits."""
        return decided(self.distances(own, raw), self.scales, self.offsets, self.bias)

    def distances(self, own: Tensor, raw: Tensor) -> Tensor:
        """(N, 9): how far each margin is from its limit, positive on the side of "attentive"."""
        rule = self.rule
        yaw, pitch, gaze_yaw, gaze_pitch = (raw[:, index : index + 1] for index in (YAW, PITCH, GAZE_YAW, GAZE_PITCH))
        lids = torch.maximum(raw[:, LID_LEFT : LID_LEFT + 1], raw[:, LID_RIGHT : LID_RIGHT + 1])
        return torch.cat(
            [
                rule.max_yaw / SCALES[YAW] - yaw.abs(),
                rule.max_pitch / SCALES[PITCH] - pitch,
                pitch - rule.min_pitch / SCALES[PITCH],
                rule.max_gaze_yaw / SCALES[GAZE_YAW] - gaze_yaw.abs(),
                rule.max_gaze_pitch / SCALES[GAZE_PITCH] - gaze_pitch,
                gaze_pitch - rule.min_gaze_pitch / SCALES[GAZE_PITCH],
                lids - rule.min_lid,
                -raw[:, CLOSED : CLOSED + 1],
                own,
            ],
            dim=1,
        )

    def as_dict(self) -> dict[str, dict[str, float]]:
        """Scale and offset of each margin, and the bias, for records and people."""
        rows = zip(MARGINS, self.scales.tolist(), self.offsets.tolist(), strict=True)
        found = {margin.name: {"scale": scale, "offset": offset} for margin, scale, offset in rows}
        return found | {"all": {"bias": float(self.bias)}}


def decided(distances: Tensor, scales: Tensor, offsets: Tensor, bias: Tensor) -> Tensor:
    """(N, 1) logits of (N, 9) distances. Written out, since ONNX and its quantizers know no better logsumexp."""
    against = -scales * (distances + offsets)
    highest = against.amax(dim=1, keepdim=True)
    return bias - highest - torch.log(torch.exp(against - highest).sum(dim=1, keepdim=True))


def fit_decision(decision: Decision, own: Tensor, raw: Tensor, labels: Tensor, counts: Tensor | None = None) -> float:
    """Fit `decision` to (N, 1) own logits, (N, 8) signals and (N,) labels of 0 and 1; returns the cross-entropy.

    `counts`: (N,) how much each label counts, 1 by default; the classes count alike whatever their size.

    Raises `TrainingFailed` for one class only, or numbers that are not finite.
    """
    count, attentive = len(labels), int(labels.sum())
    if not 0 < attentive < count:
        raise TrainingFailed(f"expected images of both classes to fit the decision on, got {attentive} of {count}")
    fresh = Decision(decision.rule)
    distances = fresh.distances(own, raw).double()
    if not bool(torch.isfinite(distances).all()):
        raise TrainingFailed("expected finite signals to fit the decision on, got some that are not")
    starts = fresh.scales.double()
    reaches = torch.tensor([margin.reach for margin in MARGINS], dtype=torch.float64)
    truth = labels.double()[:, None]
    shares = torch.ones(count, 1, dtype=torch.float64) if counts is None else counts.double()[:, None]
    both = shares.sum()
    positive = (shares * truth).sum()
    weights = shares * torch.where(truth > 0, count / (2 * positive), count / (2 * (both - positive)))
    free = torch.zeros(2 * len(MARGINS) + 1, dtype=torch.float64, requires_grad=True)

    def bounded() -> tuple[Tensor, Tensor, Tensor]:
        steps = torch.tanh(free)
        scale, offset, bias = steps[: len(MARGINS)], steps[len(MARGINS) : -1], steps[-1:]
        return starts * torch.exp(math.log(SCALE_RANGE) * scale), reaches * offset, BIAS_REACH * bias

    def cross_entropy() -> Tensor:
        logits = decided(distances, *bounded())
        return nn.functional.binary_cross_entropy_with_logits(logits, truth, weights)

    optimizer = torch.optim.LBFGS([free], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = cross_entropy() + PRIOR * free.square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        scales, offsets, bias = bounded()
        decision.scales.copy_(scales)
        decision.offsets.copy_(offsets)
        decision.bias.copy_(bias)
        return float(cross_entropy())
