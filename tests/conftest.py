"""What every test has in common: property tests that find the same examples on every machine."""

from __future__ import annotations

from importlib.util import find_spec

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

WITHOUT_TRAINING = find_spec("torch") is None
"""Torch is large: who works on the meeting alone may do without the training packages."""

collect_ignore = ["training"] if WITHOUT_TRAINING else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out, and how to have it."""
    if WITHOUT_TRAINING:
        terminalreporter.write_line(
            "SKIPPED tests/training: the training packages are not installed (. scripts/environment dev,train)"
        )


@pytest.fixture
def clock() -> FakeClock:
    """A clock to install in the modules under test."""
    return FakeClock()
