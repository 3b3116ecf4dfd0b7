"""A meeting that goes on while somebody throws things at the server's HTTP port."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import aiohttp

from signaling.limits import Rate, RequestLimits
from signaling.protocol import Bye
from signaling.server import running
from tests.fake_peer import until
from tests.fuzz.process import open_sockets
from tests.signaling.conftest import CONFIG, Client

MANY = Rate(10**6, 1e6)
UNLIMITED = RequestLimits(MANY, MANY, MANY, MANY, MANY, MANY, MANY, MANY, proxy="127.0.0.1")
"""Who throws things shall meet the server, not `429`; they come by a proxy, whose word for an address is read."""

STATUS_LINE = re.compile(rb"HTTP/\d\.\d (\d{3}) ")
MOST_BYTES = 64 * 1024
"""Of an answer that is looked at: the annotated grid has no end."""

HANGS_S = 30.0


@asynccontextmanager
async def going_on(**changes: Any) -> AsyncIterator[Client]:
    """A server with Ana and a viewer in it. In the end both still are, pictures come, and nothing else is left."""
    config = replace(CONFIG, limits=UNLIMITED, strict_transport=True, **changes)
    connector = aiohttp.TCPConnector(force_close=True, ssl=False)  # certificates are not what is tested
    async with running(config) as server, aiohttp.ClientSession(connector=connector) as http:
        client = Client(server, http)
        client.origin = f"{'http' if config.tls_cert is None else 'https'}://127.0.0.1:{server.port}"
        try:
            ana, _ = await client.join("?name=Ana")
            viewer, _ = await client.watch()
            await until(lambda: viewer.grid)
            await until(lambda: not connections())
            before = len(asyncio.all_tasks()), open_sockets()
            yield client
            await until(lambda: not connections() and len(asyncio.all_tasks()) <= before[0])
            await until(lambda: open_sockets() <= before[1])
            assert not ana.heard(Bye)
            await until(lambda: "Ana" in {one.name for one in client.room.participants() if one.state == "live"})
            frames = len(viewer.grid)
            await until(lambda: len(viewer.grid) > frames + 3)
            assert (await client.json("/healthz"))["status"] == "ok"
        finally:
            await asyncio.gather(*(peer.close() for peer in client.peers))


def connections() -> list[asyncio.Task[Any]]:
    """The server's tasks of one connection each."""
    return [task for task in asyncio.all_tasks() if "RequestHandler.start" in repr(task.get_coro())]


async def throw(port: int, *parts: bytes, most: int = MOST_BYTES) -> bytes:
    """All that the server says to `parts`, one packet each, until it closes the connection; `TimeoutError` if it never
    does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        async with asyncio.timeout(HANGS_S):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)  # for the server, in the same loop, to read it
            while len(answer) < most and (more := await reader.read(most)):
                answer += more
    except ConnectionError:  # closed before all was read
        pass
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return answer


def statuses(answer: bytes) -> list[int]:
    """Of every answer in what came over one connection."""
    return [int(status) for status in STATUS_LINE.findall(answer)]
