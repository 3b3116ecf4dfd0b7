"""What the host of a room gets to see."""

from __future__ import annotations

import enum


class Mode(enum.StrEnum):
    """Each person's label, or only the room's share of attentive people; settled before the first one joins."""

    INDIVIDUAL = "individual"
    AGGREGATE = "aggregate"
