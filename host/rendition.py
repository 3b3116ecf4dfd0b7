"""Which of the grid's two renditions a viewer gets: the full one, or a small one where the network carries no more."""

from __future__ import annotations

CONGESTED_SHARE = 0.88
"""An estimate below this share of what is sent means congestion: a receiver in trouble reports 0.85 of what it gets.

A higher one means nothing: receivers estimate at most 1.5 times what arrives. So a viewer of the small rendition can
never tell that the full one would get through, and it has to be tried.
"""

CONGESTED_AFTER_S = 3.0
"""Longer than the two seconds in which a host notices that it is strained itself, and everything is late."""
RATE_WINDOW_S = 1.0

TRIAL_S = 10.0
"""For the full rendition to show that it gets through."""

RETRY_FIRST_S = 15.0
RETRY_MOST_S = 240.0
"""A trial that fails costs a second or two of picture: after each one the next is twice as far away."""


class RenditionChooser:
    """Fed with the viewer's estimates (REMB) and what they are sent; all times in monotonic seconds."""

    def __init__(self) -> None:
        self.small = False
        self._since_s = 0.0
        self._retry_s = RETRY_FIRST_S
        self._congested_since_s: float | None = None
        self._window_start_s = 0.0
        self._window_bytes = 0
        self._sent_kbps = 0.0

    def sent(self, size: int, now: float) -> None:
        """`size` bytes went out."""
        if now - self._window_start_s >= RATE_WINDOW_S:
            self._sent_kbps = self._window_bytes * 8 / 1000 / (now - self._window_start_s)
            self._window_start_s, self._window_bytes = now, 0
        self._window_bytes += size

    def estimate(self, bits_per_s: int, now: float) -> bool:
        """The viewer believes that `bits_per_s` get through; whether that changes what they are to get."""
        before = self.small
        if self.small:
            if now - self._since_s >= self._retry_s:
                self._become(small=False, now=now)
        elif self._congested(bits_per_s / 1000, now):
            self._retry_s = min(2 * self._retry_s, RETRY_MOST_S) if self._on_trial(now) else RETRY_FIRST_S
            self._become(small=True, now=now)
        return self.small is not before

    def forget(self) -> None:
        """What was estimated so far says nothing of the network."""
        self._congested_since_s = None

    def _on_trial(self, now: float) -> bool:
        return self._since_s > 0.0 and now - self._since_s < TRIAL_S

    def _congested(self, kbps: float, now: float) -> bool:
        if kbps >= CONGESTED_SHARE * self._sent_kbps:
            self._congested_since_s = None
        elif self._congested_since_s is None:
            self._congested_since_s = now
        return self._congested_since_s is not None and now - self._congested_since_s >= CONGESTED_AFTER_S

    def _become(self, *, small: bool, now: float) -> None:
        self.small, self._since_s = small, now
        self._congested_since_s = None
        self._window_start_s, self._window_bytes, self._sent_kbps = now, 0, 0.0
