"""What every test has in common: property tests that find the same examples on every machine."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from tests.fake_clock import FakeClock

settings.register_profile(
    "edgeattend",
    deadline=None,  # two shared cores: the time of one example says nothing
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("edgeattend")


@pytest.fixture
def clock() -> FakeClock:
    """A clock to install in the modules under test."""
    return FakeClock()
