"""Whose place a newcomer to a full room gets: that of somebody whose connection never came about.

An offer takes a place before there is a connection: otherwise two could be promised the same one. So whoever has an
invite could take all of them with offers alone, and again as soon as they time out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from signaling.errors import RoomFull

CONNECT_PATIENCE_S = 5.0
"""ICE and DTLS take well under a second, and a few when packets get lost; from then on a place is not defended."""

CROWD = 5
"""So many more from one address than from the newcomer's are a crowd, which yields at once: more than a household."""

Holder = TypeVar("Holder")


@dataclass(frozen=True, slots=True)
class HalfOpen(Generic[Holder]):
    """Somebody whose connection has not come about: from which address, and since when (monotonic s)."""

    holder: Holder
    address: str
    since_s: float


def who_yields(half_open: Sequence[HalfOpen[Holder]], address: str, now_s: float, everybody: str) -> Holder:
    """Who goes, so that a newcomer from `address` has a place. Raises `RoomFull` (of `everybody`) if nobody has to."""
    oldest_first = sorted(half_open, key=lambda one: one.since_s)
    of = Counter(one.address for one in oldest_first)
    crowds = {other for other, count in of.most_common(1) if count - of[address] >= CROWD}
    for one in oldest_first:
        if one.address in crowds or now_s - one.since_s >= CONNECT_PATIENCE_S:
            return one.holder
    raise RoomFull(f"expected at most {everybody} in this room, and they are here")
