"""How a participant's state reads: one word, one icon and one colour for each, never colour alone."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, replace

import cv2
import numpy as np

from host.participant import Participant
from host.stamp import Bytes
from host.text import Colour
from signaling.protocol import Label, ParticipantState, Reason


class Icon(enum.Enum):
    """The shapes that tell labels apart without colour."""

    CHECK = "check"
    EXCLAMATION = "exclamation"
    ABSENT = "absent"
    PAUSE = "pause"
    QUESTION = "question"
    DASH = "dash"
    DOTS = "dots"


GREEN: Colour = (72, 199, 142)
ORANGE: Colour = (255, 149, 64)
GREY: Colour = (150, 160, 178)


@dataclass(frozen=True, slots=True)
class Reading:
    """What the annotated grid says of one participant; `score` is None where there is none to show."""

    text: str
    icon: Icon
    colour: Colour
    score: float | None = None


_BY_STATE = {
    ParticipantState.CONNECTING: Reading("Connecting", Icon.DOTS, GREY),
    ParticipantState.STALE: Reading("Reconnecting", Icon.DOTS, GREY),
    ParticipantState.GONE: Reading("Gone", Icon.DASH, GREY),
}
_BY_LABEL = {
    (Label.ATTENTIVE, None): Reading("Attentive", Icon.CHECK, GREEN),
    (Label.NOT_ATTENTIVE, None): Reading("Not attentive", Icon.EXCLAMATION, ORANGE),
    (Label.NOT_ATTENTIVE, Reason.NO_FACE): Reading("No face", Icon.ABSENT, ORANGE),
    (Label.NOT_ATTENTIVE, Reason.AWAY): Reading("Away", Icon.ABSENT, ORANGE),
    (Label.NOT_ATTENTIVE, Reason.TURNED): Reading("Turned away", Icon.EXCLAMATION, ORANGE),
    (Label.NOT_ATTENTIVE, Reason.DOWN): Reading("Looking down", Icon.EXCLAMATION, ORANGE),
    (Label.NOT_ATTENTIVE, Reason.EYES_CLOSED): Reading("Eyes closed", Icon.EXCLAMATION, ORANGE),
    (Label.NOT_ATTENTIVE, Reason.LOOKING_OFF): Reading("Looking off", Icon.EXCLAMATION, ORANGE),
    (Label.UNKNOWN, None): Reading("Unknown", Icon.QUESTION, GREY),
    (Label.UNKNOWN, Reason.PAUSED): Reading("Paused", Icon.PAUSE, GREY),
    (Label.UNKNOWN, Reason.NO_MODEL): Reading("No model", Icon.QUESTION, GREY),
}
NOT_SHARED = Reading("Not shared", Icon.DASH, GREY)
NO_PICTURE = Reading("No picture", Icon.PAUSE, GREY)
"""Paused by a camera that gives none, not by the person."""


def reading_of(participant: Participant) -> Reading:
    """The words for what `participant` is doing now."""
    if participant.state in _BY_STATE:
        return _BY_STATE[participant.state]
    if participant.mood is None:
        return NOT_SHARED
    mood = participant.mood.mood
    if mood.reason is Reason.PAUSED and not participant.has_video(time.monotonic()):
        return NO_PICTURE
    reading = _BY_LABEL.get((mood.label, mood.reason)) or _BY_LABEL[mood.label, None]
    return reading if mood.label is Label.UNKNOWN else replace(reading, score=mood.score)


def draw_icon(icon: Icon, colour: Colour, size_px: int) -> Bytes:
    """`icon` in a filled disc, (size, size, 4) uint8 RGBA; drawn at eight times the size for smooth edges."""
    side = size_px * 8
    unit = side / 16
    disc = np.zeros((side, side), np.uint8)
    cv2.circle(disc, (side // 2, side // 2), side // 2 - 1, 255, -1)
    mark = np.zeros_like(disc)
    thickness = max(1, round(unit * 2))

    def line(*points: tuple[float, float]) -> None:
        path = np.array([[round(x * unit), round(y * unit)] for x, y in points], np.int32)
        cv2.polylines(mark, [path], isClosed=False, color=255, thickness=thickness)

    def dot(x: float, y: float, radius: float = 1.15) -> None:
        cv2.circle(mark, (round(x * unit), round(y * unit)), round(radius * unit), 255, -1)

    if icon is Icon.CHECK:
        line((4.2, 8.4), (7, 11.2), (11.8, 5.2))
    elif icon is Icon.EXCLAMATION:
        line((8, 3.6), (8, 9))
        dot(8, 12)
    elif icon is Icon.ABSENT:
        line((5, 5), (11, 11))
        line((11, 5), (5, 11))
    elif icon is Icon.PAUSE:
        line((6, 5), (6, 11))
        line((10, 5), (10, 11))
    elif icon is Icon.QUESTION:
        arc_centre, arc_size = (round(8 * unit), round(6 * unit)), (round(2.4 * unit), round(2.4 * unit))
        cv2.ellipse(mark, arc_centre, arc_size, 0, -200, 70, 255, thickness)
        line((8.6, 8.2), (8, 9.6))
        dot(8, 12.2)
    elif icon is Icon.DASH:
        line((4.8, 8), (11.2, 8))
    else:
        for x in (4.6, 8, 11.4):
            dot(x, 8, 1.2)
    picture = np.empty((side, side, 4), np.uint8)
    picture[:, :, :3] = colour
    picture[mark > 0, :3] = (20, 24, 31)
    picture[:, :, 3] = disc
    return cv2.resize(picture, (size_px, size_px), interpolation=cv2.INTER_AREA)
