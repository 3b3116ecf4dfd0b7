"""How much more this process can take, and what is given up when that is little. All transitions are here.

normal <-> smaller <-> slower <-> refusing, one step at a time: first participants are asked for less, then the grid
gets slower, then newcomers have to wait. Who is inside keeps a grid that moves.
"""

from __future__ import annotations

import enum
import logging
from dataclasses import dataclass

logger = logging.getLogger(__name__)

MOST_BUSY, EASY_BUSY = 0.85, 0.70
"""Parts of the CPU time there is: above the first one step more is given up, below the second one is taken back."""

LEAST_RATE, EASY_RATE = 0.80, 0.95
"""The grid's frames that came, of those that were due."""

MOST_LAG_S, EASY_LAG_S = 0.25, 0.10
"""How late the event loop is: pings, packets and answers all wait for it."""

STRAINED_S = 2.0
"""For so long after the first strained reading before each step up: many who join at once are a load that passes."""

EASY_S = 10.0
"""For so long before each step down."""

HICCUP_S = 5.0
"""What a reading that is neither easy nor strained costs of the easy time so far."""
RELAPSE_S = 30.0
"""Strained again this soon after a step down, the step was a mistake: the next one takes twice as long to come."""

MOST_EASY_S = 160.0

EASED_GRID_FPS = 12
"""Of a grid that has to be slower: with the fifth that may be late before newcomers are refused, about ten are left."""


class Level(enum.IntEnum):
    """What is given up; each level includes those before it."""

    NORMAL = 0
    SMALLER = 1
    """Participants send smaller pictures, and fewer."""
    SLOWER = 2
    """The grid has fewer frames per second."""
    REFUSING = 3
    """Nobody new is let in."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was measured over about a second: `cpu`, this process's part of the cores that it may use; `loop`, the
    event loop's part of one core, since it cannot have more; `rate`, the part of its frames that the slowest grid
    made; `lag_s`, the latest that the event loop was."""

    cpu: float = 0.0
    loop: float = 0.0
    rate: float = 1.0
    lag_s: float = 0.0

    @property
    def strained(self) -> bool:
        """Whether it is too much."""
        return max(self.cpu, self.loop) > MOST_BUSY or self.rate < LEAST_RATE or self.lag_s > MOST_LAG_S

    @property
    def easy(self) -> bool:
        """Whether there is room for more."""
        return max(self.cpu, self.loop) < EASY_BUSY and self.rate > EASY_RATE and self.lag_s < EASY_LAG_S


class Headroom:
    """Turns readings into a level."""

    def __init__(self) -> None:
        self.level = Level.NORMAL
        self.reading = Reading()
        self._strained_since_s: float | None = None
        self._easy_since_s: float | None = None
        self._easy_s = EASY_S
        self._stepped_down_s = float("-inf")

    def update(self, reading: Reading, now_s: float) -> Level:
        """The level after one more reading, at `now_s` (monotonic)."""
        self.reading = reading
        self._strained_since_s = self._since(self._strained_since_s, reading.strained, now_s)
        self._easy_since_s = self._easy_since(reading, now_s)
        if self._strained_since_s is not None and now_s - self._strained_since_s >= STRAINED_S:
            self._step_up(now_s)
        elif self._easy_since_s is not None and now_s - self._easy_since_s >= self._easy_s:
            self._step_down(now_s)
        return self.level

    def _easy_since(self, reading: Reading, now_s: float) -> float | None:
        """A reading that is neither easy nor strained, a hiccup, costs some of the easy time, not all of it."""
        if reading.easy or reading.strained or self._easy_since_s is None:
            return self._since(self._easy_since_s, reading.easy, now_s)
        return min(now_s, self._easy_since_s + HICCUP_S)

    @staticmethod
    def _since(since_s: float | None, holds: bool, now_s: float) -> float | None:
        if not holds:
            return None
        return now_s if since_s is None else since_s

    def _step_up(self, now_s: float) -> None:
        self._strained_since_s = now_s
        if now_s - self._stepped_down_s < RELAPSE_S:
            self._easy_s = min(MOST_EASY_S, 2 * self._easy_s)
            self._stepped_down_s = float("-inf")
        if self.level is not Level.REFUSING:
            self._move(Level(self.level + 1))

    def _step_down(self, now_s: float) -> None:
        self._easy_since_s = now_s
        if self.level is Level.NORMAL:
            self._easy_s = EASY_S  # well again: earlier mistakes are forgotten
            return
        self._stepped_down_s = now_s
        self._move(Level(self.level - 1))

    def _move(self, level: Level) -> None:
        reading, before, self.level = self.reading, self.level, level
        logger.log(
            logging.WARNING if level is Level.REFUSING else logging.INFO,
            "headroom: %s after %s: CPU %.2f, event loop %.2f, grid rate %.2f, event loop %.2f s late",
            level.name.lower(),
            before.name.lower(),
            reading.cpu,
            reading.loop,
            reading.rate,
            reading.lag_s,
        )
