"""The room's share of attentive people, for meetings in which nobody's own label is shown to anybody.

One number of a group tells something of its members, above all when it changes with one of them. So it is made only
of at least `MIN_SHARING` people, and only while they stay the same; it is a mean over `OVER_S`, comes every `EVERY_S`
whatever happened in between, and in steps of `STEP`. docs/protocol.md says what it still gives away.
"""

from __future__ import annotations

import csv
import io
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from host.history import utc

MIN_SHARING = 3
OVER_S = 15.0
EVERY_S = 5.0
STEP = 0.1
"""One of ten people does not show as themselves."""

MAX_POINTS = 17_280
"""A day."""

MAX_SAMPLES = 256
"""Of `OVER_S`, at four a second and some to spare."""

COLUMNS = ("time", "sharing", "attentive")


@dataclass(frozen=True, slots=True)
class Share:
    """How many share a label, and which part of them is attentive (0 to 1, in steps of `STEP`)."""

    sharing: int
    attentive: float


@dataclass(frozen=True, slots=True)
class Point:
    """A share and when it was made (Unix s); None while there was none to show."""

    at_s: float
    share: Share | None


class ShareMeter:
    """Samples who is attentive, forgets it after `OVER_S`, and keeps only shares. `latest` may be read anywhere."""

    def __init__(self) -> None:
        self.latest: Share | None = None
        self.points: deque[Point] = deque()
        self.began_s: float | None = None
        """From here on no point is missing (Unix s): the first sample, or the last point that was dropped."""
        self.dropped = 0
        self._group: frozenset[str] = frozenset()
        self._since_s = 0.0
        self._due_s = 0.0
        self._samples: deque[tuple[float, float]] = deque(maxlen=MAX_SAMPLES)

    def sample(self, attentive: Mapping[str, bool], now_s: float) -> None:
        """`attentive`: everybody who shares a label now, and whether it is that one; several times a second."""
        if self.began_s is None:
            self.began_s = now_s
        group = frozenset(attentive)
        if group != self._group:  # a mean over two groups would tell of who came or went
            self._group, self._since_s = group, now_s
            self._samples.clear()
            self.latest = None
        if len(group) >= MIN_SHARING:
            self._samples.append((now_s, sum(attentive.values()) / len(group)))
        if now_s < self._due_s:
            return
        self._due_s = (math.floor(now_s / EVERY_S) + 1) * EVERY_S
        while self._samples and self._samples[0][0] < now_s - OVER_S:
            self._samples.popleft()
        self.latest = self._share(now_s)
        if len(self.points) >= MAX_POINTS:
            self.began_s = self.points.popleft().at_s
            self.dropped += 1
        self.points.append(Point(now_s, self.latest))

    def describe(self) -> dict[str, Any] | None:
        """The latest share as JSON."""
        share = self.latest
        return None if share is None else {"sharing": share.sharing, "attentive": share.attentive}

    def csv(self) -> str:
        """Every point as CSV (RFC 4180), times in UTC (RFC 3339); may be called in another thread."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for point in list(self.points):
            share = point.share
            writer.writerow(
                (utc(point.at_s), *(("", "") if share is None else (share.sharing, f"{share.attentive:.1f}")))
            )
        return text.getvalue()

    def _share(self, now_s: float) -> Share | None:
        if len(self._group) < MIN_SHARING or now_s - self._since_s < OVER_S:
            return None
        mean = sum(part for _, part in self._samples) / len(self._samples)
        return Share(len(self._group), round(round(mean / STEP) * STEP, 1))
