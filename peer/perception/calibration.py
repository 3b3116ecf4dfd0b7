"""What "looking at the screen" looks like of one person: ten seconds of it set their offset.

A camera beside the screen sees its person turned, and narrow eyes look half shut: both come off before the limits
are held against what the model says. Nothing of it leaves the device, and nothing of it is logged.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from math import ceil
from statistics import median
from typing import Annotated

import msgspec

from peer.perception import limits
from peer.perception.signals import Reading, Signals
from signaling.errors import EdgeAttendError

CALIBRATION_S = 10.0
"""Long enough for a median that blinks and a glance away don't move, short enough to sit through."""

MIN_READINGS = 8
"""Faces: a median of fewer is luck. Slow machines look once a second."""
MIN_FACE_SHARE = 0.6
"""Of the looks, with a face."""
STILL_SHARE, STILL_DEG = 0.7, 8.0
"""Of the faces, within this of the median head: some glances away are human, with more there is no one direction."""
MIN_OPEN_LID = 0.25
"""Openness that the more open eye reaches in a third of the looks: below it, the eyes were shut."""
OPEN_SHARE = 0.7
"""The open level is this quantile of the lids, which blinks leave alone."""

MAX_YAW_OFFSET_DEG, MAX_PITCH_OFFSET_DEG, MAX_GAZE_OFFSET_DEG = 40.0, 25.0, 45.0
"""Beyond these the detector loses the face, or a camera stands where no limit makes sense."""
MAX_OPEN_LID = 1.5

_Yaw = Annotated[float, msgspec.Meta(ge=-MAX_YAW_OFFSET_DEG, le=MAX_YAW_OFFSET_DEG)]
_Pitch = Annotated[float, msgspec.Meta(ge=-MAX_PITCH_OFFSET_DEG, le=MAX_PITCH_OFFSET_DEG)]
_Gaze = Annotated[float, msgspec.Meta(ge=-MAX_GAZE_OFFSET_DEG, le=MAX_GAZE_OFFSET_DEG)]
_Lid = Annotated[float, msgspec.Meta(ge=MIN_OPEN_LID, le=MAX_OPEN_LID)]


class CalibrationRefused(EdgeAttendError):  # noqa: N818  as its siblings in signaling.errors
    """What was seen cannot be taken for somebody who looks at the screen."""

    code, status = "calibration_refused", 500


class Offset(msgspec.Struct, frozen=True):
    """What the model says of a person while they look at the screen; angles in degrees, `lid` their open eye."""

    yaw: _Yaw = 0.0
    pitch: _Pitch = 0.0
    gaze_yaw: _Gaze = 0.0
    gaze_pitch: _Gaze = 0.0
    lid: _Lid = 1.0

    def seen_from_screen(self, reading: Reading) -> Reading:
        """`reading` as if the camera stood where the person looks; the score by `limits`, since the model's own is
        made of what the camera sees. A reading without signals stays what it is."""
        if reading.signals is None:
            return reading
        relative = replace(
            reading.signals,
            yaw=reading.signals.yaw - self.yaw,
            pitch=reading.signals.pitch - self.pitch,
            gaze_yaw=reading.signals.gaze_yaw - self.gaze_yaw,
            gaze_pitch=reading.signals.gaze_pitch - self.gaze_pitch,
            lid_left=reading.signals.lid_left / self.lid,
            lid_right=reading.signals.lid_right / self.lid,
        )
        return Reading(limits.score(relative), relative)


class Stage(enum.StrEnum):
    """Where a calibration stands; all but the first are its end."""

    RUNNING = "running"
    DONE = "done"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Progress:
    """How a calibration goes: whole seconds left while it runs, the offset when it is done, or what was wrong."""

    stage: Stage
    left_s: int = 0
    offset: Offset | None = None
    message: str = ""


class Calibrator:
    """Collects `CALIBRATION_S` of looks; knows no clock but the times it is given."""

    def __init__(self) -> None:
        self._started_s: float | None = None
        self._looks = 0
        self._found: list[Signals] = []

    def add(self, time_s: float, reading: Reading | None) -> Progress:
        """Add one look, None for no face; the progress with it. After its end it must not be asked again."""
        if self._started_s is None:
            self._started_s = time_s
        self._looks += 1
        if reading is not None and reading.signals is not None:
            self._found.append(reading.signals)
        left_s = self._started_s + CALIBRATION_S - time_s
        if left_s > 0:
            return Progress(Stage.RUNNING, left_s=ceil(left_s))
        try:
            return Progress(Stage.DONE, offset=offset_of(self._found, self._looks))
        except CalibrationRefused as refused:
            return Progress(Stage.REFUSED, message=refused.message)


def offset_of(found: list[Signals], looks: int) -> Offset:
    """The offset of somebody whose face was `found` in that many `looks`.

    Raises `CalibrationRefused` for faces that are too few, wander, or look away too far.
    """
    share = len(found) / max(looks, 1)
    if len(found) < MIN_READINGS or share < MIN_FACE_SHARE:
        raise CalibrationRefused(
            f"expected your face in most of {CALIBRATION_S:.0f} s, found it in {share:.0%} of {looks} looks:"
            " sit before the camera, with light on your face, and calibrate again"
        )
    yaw, pitch = median(one.yaw for one in found), median(one.pitch for one in found)
    still = sum(max(abs(one.yaw - yaw), abs(one.pitch - pitch)) <= STILL_DEG for one in found)
    if still < STILL_SHARE * len(found):
        raise CalibrationRefused("expected a head that keeps still, yours wandered: look at the screen all the time")
    lids = sorted(max(one.lid_left, one.lid_right) for one in found)
    lid = min(lids[int(OPEN_SHARE * (len(lids) - 1))], MAX_OPEN_LID)
    if lid < MIN_OPEN_LID:
        raise CalibrationRefused("expected open eyes, yours seemed shut most of the time: mind glare and shadows")
    # Of shut eyes the direction is unknown.
    open_eyes = [one for one in found if max(one.lid_left, one.lid_right) >= limits.MIN_LID * lid]
    gaze_yaw, gaze_pitch = median(one.gaze_yaw for one in open_eyes), median(one.gaze_pitch for one in open_eyes)
    if (
        abs(yaw) > MAX_YAW_OFFSET_DEG
        or abs(pitch) > MAX_PITCH_OFFSET_DEG
        or max(abs(gaze_yaw), abs(gaze_pitch)) > MAX_GAZE_OFFSET_DEG
    ):
        raise CalibrationRefused(
            "expected a camera near the screen you look at, this one sees you from the side: move it closer"
        )
    return Offset(yaw, pitch, gaze_yaw, gaze_pitch, lid)
