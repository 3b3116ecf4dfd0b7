"""One participant as the host knows them: identity, state, mood, video. All state transitions are here."""

from __future__ import annotations

import time
from dataclasses import dataclass

from host.slot import VideoSlot
from signaling.protocol import GONE_AFTER_S, STALE_AFTER_S, Mood, ParticipantState, RosterEntry

VIDEO_GONE_AFTER_S = 3.0
"""Without a frame for this long a tile goes dark; the person may still be here, with the camera off."""


@dataclass(frozen=True, slots=True)
class TimedMood:
    """A mood and when it came (monotonic s)."""

    mood: Mood
    received_s: float


class Participant:
    """Someone in the room, across all their sessions; a tile belongs to them until they are gone.

    Written on the event loop, read by the compositor's thread: every field is replaced whole, never changed inside.
    """

    def __init__(self, participant_id: str, name: str, since_s: float = 0.0) -> None:
        """`since_s`: when they first came (Unix s), also to a server before this one: what tiles are ordered by."""
        self.id = participant_id
        self.name = name
        self.since_s = since_s
        self.joined_s = time.monotonic()
        self.heard_s = self.joined_s
        self.state = ParticipantState.CONNECTING
        self.mood: TimedMood | None = None
        self.slot: VideoSlot | None = None

    def hear(self, now_s: float) -> None:
        """Something came from this participant: media, a mood, a pong."""
        self.heard_s = max(self.heard_s, now_s)

    def connected(self) -> None:
        """The media path stands."""
        self.hear(time.monotonic())
        self.state = ParticipantState.LIVE

    def disconnected(self) -> None:
        """The session ended without a good-bye: the tile waits for them until `GONE_AFTER_S`."""
        if self.state is ParticipantState.LIVE:
            self.state = ParticipantState.STALE

    def tick(self, now_s: float, *, connected: bool) -> ParticipantState:
        """The state at `now_s`, `connected` if the media path of their session stands:

        connecting -> live (`connected`) <-> stale (silent, or not connected) -> gone; connecting -> gone.
        """
        silent_s = now_s - self.heard_s
        if silent_s >= GONE_AFTER_S:
            self.state = ParticipantState.GONE
        elif self.state is ParticipantState.LIVE and (silent_s >= STALE_AFTER_S or not connected):
            self.state = ParticipantState.STALE
        elif self.state is ParticipantState.STALE and silent_s < STALE_AFTER_S and connected:
            self.state = ParticipantState.LIVE
        return self.state

    def has_video(self, now_s: float) -> bool:
        """Whether frames are coming."""
        last = self.slot.last_frame_s if self.slot is not None else None
        return last is not None and now_s - last < VIDEO_GONE_AFTER_S

    def roster_entry(self) -> RosterEntry:
        """As everybody may see them."""
        return RosterEntry(id=self.id, name=self.name, state=self.state)
