"""How many kbit/s to encode at: what the host asked for, less what the network turns out not to carry."""

from __future__ import annotations

MIN_KBPS = 100
"""Below this a face is not recognisable; better then to lose frames."""

CHANGE_SHARE = 0.15
CHANGE_EVERY_S = 2.0
"""Smaller or more frequent changes are not worth the key frame that a new encoder begins with."""

CONGESTED_SHARE = 0.88
"""An estimate below this share of what is sent means congestion: a receiver in trouble reports 0.85 of what it gets.

A higher one means nothing: receivers estimate at most 1.5 times what arrives, so a still picture, which needs little,
is always estimated low.
"""

CONGESTED_AFTER_S = 1.0
RATE_WINDOW_S = 1.0


class BitrateGovernor:
    """Fed with the receiver's estimates (REMB) and the bytes sent; all times in monotonic seconds."""

    def __init__(self, asked_kbps: int) -> None:
        self._asked = asked_kbps
        self._limit: float | None = None
        self._current = asked_kbps
        self._changed_s = 0.0
        self._congested_since_s: float | None = None
        self._window_start_s = 0.0
        self._window_bytes = 0
        self._sent_kbps = 0.0

    def ask(self, kbps: int, now: float) -> int:
        """The host asks for another bitrate: the one to encode at, taken up at once."""
        self._asked = kbps
        return self._adopt(now)

    def sent(self, size: int, now: float) -> None:
        """`size` bytes went out."""
        if now - self._window_start_s >= RATE_WINDOW_S:
            self._sent_kbps = self._window_bytes * 8 / 1000 / (now - self._window_start_s)
            self._window_start_s, self._window_bytes = now, 0
        self._window_bytes += size

    def estimate(self, bits_per_s: int, now: float) -> None:
        """The receiver believes that `bits_per_s` get through."""
        kbps = bits_per_s / 1000
        if self._limit is not None:
            self._limit = kbps if kbps < self._asked else None
        elif kbps >= self._asked or kbps >= CONGESTED_SHARE * self._sent_kbps:
            self._congested_since_s = None
        elif self._congested_since_s is None:
            self._congested_since_s = now
        elif now - self._congested_since_s >= CONGESTED_AFTER_S:
            self._limit, self._congested_since_s = kbps, None

    def current(self, now: float) -> int:
        """kbit/s to encode at now."""
        wanted = self._wanted()
        if abs(wanted - self._current) > CHANGE_SHARE * self._current and now - self._changed_s >= CHANGE_EVERY_S:
            return self._adopt(now)
        return self._current

    def _adopt(self, now: float) -> int:
        self._current, self._changed_s = self._wanted(), now
        return self._current

    def _wanted(self) -> int:
        if self._limit is None:
            return self._asked
        return round(max(min(self._asked, MIN_KBPS), min(self._asked, self._limit)))
