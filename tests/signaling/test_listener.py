"""Listening: where without TLS, to how many, and for how long to somebody who says nothing."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from signaling import listener
from signaling.certificate import self_signed
from signaling.errors import ConfigInvalid
from signaling.listener import Connections, ListenConfig, listen
from signaling.server import running
from tests.fake_peer import until
from tests.signaling.conftest import CONFIG, Client

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Talker(asyncio.Protocol):
    """Says hello."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(b"hello\n")


@asynccontextmanager
async def listening(config: ListenConfig) -> AsyncIterator[int]:
    servers = await listen(Talker, config)
    try:
        yield servers[0].sockets[0].getsockname()[1]
    finally:
        for server in servers:
            server.close()


async def connect(port: int, address: str = "127.0.0.1") -> Streams:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))


async def hears(streams: Streams) -> bool:
    """Whether there is anybody at the other end."""
    try:
        return await streams[0].readline() == b"hello\n"
    except ConnectionResetError:
        return False


async def close(*connections: Streams) -> None:
    for _, writer in connections:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def test_one_address_gets_so_many_connections_and_no_more() -> None:
    async with listening(ListenConfig("127.0.0.1", 0, most_of_one=2)) as port:
        first = [await connect(port), await connect(port)]
        assert [await hears(one) for one in first] == [True, True]
        third, other = await connect(port), await connect(port, "127.0.0.2")
        assert not await hears(third)
        assert await hears(other)
        await close(first[0])
        again = await until_heard(port)
        await close(*first[1:], third, other, again)


async def until_heard(port: int) -> Streams:
    """A connection, as soon as there is a place for one."""
    async with asyncio.timeout(10):
        while True:
            streams = await connect(port)
            if await hears(streams):
                return streams
            await close(streams)


async def test_all_together_get_so_many_connections_and_no_more() -> None:
    async with listening(ListenConfig("127.0.0.1", 0, most=2)) as port:
        taken = [await connect(port), await connect(port, "127.0.0.2")]
        assert [await hears(one) for one in taken] == [True, True]
        one_too_many = await connect(port, "127.0.0.3")
        assert not await hears(one_too_many)
        await close(*taken, one_too_many)


async def test_a_proxy_may_have_as_many_as_all_together() -> None:
    async with listening(ListenConfig("127.0.0.1", 0, unbounded="127.0.0.1", most=3, most_of_one=1)) as port:
        taken = [await connect(port) for _ in range(4)]
        assert [await hears(one) for one in taken] == [True, True, True, False]
        await close(*taken)


async def test_a_connection_counts_before_its_tls_handshake(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*self_signed(tmp_path, "127.0.0.1"))
    async with listening(ListenConfig("127.0.0.1", 0, tls=tls, most_of_one=1)) as port:
        silent, other = await connect(port), await connect(port)
        assert not await hears(other)
        await close(silent, other)


async def test_who_never_shakes_hands_for_tls_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "HEAD_TIMEOUT_S", 0.2)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*self_signed(tmp_path, "127.0.0.1"))
    async with listening(ListenConfig("127.0.0.1", 0, tls=tls)) as port:
        silent = await connect(port)
        assert not await asyncio.wait_for(hears(silent), 10)
        await close(silent)


def test_a_count_is_forgotten_with_the_last_connection() -> None:
    connections = Connections(2, 2, None)
    assert connections.enter("192.0.2.1")
    assert connections.enter("192.0.2.1")
    assert not connections.enter("192.0.2.2")
    for _ in range(2):
        connections.leave("192.0.2.1")
    assert len(connections) == 0
    assert connections._of == {}


@pytest.mark.parametrize("bind", ["0.0.0.0", "", "::", "192.0.2.7"])
async def test_beyond_this_machine_it_listens_only_with_tls_or_when_told_to(bind: str) -> None:
    with pytest.raises(ConfigInvalid, match="serve --tls, serve --tls-cert with --tls-key, or --insecure, to listen"):
        await listen(Talker, ListenConfig(bind, 0))


@pytest.mark.parametrize("bind", ["127.0.0.1", "127.0.0.2", "localhost"])
async def test_on_loopback_it_listens_as_it_is(bind: str) -> None:
    async with listening(ListenConfig(bind, 0)) as port:
        assert port > 0


async def test_on_every_address_it_listens_when_told_to() -> None:
    async with listening(ListenConfig("0.0.0.0", 0, insecure=True)) as port:
        streams = await connect(port)
        assert await hears(streams)
        await close(streams)


@pytest.mark.parametrize(
    "said", [b"", b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow", b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET "]
)
async def test_a_request_that_never_ends_ends_its_connection(said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.server.HEAD_TIMEOUT_S", 0.2)
    async with running(CONFIG) as server:
        reader, writer = await connect(server.port)
        writer.write(said)
        answered = await asyncio.wait_for(reader.read(), 10)  # to its end
        assert answered.startswith(b"HTTP/1.1 200") is (said.count(b"GET") == 2)
        await close((reader, writer))


async def test_a_head_that_drips_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.server.HEAD_TIMEOUT_S", 0.2)
    async with running(CONFIG) as server:
        reader, writer = await connect(server.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")

        async def drip() -> None:
            while True:
                writer.write(b"X-Slow: 1\r\n")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):  # never an answer
            await asyncio.wait_for(reader.readuntil(b"HTTP/1.1 200"), 10)
        dripping.cancel()
        await close((reader, writer))


async def test_a_body_that_drips_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.http.BODY_TIMEOUT_S", 0.2)
    reader, writer = await connect(client.server.port)
    head = (
        f"POST /whip/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.tokens['participant']}\r\n"
        "Content-Type: application/sdp\r\nContent-Length: 1000\r\n\r\nv=0"
    )
    writer.write(head.encode())
    assert b" 408 " in await asyncio.wait_for(reader.readline(), 10)
    await close((reader, writer))
    await until(lambda: not client.room.participants())
