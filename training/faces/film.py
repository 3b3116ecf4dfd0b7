"""What the people of the demo clips do: a script of key moments each, and what a body does by itself in between.

Every clip begins and ends in the same pose, so that it can play in a loop.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from training.faces.behaviour import Face, Pose
from training.faces.figure import Moved
from training.faces.label import LabelRule
from training.faces.truth import Truth

FPS = 15
WIDTH, HEIGHT = 640, 480
MIN_VISIBLE = 0.6
"""Of the face inside the picture for somebody to be there."""

BLINK_S = 0.26
"""From open to shut and open again."""


@dataclass(frozen=True)
class Moment:
    """Where somebody is at a time; in between, movement is smooth. Angles in degrees from the camera, `right` in dm."""

    time_s: float
    yaw: float = 0.0
    pitch: float = -2.0
    roll: float = 0.0
    gaze_yaw: float = 0.0
    gaze_pitch: float = -6.0
    lid: float = 1.0
    jaw: float = 0.0
    smile: float = 0.0
    right: float = 0.0
    """To the picture's right: a place, not a speed."""


@dataclass(frozen=True)
class Script:
    """A clip. `person`: seed; `scene`: seed of room and light; `blinks_s`: when the eyes close by themselves."""

    name: str
    person: int
    scene: int
    moments: tuple[Moment, ...]
    blinks_s: tuple[float, ...]

    @property
    def frames(self) -> int:
        """How many."""
        return round(self.moments[-1].time_s * FPS)


@dataclass(frozen=True)
class Shot:
    """One frame."""

    pose: Pose
    face: Face
    moved: Moved


SCRIPTS = (
    Script("ana", 100433, 11, (  # turns away, as to somebody who comes in
        Moment(0, 2, smile=0.3), Moment(3.0, -2, -1, gaze_yaw=1), Moment(3.5, -18, 0, 2, -34, 0),
        Moment(4.1, -52, -2, 3, -62, -3), Moment(6.6, -50, 1, 3, -58, 0, jaw=0.2), Moment(7.4, -6, -1, 0, -2),
        Moment(9.5, 3, -3, gaze_yaw=2, smile=0.4), Moment(11, 2, smile=0.3)),
        (1.3, 3.4, 5.2, 7.0, 9.9)),
    Script("ben", 100885, 12, (  # looks at a phone below the screen
        Moment(0, 3, -2, -1), Moment(2.8, 0, -3, gaze_pitch=-9), Moment(3.5, 4, -24, 0, 5, -40, 0.8),
        Moment(4.0, 5, -33, 0, 5, -52, 0.75), Moment(7.0, 3, -36, -2, 3, -54, 0.75, smile=0.3),
        Moment(7.8, 2, -5, -1, 1), Moment(9.4, 4, -2, gaze_yaw=4), Moment(11, 3, -2, -1)),
        (1.9, 3.3, 5.6, 7.6, 10.1)),
    Script("mei", 100537, 13, (  # nods off and wakes
        Moment(0, 0, -2), Moment(2.4, 1, -3, 1, lid=0.9), Moment(3.2, 2, -5, 2, lid=0.55),
        Moment(3.8, 3, -7, 3, lid=0.1), Moment(4.2, 3, -9, 4, 2, -14, 0.0), Moment(6.8, 4, -15, 6, 3, -18, 0.0),
        Moment(7.2, 1, 3, 1, lid=0.9), Moment(7.9, 0, -1), Moment(9.4, -2, -3, lid=1.05), Moment(11, 0, -2)),
        (1.1, 8.0, 8.4, 10.2)),
    Script("omar", 100671, 14, (  # leaves and comes back
        Moment(0, -2, -2), Moment(2.8, 0, -1), Moment(3.3, 28, 2, 0, 34, 0), Moment(4.2, 58, 4, 4, 60, 0, right=3.0),
        Moment(5.0, 64, 2, 4, 64, 0, right=8.0), Moment(7.4, -55, 0, -3, -58, 0, right=8.0),
        Moment(8.2, -40, -3, -2, -40, -4, right=3.0), Moment(9.0, -6, -3, 0, -2, right=0.2),
        Moment(10.4, 2, -2, gaze_yaw=1, smile=0.3), Moment(12, -2, -2)),
        (1.7, 3.2, 8.3, 10.8)),
    Script("zuri", 100057, 15, (  # attends, speaks, laughs
        Moment(0, -5, 0, 1, -2, smile=0.2), Moment(2.0, 6, -2, -1, 4, -7, jaw=0.2, smile=0.3),
        Moment(2.4, 5, -2, -1, 3, -7, jaw=0.02), Moment(2.8, 3, -2, 0, 2, -7, jaw=0.25), Moment(3.2, 2, -1, jaw=0.05),
        Moment(4.4, -3, 1, 1, smile=0.7), Moment(5.4, -6, 2, 2, -4, -3, 0.85, 0.35, 1.0), Moment(6.6, 2, -1, smile=0.5),
        Moment(8.6, 9, 0, -2, 5, -8), Moment(11, -5, 0, 1, -2, smile=0.2)),
        (0.9, 3.1, 4.9, 7.3, 7.7, 10.3)),
)  # fmt: skip


def shot(script: Script, frame: int) -> Shot:
    """The frame of a number."""
    time_s = frame / FPS
    now = between(script.moments, time_s)
    # A head is never still. Whole turns within the clip's length, so that the loop has no seam.
    turns = 2 * np.pi * time_s / script.moments[-1].time_s
    sway = [float(np.sin(rate * turns + script.person * phase)) for rate, phase in ((2, 1), (3, 2), (2, 3), (5, 4))]
    blink = max((1 - abs(time_s - at - BLINK_S / 2) / (BLINK_S / 2) for at in script.blinks_s), default=0.0)
    lid = now.lid * (1 - min(1.0, 1.6 * max(0.0, blink)))
    return Shot(
        Pose(now.yaw + 1.5 * sway[0], now.pitch + 1.2 * sway[1], now.roll + sway[2]),
        Face(
            gaze_yaw=now.gaze_yaw + 1.5 * sway[3],
            gaze_pitch=now.gaze_pitch + sway[2],
            lid_left=lid,
            lid_right=lid,
            squint=0.35 * max(0.0, now.smile - 0.5),
            jaw=now.jaw,
            smile=now.smile,
            brow_up=0.15,
        ),
        (now.right, 0.12 * sway[1], 0.0),
    )


def between(moments: tuple[Moment, ...], time_s: float) -> Moment:
    """The moment at a time: smoothly from the one before to the one after."""
    place = next(place for place, later in enumerate(moments[1:]) if time_s <= later.time_s)
    before, after = moments[place], moments[place + 1]
    share = (time_s - before.time_s) / (after.time_s - before.time_s)
    share = share * share * (3 - 2 * share)
    values = {
        field.name: (1 - share) * getattr(before, field.name) + share * getattr(after, field.name)
        for field in fields(Moment)
    }
    return Moment(**values | {"time_s": time_s})


def frame_truth(truth: Truth, frame: int) -> dict[str, Any]:
    """What is known of a frame, as JSON."""
    face = visible_share(truth.head_box) >= MIN_VISIBLE
    return {
        "time_s": round(frame / FPS, 4),
        "face": face,
        "attentive": face and LabelRule().attentive(truth),
        **{
            name: getattr(truth, name)
            for name in ("yaw", "pitch", "roll", "gaze_yaw", "gaze_pitch", "lid_left", "lid_right", "mouth_open")
        },
    }


def visible_share(box: tuple[float, float, float, float]) -> float:
    """How much of a box, in fractions of the picture, lies inside it."""
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) for edge in box)
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return (right - left) * (bottom - top) / whole if whole > 0 else 0.0
