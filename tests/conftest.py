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


LONGEST = (
    "network/test_faults.py",
    "browser/test_participant_page.py",
    "meeting/test_faults.py",
    "training/test_all.py",
    "browser/test_perception.py",
    "browser/test_dashboard_page.py",
    "meeting/test_bad_input.py",
    "training/test_prune.py",
    "training/test_export.py",
    "meeting/test_meeting.py",
    "network/test_browser.py",
    "browser/test_viewer_page.py",
    "training/test_compare.py",
    "browser/test_accessibility.py",
    "browser/test_whole_meeting.py",
    "training/test_rendered_stages.py",
)
"""Files that take half a minute and more: begun last, each would go on alone when all others are done."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first; each file stays together, in its order."""
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get("/".join(item.path.parts[-2:]), len(order)))


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
