"""Participants, scenes and frames for tests of what is drawn."""

from __future__ import annotations

import time

from host.compositor import Scene, Tile
from host.layout import layout
from host.participant import Participant, TimedMood
from host.slot import VideoSlot
from signaling.protocol import Label, Mood, ParticipantState, Reason
from signaling.rtc import EncodedFrame


def live(participant_id: str = "p1", name: str = "Ana") -> Participant:
    """Somebody whose connection stands, without video and without a mood."""
    participant = Participant(participant_id, name)
    participant.slot = VideoSlot(lambda: None)
    participant.state = ParticipantState.LIVE
    return participant


def show(participant: Participant, data: bytes, *, arrived_s: float | None = None) -> None:
    """One key frame from `participant`, as if it came over the network now."""
    assert participant.slot is not None
    arrived_s = time.monotonic() if arrived_s is None else arrived_s
    participant.slot.push(EncodedFrame("VP8", data, 0, arrived_s, key=True))


def feel(
    participant: Participant, label: Label, score: float = 0.9, reason: Reason = Reason.FACE, seq: int = 1
) -> Participant:
    """`participant` with this mood."""
    participant.mood = TimedMood(Mood(label, score, reason, seq), time.monotonic())
    return participant


def scene(*participants: Participant, width: int = 640, height: int = 360, room: str = "main") -> Scene:
    """Everybody laid out as the room does it."""
    rects = layout(width, height, [4 / 3] * len(participants))
    return Scene(room, tuple(Tile(p, rect) for p, rect in zip(participants, rects, strict=True)))
