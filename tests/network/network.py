"""A small network for a test: namespaces, the process that joins them, and requests from within one of them."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import msgspec

from tests.network.link import Change, Condition, Counters
from tests.network.namespace import Namespace

ROOT = Path(__file__).parents[2]


class Network:
    """Namespaces 1 to N on one network; their cables are good until `set` says otherwise."""

    def __init__(self, namespaces: list[Namespace], link: asyncio.subprocess.Process) -> None:
        self._namespaces = namespaces
        self._link = link

    def __getitem__(self, number: int) -> Namespace:
        return self._namespaces[number - 1]

    async def set(self, number: int, up: Condition, down: Condition | None = None) -> dict[str, Counters]:
        """The cable of a namespace from now on, both ways alike unless `down` is given; what it has carried so far."""
        assert self._link.stdin is not None
        assert self._link.stdout is not None
        self._link.stdin.write(msgspec.json.encode(Change(number, up, up if down is None else down)) + b"\n")
        line = await asyncio.wait_for(self._link.stdout.readline(), 10)
        return msgspec.json.decode(line, type=dict[str, Counters])

    def http(self, number: int) -> aiohttp.ClientSession:
        """Requests from within a namespace."""
        place = self[number]
        # A connection for each: the address they come from may change.
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                socket_factory=lambda info: place.socket(info[0], info[1], info[2]), force_close=True
            )
        )


@contextlib.asynccontextmanager
async def network(size: int) -> AsyncIterator[Network]:
    """A network of `size` namespaces, gone at the end."""
    with contextlib.ExitStack() as stack:
        namespaces = []
        for number in range(1, size + 1):
            namespaces.append(Namespace(number))
            stack.callback(namespaces[-1].close)
        devices = [place.tun for place in namespaces]
        link = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.network.link"),
            *(f"{number}={tun}" for number, tun in enumerate(devices, 1)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=devices,
            cwd=ROOT,
        )
        try:
            current = Network(namespaces, link)
            await current.set(1, Condition())  # it is there
            yield current
        finally:
            assert link.stdin is not None
            link.stdin.close()  # it ends with its input
            await link.wait()
