"""Networks to hold meetings in, where the system lets us make them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.network.namespace import why_not
from tests.network.network import Network, network

REASON = why_not()

PRIORITY = -10
"""Of this process and those it starts (nice)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """None of these without namespaces."""
    if REASON is None:
        return
    for item in items:
        if "tests/network/" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture
def first_of_all() -> Iterator[None]:
    """Before the other tests on this machine: a host that is busy has other cares than slow networks."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, before)


@pytest.fixture
async def net(first_of_all: None) -> AsyncIterator[Network]:
    """Two namespaces; in meetings, the host's is 1."""
    async with network(2) as made:
        yield made
