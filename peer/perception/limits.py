"""How far a head may turn and eyes may wander before it counts, and how far beyond that a face is.

The limits are those of the rule that labels the training's faces (`training.faces.label.LabelRule`, version 1), so
that a reason never contradicts what the model learnt; a test compares them.
"""

from __future__ import annotations

import math

from peer.perception.signals import Signals
from signaling.protocol import Reason

MAX_YAW_DEG = 25.0
"""Of the head, to either side: beyond it, the far edge of a wide screen is behind one's cheek."""
MIN_PITCH_DEG, MAX_PITCH_DEG = -20.0, 20.0
"""Of the head: lower is a phone or the desk, higher is the ceiling."""
MAX_GAZE_YAW_DEG = 23.0
"""Half of a wide screen at arm's length, and the error of looking at a camera above it."""
MIN_GAZE_PITCH_DEG, MAX_GAZE_PITCH_DEG = -23.0, 16.0
"""The camera sits above the screen more often than below."""
MIN_LID = 0.42
"""Openness of the more open eye: narrowed by laughter or light is above, drowsy is below."""

# A limit is no wall: over this distance a margin grows by one, and what the rule gives for a score from 0.5 to 0.73.
# About the error of the model's own signals, gaze being the hardest to see.
YAW_SOFT_DEG = 4.0
PITCH_SOFT_DEG = 3.5
GAZE_SOFT_DEG = 8.0
LID_SOFT = 0.08
CLOSED_SOFT_LOGIT = 1.0

THRESHOLD = 0.5
"""What `score` gives at a limit."""

MAX_LOGIT = 5.0
"""Beyond this a probability says how sure the model is of itself, not how shut the eyes are."""


def margins(signals: Signals) -> dict[Reason, float]:
    """How far within (> 0) or beyond (< 0) its limit each reason to be inattentive is, in soft steps of that limit.

    Where the eyes are shut their direction is unknown, and speaks for nothing.
    """
    shut = _eyes(signals)
    return {
        Reason.TURNED: min(
            (MAX_YAW_DEG - abs(signals.yaw)) / YAW_SOFT_DEG, (MAX_PITCH_DEG - signals.pitch) / PITCH_SOFT_DEG
        ),
        Reason.DOWN: (signals.pitch - MIN_PITCH_DEG) / PITCH_SOFT_DEG,
        Reason.EYES_CLOSED: shut,
        Reason.LOOKING_OFF: _gaze(signals) if shut > 0 else math.inf,
    }


def head_margin(signals: Signals) -> float:
    """How far within (> 0) or beyond (< 0) its limits the head is, whatever the eyes do."""
    found = margins(signals)
    return min(found[Reason.TURNED], found[Reason.DOWN])


def eyes_margin(signals: Signals) -> float:
    """How far the eyes are open (> 0) or shut (< 0)."""
    return margins(signals)[Reason.EYES_CLOSED]


def score(signals: Signals) -> float:
    """0..1, 0.5 at a limit: the worst margin through a sigmoid, since one reason is enough."""
    worst = min(margins(signals).values())
    return 1.0 / (1.0 + math.exp(-max(-30.0, worst)))


def describe(reason: Reason, signals: Signals) -> str:
    """`reason` with its angle where that says more, for the person's own eyes; "" where it doesn't."""
    if reason is not Reason.TURNED:
        return ""
    sideways = (MAX_YAW_DEG - abs(signals.yaw)) / YAW_SOFT_DEG
    if sideways <= (MAX_PITCH_DEG - signals.pitch) / PITCH_SOFT_DEG:
        return f"head turned {abs(signals.yaw):.0f}°"
    return f"head raised {signals.pitch:.0f}°"


def _eyes(signals: Signals) -> float:
    """Lids and the model's own word on shut eyes are two opinions on one thing: the mean of them."""
    lids = (max(signals.lid_left, signals.lid_right) - MIN_LID) / LID_SOFT
    certain = min(max(signals.closed, 1e-6), 1.0 - 1e-6)
    said = max(-MAX_LOGIT, min(MAX_LOGIT, math.log((1.0 - certain) / certain))) / CLOSED_SOFT_LOGIT
    return (lids + said) / 2


def _gaze(signals: Signals) -> float:
    inside = min(
        MAX_GAZE_YAW_DEG - abs(signals.gaze_yaw),
        MAX_GAZE_PITCH_DEG - signals.gaze_pitch,
        signals.gaze_pitch - MIN_GAZE_PITCH_DEG,
    )
    return inside / GAZE_SOFT_DEG
