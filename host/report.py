"""What a room tells of itself: a participant as JSON, and counts since it opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from host.member import Member
from host.participant import Participant
from host.renderer import GridConfig


@dataclass(slots=True)
class Counters:
    """Since the room opened; they only ever grow."""

    joins: int = 0
    removals: int = 0
    misbehaved: int = 0
    messages_rejected: int = 0
    frames: int = 0
    frames_dropped: int = 0
    decode_errors: int = 0
    losses: int = 0

    def plus(self, members: Iterable[Member]) -> Counters:
        """The same with what the sessions that stand for `members` now add to them."""
        totals = Counters(*(getattr(self, field.name) for field in fields(self)))
        for member in members:
            totals.add_session(member)
        return totals

    def add_session(self, member: Member) -> None:
        """Add what the session that stands for `member` now has counted; once, when it ends."""
        member.count_received()
        self.messages_rejected += member.inbox.rejected
        slot = member.participant.slot
        if slot is not None:
            self.frames_dropped += slot.dropped
            self.decode_errors += slot.decode_errors
        self.frames += member.frames
        self.losses += member.losses


def describe(participant: Participant, now_s: float, *, labels: bool) -> dict[str, Any]:
    """An entry of `participants` in the status; with a mood only if `labels`."""
    slot = participant.slot
    video = None
    if slot is not None and slot.size is not None and participant.has_video(now_s):
        video = {"width": slot.size[0], "height": slot.size[1], "fps": round(slot.fps(), 1)}
    entry: dict[str, Any] = {
        "id": participant.id,
        "name": participant.name,
        "state": participant.state,
        "joined_s": round(now_s - participant.joined_s, 1),
        "video": video,
    }
    if labels:
        timed = participant.mood
        entry["mood"] = timed and {
            "label": timed.mood.label,
            "score": round(timed.mood.score, 3),
            "reason": timed.mood.reason,
            "age_s": round(now_s - timed.received_s, 1),
        }
    return entry


def describe_grid(config: GridConfig, fps: float, viewers: int) -> dict[str, Any]:
    """The status' `grid`."""
    return {"width": config.width, "height": config.height, "fps": round(fps, 1), "viewers": viewers}
