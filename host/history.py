"""What the host may download after a meeting: one row per change of anybody's reading, in memory only."""

from __future__ import annotations

import csv
import io
import time
from collections import deque
from dataclasses import dataclass

from signaling.protocol import ParticipantState

MAX_ROWS = 50_000
"""About a day of ten restless people; the oldest rows go first."""

COLUMNS = ("time", "participant", "name", "state", "label", "score", "reason")


@dataclass(frozen=True, slots=True)
class Row:
    """One change: when (Unix s), who, and what holds from then on."""

    at_s: float
    participant: str
    name: str
    state: str
    label: str
    score: float | None
    reason: str


class History:
    """Rows in order of time; forgotten with the room."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=MAX_ROWS)
        self._last: dict[str, tuple[str, str, str, str]] = {}

    def add(self, row: Row) -> bool:
        """Remember `row`, unless it says of that participant what the last one said; whether it is news."""
        said = (row.name, row.state, row.label, row.reason)
        if self._last.get(row.participant) == said:
            return False
        if row.state == ParticipantState.GONE:
            self._last.pop(row.participant, None)
        else:
            self._last[row.participant] = said
        self._rows.append(row)
        return True

    def csv(self) -> str:
        """Everything as CSV (RFC 4180), times in UTC (RFC 3339)."""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for row in self._rows:
            at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(row.at_s)) + f".{int(row.at_s * 1000) % 1000:03d}Z"
            score = "" if row.score is None else f"{row.score:.3f}"
            who = _no_formula(row.participant), _no_formula(row.name)
            writer.writerow((at, *who, row.state, row.label, score, row.reason))
        return text.getvalue()


def _no_formula(text: str) -> str:
    """A name or id that a spreadsheet would run as a formula, made plain text (CWE-1236)."""
    return "'" + text if text[:1] in "=+-@\t\r" else text
