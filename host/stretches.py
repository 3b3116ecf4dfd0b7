"""The time of a participant cut into stretches in which one thing held: what timelines and summaries are made of."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from host.history import Row
from signaling.protocol import Label, ParticipantState, Reason


class Doing(enum.StrEnum):
    """What holds of somebody, as coarse as a glance takes it in."""

    ATTENTIVE = "attentive"
    NOT_ATTENTIVE = "not_attentive"
    AWAY = "away"
    """Nobody is in the picture: also not attentive, and shown apart."""
    UNKNOWN = "unknown"
    NOT_SHARED = "not_shared"
    ABSENT = "absent"
    """Not in the meeting: still connecting, not heard of, or gone."""


SHARING = frozenset({Doing.ATTENTIVE, Doing.NOT_ATTENTIVE, Doing.AWAY})
"""A label that says something of a person."""

NOBODY = frozenset({Reason.NO_FACE, Reason.AWAY})


@dataclass(frozen=True, slots=True)
class Stretch:
    """What held from when to when (Unix s)."""

    doing: Doing
    from_s: float
    to_s: float

    @property
    def length_s(self) -> float:
        """Seconds."""
        return self.to_s - self.from_s


def doing(row: Row) -> Doing:
    """What holds from `row` on."""
    if row.state != ParticipantState.LIVE:
        return Doing.ABSENT
    if row.label == Label.NOT_ATTENTIVE:
        return Doing.AWAY if row.reason in NOBODY else Doing.NOT_ATTENTIVE
    return Doing(row.label)


def stretches(changes: Iterable[tuple[float, Doing]], until_s: float) -> list[Stretch]:
    """`changes` (when, and what holds from then on; oldest first) up to `until_s`, without any that lasted no time."""
    begun: list[tuple[float, Doing]] = []
    for at_s, what in changes:
        if begun and begun[-1][0] >= at_s:
            begun.pop()
        if not begun or begun[-1][1] is not what:
            begun.append((at_s, what))
    ends = [at_s for at_s, _ in begun[1:]] + [until_s]
    return [Stretch(what, at_s, end_s) for (at_s, what), end_s in zip(begun, ends, strict=False) if end_s > at_s]
