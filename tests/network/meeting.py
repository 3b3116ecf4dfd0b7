"""A meeting across namespaces: the server in the first, participants wherever a test puts them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from tests.meeting.processes import Meeting
from tests.network.network import Network

HOST = 1
"""The namespace of the server, from which a test also looks at it."""


@contextlib.asynccontextmanager
async def meeting(net: Network, secret_file: Path, module: str = "edgeattend") -> AsyncIterator[Meeting]:
    """An open meeting; every process ends with it."""
    host = net[HOST]
    async with net.http(HOST) as http:
        current = Meeting(secret_file, http, bind=host.address, within=host.prefix, module=module)
        try:
            await current.open()
            yield current
        finally:
            await current.close()
