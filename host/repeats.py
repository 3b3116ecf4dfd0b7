"""When a room says again what may have got lost, and what has to be said regularly."""

from __future__ import annotations

import time

from signaling.protocol import PING_EVERY_S, REPEAT_S

RENEW_EVERY_S = 3600.0
"""How often a participant gets a fresh personal token, so that it never expires while they are here."""


class Repeats:
    """Each question is asked at every tick (`now_s`: monotonic), and answered with yes once per interval."""

    def __init__(self) -> None:
        self.pings = 0
        """How many there were, and the id of the last one."""
        self._ping_s = 0.0
        self._repeat_s = self._renew_s = time.monotonic()

    def ping_due(self, now_s: float) -> bool:
        """Whether everybody has to be asked for a sign of life."""
        due = now_s - self._ping_s >= PING_EVERY_S
        if due:
            self._ping_s = now_s
            self.pings += 1
        return due

    def repeat_due(self, now_s: float) -> bool:
        """Whether everybody has to be told again who is here and what to send."""
        due = now_s - self._repeat_s >= REPEAT_S
        if due:
            self._repeat_s = now_s
        return due

    def renew_due(self, now_s: float) -> bool:
        """Whether everybody needs a fresh personal token."""
        due = now_s - self._renew_s >= RENEW_EVERY_S
        if due:
            self._renew_s = now_s
        return due
