"""A participant together with the session that stands for them now: what they send, and what they are sent."""

from __future__ import annotations

import time
from collections.abc import Callable

from host.inbox import Inbox
from host.participant import Participant, TimedMood
from host.session import Session
from host.slot import VideoSlot
from signaling.protocol import MOOD_EVERY_S, FromHost, Mood, ParticipantState, Send
from signaling.rtc import EncodedFrame

MOOD_EXPIRES_S = 5 * MOOD_EVERY_S

Changed = Callable[["Member"], None]


class Member:
    """Listens to one session at a time; an older one that still talks is not heard any more.

    `on_state` is called when the participant's state may have changed, `on_mood` at every mood, `on_channel` when
    messages can be sent, `on_misbehaved` when the session has to end; `discard` closes a session that failed.
    """

    def __init__(
        self,
        participant: Participant,
        *,
        on_state: Changed,
        on_mood: Changed,
        on_channel: Changed,
        on_misbehaved: Changed,
        discard: Callable[[Session], None],
        address: str = "",
    ) -> None:
        self.participant = participant
        self.address = address
        self.session: Session | None = None
        self.session_id = ""
        self.owner = ""
        self.frames = self.losses = 0
        self.asked: Send | None = None
        self.inbox = Inbox()
        self._on_state = on_state
        self._on_mood = on_mood
        self._on_channel = on_channel
        self._on_misbehaved = on_misbehaved
        self._discard = discard
        self._renew: Callable[[], str] = str
        self._seq = -1

    def attach(self, session: Session, renew: Callable[[], str], owner: str) -> Session | None:
        """Let `session` stand for this participant from now on; returns the one it replaces."""
        before = self.detach()
        self.session, self.session_id = session, session.id
        self._renew, self.owner = renew, owner
        self.asked = None
        self.inbox = Inbox()
        self.frames = self.losses = 0
        self._seq = -1
        self.participant.mood = None
        slot = VideoSlot(self._need_key_frame)
        if self.participant.slot is not None:
            slot.size = self.participant.slot.size  # the same camera most likely: nobody's tile has to move
        self.participant.slot = slot
        self.participant.hear(time.monotonic())
        return before

    def detach(self) -> Session | None:
        """Let go of the session, and return it."""
        self.count_received()
        session, self.session = self.session, None
        return session

    def count_received(self) -> None:
        """Remember what the session's receiver counted, which goes with it."""
        if self.session is not None and self.session.receiver is not None:
            self.frames, self.losses = self.session.receiver.frames, self.session.receiver.losses

    def renew(self) -> str:
        """A fresh personal token."""
        return self._renew()

    def send(self, message: FromHost) -> None:
        """Send one message, if there is anybody to hear it."""
        if self.session is not None:
            self.session.send(message)

    def tick(self, now_s: float) -> bool:
        """Bring the state up to date; whether it changed."""
        receiver = self.session.receiver if self.session is not None else None
        if receiver is not None and receiver.last_packet_s is not None:
            self.participant.hear(receiver.last_packet_s)
        before = self.participant.state
        connected = self.session is not None and self.session.ever_connected
        return self.participant.tick(now_s, connected=connected) is not before

    def forget_old_mood(self, now_s: float) -> bool:
        """Whether the mood was so old that it says nothing any more: sharing was switched off, or perception hangs."""
        timed = self.participant.mood
        old = timed is not None and now_s - timed.received_s > MOOD_EXPIRES_S
        if old and self.participant.state is ParticipantState.LIVE:
            self.participant.mood = None
            return True
        return False

    def session_connected(self, session: Session) -> None:
        """See `SessionListener`."""
        if session is self.session:
            before = self.participant.state
            self.participant.connected()
            self._tell_if_changed(before)

    def session_lost(self, session: Session) -> None:
        """See `SessionListener`."""
        if session is self.session:
            self._discard(session)
            self.detach()
            before = self.participant.state
            self.participant.disconnected()
            self._tell_if_changed(before)

    def session_channel(self, session: Session) -> None:
        """See `SessionListener`."""
        if session is self.session:
            self._on_channel(self)

    def session_frame(self, session: Session, frame: EncodedFrame) -> None:
        """See `SessionListener`."""
        if session is self.session and self.participant.slot is not None:
            self.participant.slot.push(frame)

    def session_message(self, session: Session, data: str | bytes) -> None:
        """See `SessionListener`."""
        if session is not self.session or self.participant.state is ParticipantState.GONE:
            return
        message = self.inbox.take(data)
        if self.inbox.misbehaved:
            self._on_misbehaved(self)
        elif message is not None:
            now = time.monotonic()
            self.participant.hear(now)
            if isinstance(message, Mood):
                self._take_mood(message, now)

    def _take_mood(self, mood: Mood, now: float) -> None:
        if mood.seq <= self._seq:
            return  # the channel is unordered: an older one came late
        self._seq = mood.seq
        self.participant.mood = TimedMood(mood, now)
        self._on_mood(self)

    def _tell_if_changed(self, before: ParticipantState) -> None:
        if self.participant.state is not before:
            self._on_state(self)

    def _need_key_frame(self) -> None:
        if self.session is not None and self.session.receiver is not None:
            self.session.receiver.need_key_frame()
