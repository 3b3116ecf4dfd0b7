"""Watchers of the annotated grid who do not take their pictures: nobody else gets fewer, and nothing piles up."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from host.annotated import encode_jpeg
from host.stamp import Bytes
from tests.fake_peer import until
from tests.signaling.conftest import Client

PICTURE_BYTES = 8_000_000
"""More than two sockets hold."""


@pytest.fixture(autouse=True)
def large_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    def encode(picture: Bytes) -> bytes:
        return encode_jpeg(picture).ljust(PICTURE_BYTES, b"\0")

    monkeypatch.setattr("host.renderer.encode_jpeg", encode)


@asynccontextmanager
async def sleepy_watcher(client: Client) -> AsyncIterator[socket.socket]:
    """A connection that asked for the stream and never reads it."""
    with socket.socket() as sleepy:
        sleepy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sleepy.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sleepy, ("127.0.0.1", client.server.port))
        target = f"/r/main/annotated.mjpg?token={client.tokens['host']}"
        await loop.sock_sendall(sleepy, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        await until(lambda: client.room.annotated.watchers == 1)
        yield sleepy


def most_buffered() -> int:
    """Bytes that wait in this process for the slowest of all connections."""
    # By type: asking some libraries' objects for their class makes them warn.
    transports = [one for one in gc.get_objects() if issubclass(type(one), asyncio.WriteTransport)]
    return max(one.get_write_buffer_size() for one in transports if not one.is_closing() and hasattr(one, "_sock"))


async def pictures(client: Client, count: int) -> None:
    """Watch, for so many pictures."""
    async with asyncio.timeout(30), client.request("GET", "/r/main/annotated.mjpg", "host") as stream:
        for _ in range(count):
            await stream.content.readuntil(b"image/jpeg")
            await stream.content.readexactly(PICTURE_BYTES)


async def test_one_who_does_not_read_costs_nobody_else_a_picture(client: Client) -> None:
    async with sleepy_watcher(client):
        view = client.room.annotated
        await until(lambda: view._number > 3)  # the first of these fills everything on the way
        frames = client.room.renderer.frames
        await pictures(client, 8)
        assert client.room.renderer.frames >= frames + 7
        assert client.room.renderer.errors == 0
        await until(lambda: view.watchers == 1)  # the sleepy one is still waited for
        assert PICTURE_BYTES / 3 < most_buffered() < 2 * PICTURE_BYTES


async def test_one_who_takes_nothing_for_long_is_let_go(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.views.WATCH_PATIENCE_S", 0.5)
    async with sleepy_watcher(client) as sleepy:
        await until(lambda: client.room.annotated.watchers == 0)
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            with contextlib.suppress(ConnectionResetError):
                while await loop.sock_recv(sleepy, 65536):  # what was on the way, then the end
                    pass
    await pictures(client, 2)
