"""What a meeting comes to: times per person and of the room, and what they cannot say."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from host.history import MAX_ROWS, Row, Snapshot
from host.share import MAX_POINTS, MIN_SHARING, ShareMeter
from host.stretches import SHARING, Doing, Stretch, doing, stretches

MAX_PEOPLE = 200
"""Those of whom something was heard last: an open invitation lets anybody come and go."""

LIMITS = (
    "A label is a guess that a program on each person's device makes from their picture. It is wrong at times, and "
    "more often in poor light, at the picture's edge, or for a face unlike those it was trained on.",
    "Attentive means turned to the screen with open eyes, not that somebody listened. Who looks down may be taking "
    "notes.",
    "Time in which no label was shared counts neither way: shares are of the time that was shared.",
    "Labels follow with a delay of a few seconds, so short glances do not show, and times are good to some seconds.",
    "Who came back without their own link counts as another person of the same name.",
)

AGGREGATE_LIMITS = (
    *LIMITS[:2],
    f"Shares exist only for times in which the same {MIN_SHARING} or more people shared a label for a while. Their "
    "mean leaves out everything else.",
    "They come in steps of ten percent, each the mean of fifteen seconds.",
)


def summarise(snapshot: Snapshot, now_s: float) -> dict[str, Any]:
    """Everybody's times so far as JSON, seconds throughout."""
    people = [(rows, _stretches(rows, snapshot.since_s, now_s)) for rows in _people(snapshot)]
    totals = _times([one for _, lived in people for one in lived])
    limits = list(LIMITS)
    if snapshot.dropped:
        limits.append(_cut(f"{MAX_ROWS} changes", snapshot.dropped, snapshot.since_s))
    if len(people) < len(snapshot.rows):
        limits.append(f"Only the last {len(people)} of {len(snapshot.rows)} people are listed.")
    return {
        "from_s": round(snapshot.since_s, 3),
        "to_s": round(now_s, 3),
        "participants": [{"id": rows[0].participant, "name": rows[0].name} | _times(lived) for rows, lived in people],
        "room": {"people": len(people)} | {key: totals[key] for key in ("sharing_s", "attentive_s", "attentive")},
        "limits": limits,
    }


def summarise_shares(meter: ShareMeter, now_s: float) -> dict[str, Any]:
    """What `summarise` says where nobody's own label is shown: the mean of all shares that were shown."""
    shares = [point.share.attentive for point in meter.points if point.share is not None]
    began_s = now_s if meter.began_s is None else meter.began_s
    cut = [_cut(f"{MAX_POINTS} shares", meter.dropped, began_s)] if meter.dropped else []
    return {
        "from_s": round(began_s, 3),
        "to_s": round(now_s, 3),
        "participants": [],
        "room": {
            "points": len(meter.points),
            "shown": len(shares),
            "attentive": round(sum(shares) / len(shares), 2) if shares else None,
        },
        "limits": [*AGGREGATE_LIMITS, *cut],
    }


def _cut(kept: str, dropped: int, since_s: float) -> str:
    since = time.strftime("%H:%M:%S UTC on %Y-%m-%d", time.gmtime(since_s))
    return (
        f"Only the last {kept} are kept: {dropped} older ones are gone, and everything here is counted from {since} on."
    )


def _people(snapshot: Snapshot) -> list[list[Row]]:
    """The rows of everybody to list."""
    latest = sorted(snapshot.rows.values(), key=lambda rows: rows[0].at_s)[-MAX_PEOPLE:]
    listed = {rows[0].participant for rows in latest}
    return [rows for rows in snapshot.rows.values() if rows[0].participant in listed]


def _stretches(rows: Sequence[Row], from_s: float, now_s: float) -> list[Stretch]:
    return stretches(((max(from_s, row.at_s), doing(row)) for row in reversed(rows)), now_s)


def _times(lived: Sequence[Stretch]) -> dict[str, float | None]:
    """How long each thing held in `lived`, and the attentive part of the time that was shared."""
    spent: defaultdict[Doing, float] = defaultdict(float)
    longest_s = 0.0
    for one in lived:
        spent[one.doing] += one.length_s
        if one.doing is Doing.ATTENTIVE:
            longest_s = max(longest_s, one.length_s)
    sharing_s = sum(spent[what] for what in SHARING)
    return {
        "present_s": round(sum(spent.values()) - spent[Doing.ABSENT], 1),
        "sharing_s": round(sharing_s, 1),
        "attentive_s": round(spent[Doing.ATTENTIVE], 1),
        "not_attentive_s": round(spent[Doing.NOT_ATTENTIVE], 1),
        "away_s": round(spent[Doing.AWAY], 1),
        "unknown_s": round(spent[Doing.UNKNOWN], 1),
        "longest_attentive_s": round(longest_s, 1),
        "attentive": round(spent[Doing.ATTENTIVE] / sharing_s, 3) if sharing_s > 0 else None,
    }
