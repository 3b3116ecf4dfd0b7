"""Networks to hold meetings in, where the system lets us make them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.network.namespace import why_not
from tests.network.network import Network, network

REASON = why_not()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """None of these without namespaces."""
    if REASON is None:
        return
    for item in items:
        if "tests/network/" in item.nodeid:
            item.add_marker(pytest.mark.skip(reason=REASON))


@pytest.fixture
async def net() -> AsyncIterator[Network]:
    """Two namespaces; in meetings, the host's is 1."""
    async with network(2) as made:
        yield made
