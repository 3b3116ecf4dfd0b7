"""What a network trained on rendered people says beside "attentive": names, units, and the numbers inside it.

Inside the network each signal is divided by its scale, so that all of them live within about -1..1 and one learning
rate suits them. `closed` is a logit inside and a probability outside.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MAX_OPENNESS = 1.15
"""Of a lid, as reported: eyes torn open further say nothing more."""


@dataclass(frozen=True, slots=True)
class Signal:
    """`scale`: how many of the `unit` a 1 inside the network is; `low`, `high`: of what is reported."""

    name: str
    unit: str
    scale: float
    low: float
    high: float


SIGNALS = (
    Signal("yaw", "deg", 45.0, -90.0, 90.0),
    Signal("pitch", "deg", 30.0, -90.0, 90.0),
    Signal("lid_left", "openness", 1.0, 0.0, MAX_OPENNESS),
    Signal("lid_right", "openness", 1.0, 0.0, MAX_OPENNESS),
    Signal("gaze_yaw", "deg", 45.0, -90.0, 90.0),
    Signal("gaze_pitch", "deg", 30.0, -90.0, 90.0),
    Signal("mouth_open", "openness", 1.0, 0.0, 1.0),
    Signal("closed", "probability", 1.0, 0.0, 1.0),
)
"""In the order of the model's second output. The angles' signs are those of `training.faces.truth`."""

NAMES = tuple(signal.name for signal in SIGNALS)
YAW, PITCH, LID_LEFT, LID_RIGHT, GAZE_YAW, GAZE_PITCH, MOUTH_OPEN, CLOSED = range(len(SIGNALS))
SCALES = tuple(signal.scale for signal in SIGNALS)


def in_units(raw: Tensor) -> Tensor:
    """(N, 8) as the network has them -> (N, 8) in the signals' units, within their ranges."""
    columns = [
        (torch.sigmoid(column) if index == CLOSED else column * signal.scale).clamp(signal.low, signal.high)
        for index, (signal, column) in enumerate(zip(SIGNALS, raw.unbind(1), strict=True))
    ]
    return torch.stack(columns, 1)
