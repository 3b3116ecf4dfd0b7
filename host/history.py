"""What the host may download after a meeting: one row per change of anybody's reading, in memory only."""

from __future__ import annotations

import csv
import io
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from signaling.protocol import ParticipantState

MAX_ROWS = 50_000
"""About a day of ten restless people; the oldest rows go first."""

COLUMNS = ("time", "participant", "name", "state", "label", "score", "reason")


@dataclass(frozen=True, slots=True)
class Row:
    """One change: when (Unix s, `History.now`), who, and what holds from then on."""

    at_s: float
    participant: str
    name: str
    state: str
    label: str
    score: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Rows of everybody at one moment, for a thread to work through: by participant in the order in which they came,
    each newest first and at least one."""

    rows: dict[str, list[Row]]
    since_s: float
    dropped: int


class History:
    """Rows in order of time; forgotten with the room."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque()
        self._of: dict[str, deque[Row]] = {}  # the same rows by participant
        self._before: dict[str, Row] = {}  # of whoever was here when the first kept row came: their last dropped one
        self._last: dict[str, tuple[str, str, str, str]] = {}
        self._epoch_s = time.time() - time.monotonic()
        self.since_s = self.now()
        """From here on nothing is missing (Unix s): the room's opening, or the last row that was dropped."""
        self.dropped = 0

    def now(self) -> float:
        """The time for rows, Unix s: read once and then counted, so that a clock that is set stretches nothing."""
        return self._epoch_s + time.monotonic()

    def add(self, row: Row) -> bool:
        """Remember `row`, unless it says of that participant what the last one said; whether it is news."""
        said = (row.name, row.state, row.label, row.reason)
        if self._last.get(row.participant) == said:
            return False
        if row.state == ParticipantState.GONE:
            self._last.pop(row.participant, None)
        else:
            self._last[row.participant] = said
        if len(self._rows) >= MAX_ROWS:
            self._drop_oldest()
        self._rows.append(row)
        self._of.setdefault(row.participant, deque()).append(row)
        return True

    def newest_first(self, participant: str, back_to_s: float = 0.0) -> list[Row]:
        """What is known of one participant, down to the row that held at `back_to_s`.

        The last row may be older than `since_s`, and says what held then.
        """
        rows = []
        for row in self._all_of(participant):
            rows.append(row)
            if row.at_s <= back_to_s:
                break
        return rows

    def snapshot(self, back_to_s: float = 0.0) -> Snapshot:
        """What is known of everybody, down to the rows that held at `back_to_s`."""
        rows = {participant: self.newest_first(participant, back_to_s) for participant in self._of}
        return Snapshot(rows, self.since_s, self.dropped)

    def csv(self) -> str:
        """Everything as CSV (RFC 4180), times in UTC (RFC 3339); may be called in another thread."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for row in list(self._rows):
            score = "" if row.score is None else f"{row.score:.3f}"
            who = _no_formula(row.participant), _no_formula(row.name)
            writer.writerow((utc(row.at_s), *who, row.state, row.label, score, row.reason))
        return text.getvalue()

    def _all_of(self, participant: str) -> Iterator[Row]:
        yield from reversed(self._of.get(participant, ()))
        before = self._before.get(participant)
        if before is not None:
            yield before

    def _drop_oldest(self) -> None:
        row = self._rows.popleft()
        rows = self._of[row.participant]
        rows.popleft()
        if row.state == ParticipantState.GONE:
            self._before.pop(row.participant, None)
            if not rows:
                del self._of[row.participant]
        else:
            self._before[row.participant] = row
        self.since_s = row.at_s
        self.dropped += 1


def utc(at_s: float) -> str:
    """A Unix time as RFC 3339 with milliseconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s)) + f".{int(at_s * 1000) % 1000:03d}Z"


def _no_formula(text: str) -> str:
    """A name or id that a spreadsheet would run as a formula, made plain text (CWE-1236)."""
    return "'" + text if text[:1] in "=+-@\t\r" else text
