"""One thing that `edgeattend doctor` looked at."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Verdict(enum.StrEnum):
    """`WARNING`: works, but less than it could; `FAILED`: something that is needed does not work."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, what was found, and what to do about it."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""
