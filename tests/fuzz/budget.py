"""How much is tried: little and always the same in the suite, much and at random when asked for."""

from __future__ import annotations

import os
from random import Random

from hypothesis import HealthCheck, settings

FACTOR = int(os.environ.get("EDGEATTEND_FUZZ", "0"))
"""How many times the suite's number; 0: the suite itself, whose examples never change."""


def count(number: int) -> int:
    """How many rounds: `number` in the suite."""
    return number * max(1, FACTOR)


def examples(number: int) -> settings:
    """Of hypothesis: `number` examples in the suite, none of them timed, since the machine is shared."""
    return settings(
        max_examples=count(number),
        deadline=None,
        derandomize=FACTOR == 0,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )


def dice(seed: int) -> Random:
    """For mutations outside hypothesis: the same in every run of the suite."""
    return Random(seed if FACTOR == 0 else None)
