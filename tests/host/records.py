"""Histories with rows at given times."""

from __future__ import annotations

from host.history import History, Row
from tests.fake_clock import FakeClock


class Diary:
    """Writes a history while a fake clock runs; times are seconds since the diary began."""

    def __init__(self, clock: FakeClock) -> None:
        """`clock` has to stand in for the time of `host.history` already."""
        self.clock = clock
        self.history = History()
        self.began_s = self.history.now()

    @property
    def now_s(self) -> float:
        """As rows have it."""
        return self.history.now()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def write(self, participant: str, label: str, *, state: str = "live", reason: str = "face", name: str = "") -> None:
        """What holds of `participant` from now on."""
        score = None if label == "not_shared" else 0.5
        name = name or participant.title()
        self.history.add(Row(self.now_s, participant, name, state, label, score, reason))

    def leave(self, participant: str) -> None:
        """They are gone."""
        self.write(participant, "not_shared", state="gone", reason="")
