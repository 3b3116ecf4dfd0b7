"""What the model says of one face: how attentive it looks and, where the model can, why."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Signals:
    """What can be measured in a face; left and right are the person's own.

    Angles are degrees as the camera sees them: yaw > 0 is to the picture's right, pitch > 0 is up.
    """

    yaw: float
    """Of the head."""
    pitch: float
    """Of the head."""
    lid_left: float
    """Openness: 0 is shut, 1 an open eye, up to 1.15 wide open."""
    lid_right: float
    gaze_yaw: float
    gaze_pitch: float
    mouth_open: float
    """0 shut, 1 as wide as a yawn."""
    closed: float
    """Probability, 0..1, that both eyes are shut or nearly so."""


SIGNAL_NAMES = tuple(field.name for field in fields(Signals))
"""As a model's card names the columns of its output `signals`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at a face: the probability, 0..1, that the person is attentive; no signals from a model without."""

    score: float
    signals: Signals | None = None
