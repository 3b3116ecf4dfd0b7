"""How often something took how long, for Prometheus: counts in fixed buckets, which only ever grow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

FRAME_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.04, 0.0667, 0.1, 0.25)
"""Up to what a grid frame may take at 15 frames/s, and beyond."""


class Histogram:
    """One thread observes, any thread reads."""

    def __init__(self, bounds_s: Sequence[float] = FRAME_BOUNDS_S) -> None:
        """`bounds_s`: the buckets' upper bounds, inclusive, growing; one without a bound comes by itself."""
        self._bounds_s = bounds_s
        self._counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        self._counts[bisect_left(self._bounds_s, seconds)] += 1
        self.sum_s += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bound as text and the number of all below it, as Prometheus has them."""
        total = 0
        cumulative: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self._bounds_s), "+Inf"), list(self._counts), strict=True):
            total += count
            cumulative.append((bound, float(total)))
        return cumulative
