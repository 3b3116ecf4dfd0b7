"""What comes in on one session's data channel: parsed, limited in rate, and ended when it does not stop misbehaving."""

from __future__ import annotations

import time

from signaling.errors import MessageInvalid
from signaling.protocol import MAX_MESSAGES_PER_S, FromParticipant, decode_from_participant

MAX_STRIKES = 60
"""Bad or excess messages that are only dropped; at this many the session ends."""

STRIKES_FORGOTTEN_PER_S = 1.0


class Inbox:
    """Judges one session's messages: a token bucket of `MAX_MESSAGES_PER_S`, and a leaky count of strikes."""

    def __init__(self) -> None:
        self._tokens = float(MAX_MESSAGES_PER_S)
        self._strikes = 0.0
        self._updated_s = time.monotonic()
        self.rejected = 0

    @property
    def misbehaved(self) -> bool:
        """Whether this session has to end."""
        return self._strikes >= MAX_STRIKES

    def take(self, data: str | bytes) -> FromParticipant | None:
        """The message in `data`; None if it is malformed, too long, or one too many this second."""
        self._refill()
        if self._tokens < 1:
            self._strike()
            return None
        self._tokens -= 1
        try:
            message = decode_from_participant(data)
        except MessageInvalid:
            self._strike()
            return None
        return message

    def _strike(self) -> None:
        self.rejected += 1
        self._strikes += 1

    def _refill(self) -> None:
        now = time.monotonic()
        passed, self._updated_s = now - self._updated_s, now
        self._tokens = min(float(MAX_MESSAGES_PER_S), self._tokens + passed * MAX_MESSAGES_PER_S)
        self._strikes = max(0.0, self._strikes - passed * STRIKES_FORGOTTEN_PER_S)
