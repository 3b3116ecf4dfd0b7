"""The last five minutes of everybody, and of the room, as the dashboard draws them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import islice
from typing import Any

from host.history import History, Row, Snapshot
from host.share import EVERY_S, ShareMeter
from host.stretches import SHARING, Doing, Stretch, doing, stretches
from signaling.protocol import ParticipantState

WINDOW_S = 300
STEP_S = 5
"""Of the room's curve."""

MAX_LEFT = 50
"""People who left that are still listed, the last ones: an open invitation lets anybody come and go."""


def timelines(snapshot: Snapshot, now_s: float) -> dict[str, Any]:
    """Everybody's last `WINDOW_S` and the room's curve as JSON; times in seconds before now.

    `snapshot` has to reach back to `WINDOW_S` before `now_s`.
    """
    people = [(rows, _recent(rows, now_s)) for rows in _shown(snapshot)]
    return {
        "window_s": WINDOW_S,
        "participants": [_entry(rows[0], recent, now_s) for rows, recent in people],
        "curve": {"step_s": STEP_S, "points": _curve([recent for _, recent in people], now_s)},
    }


def timeline_of(history: History, participant: str, now_s: float) -> dict[str, Any] | None:
    """One participant's entry; None if nothing is known of them."""
    rows = history.newest_first(participant, now_s - WINDOW_S)
    return _entry(rows[0], _recent(rows, now_s), now_s) if rows else None


def share_timeline(meter: ShareMeter, now_s: float) -> dict[str, Any]:
    """What `timelines` says where nobody's own label is shown: the room's curve alone."""
    newest = islice(reversed(meter.points), WINDOW_S // STEP_S + 1)
    recent = [point for point in reversed(list(newest)) if now_s - point.at_s <= WINDOW_S]
    points = [
        {
            "ago_s": round(now_s - point.at_s, 1),
            "sharing": None if point.share is None else point.share.sharing,
            "attentive": None if point.share is None else point.share.attentive,
        }
        for point in recent
    ]
    return {"window_s": WINDOW_S, "participants": [], "curve": {"step_s": EVERY_S, "points": points}}


def _shown(snapshot: Snapshot) -> list[list[Row]]:
    """Rows of everybody to list."""
    everybody = list(snapshot.rows.values())
    left = sorted((rows for rows in everybody if _left(rows[0])), key=lambda rows: rows[0].at_s)
    forgotten = {rows[0].participant for rows in left[:-MAX_LEFT]}
    return [rows for rows in everybody if rows[0].participant not in forgotten]


def _left(row: Row) -> bool:
    return row.state == ParticipantState.GONE


def _recent(rows: list[Row], now_s: float) -> list[Stretch]:
    """Stretches of whole seconds, so that nobody's device can make more of them than there are seconds."""
    first_s = math.floor(now_s) - WINDOW_S
    return stretches(((max(first_s, math.floor(row.at_s)), doing(row)) for row in reversed(rows)), now_s)


def _entry(row: Row, recent: list[Stretch], now_s: float) -> dict[str, Any]:
    """`row`: their newest one."""
    return {
        "id": row.participant,
        "name": row.name,
        "left_s": round(now_s - row.at_s, 1) if _left(row) else None,
        "segments": [
            {"state": one.doing, "start_s": round(now_s - one.from_s, 1), "end_s": round(now_s - one.to_s, 1)}
            for one in recent
        ],
    }


def _curve(everybody: Iterable[list[Stretch]], now_s: float) -> list[dict[str, Any]]:
    """Per `STEP_S`, on the same marks whenever it is asked: the attentive share of the time that people shared."""
    count = WINDOW_S // STEP_S
    last_s = math.ceil(now_s / STEP_S) * STEP_S
    first_s = last_s - count * STEP_S
    attentive, sharing = [0.0] * count, [0.0] * count
    for one in (stretch for recent in everybody for stretch in recent if stretch.doing in SHARING):
        begin = max(0, math.floor((one.from_s - first_s) / STEP_S))
        end = min(count, math.ceil((one.to_s - first_s) / STEP_S))
        for index in range(begin, end):
            mark_s = first_s + index * STEP_S
            overlap_s = min(one.to_s, mark_s + STEP_S) - max(one.from_s, mark_s)
            sharing[index] += overlap_s
            attentive[index] += overlap_s if one.doing is Doing.ATTENTIVE else 0.0
    points = []
    for index in range(count):
        end_s = min(now_s, first_s + (index + 1) * STEP_S)
        length_s = end_s - (first_s + index * STEP_S)
        points.append(
            {
                "ago_s": round(now_s - end_s, 1),
                "sharing": round(sharing[index] / length_s),
                "attentive": round(attentive[index] / sharing[index], 3) if sharing[index] > 0 else None,
            }
        )
    return points
