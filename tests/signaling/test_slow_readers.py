"""Who asks for something and does not read it: their connection ends; who reads slowly keeps theirs."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from signaling import ort
from signaling.certificate import self_signed
from signaling.server import running
from signaling.stalls import LOOKS, progress_of
from tests.fake_peer import until
from tests.signaling.conftest import CONFIG, Client

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux' TCP_INFO, found another system")

PATIENCE_S = 0.25
MODEL = "/static/models/attention.onnx"
RUNTIME = "/ort/ort-wasm-simd-threaded.wasm"
ESTABLISHED = 1
"""`tcpi_state`, the first byte of TCP_INFO."""


@asynccontextmanager
async def patient_server(tls: tuple[Path, Path] | None = None) -> AsyncIterator[Client]:
    cert, key = tls or (None, None)
    config = dataclasses.replace(CONFIG, send_timeout_s=PATIENCE_S, tls_cert=cert, tls_key=key)
    async with running(config) as server, aiohttp.ClientSession() as http:
        yield Client(server, http)


def stands(one: socket.socket) -> bool:
    return one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED


@asynccontextmanager
async def asking(client: Client, path: str, times: int = 1) -> AsyncIterator[socket.socket]:
    """A connection with little room that asked for `path`, and has read nothing yet."""
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        one.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(one, ("127.0.0.1", client.server.port))
        await loop.sock_sendall(one, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * times)
        yield one


@pytest.mark.parametrize(
    ("path", "times"),
    [
        (MODEL, 1),  # by sendfile
        pytest.param(RUNTIME, 1, marks=pytest.mark.skipif(bool(ort.missing()), reason=f"needs: {ort.INSTALL}")),
        ("/metrics", 500),  # many small answers, from a buffer
    ],
)
async def test_who_never_reads_is_let_go(path: str, times: int, caplog: pytest.LogCaptureFixture) -> None:
    async with patient_server() as client, asking(client, path, times) as one:
        assert stands(one)
        await until(lambda: not stands(one))
        assert await client.json("/healthz") == {"status": "ok", "rooms": 2}
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_who_never_reads_over_tls_is_let_go(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path, "127.0.0.1")
    async with patient_server((cert, key)) as client:
        trusting = ssl.create_default_context(cafile=cert)
        reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port, ssl=trusting, limit=4096)
        connection = writer.get_extra_info("socket")
        writer.write(f"GET {MODEL} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * 4)
        await until(lambda: not stands(connection))
        writer.transport.abort()
        assert not reader.at_eof()


async def test_who_reads_slowly_gets_everything(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    async with patient_server() as client, asking(client, MODEL) as one:
        began_s, got = loop.time(), 0
        while loop.time() - began_s < 4 * PATIENCE_S:  # a little at a time, and the rest at once
            got += len(await loop.sock_recv(one, 2048))
            await asyncio.sleep(PATIENCE_S / LOOKS / 2)
        size = (Path(__file__).parents[2] / MODEL.removeprefix("/")).stat().st_size
        assert got < size / 10
        while got < size:
            data = await loop.sock_recv(one, 1 << 20)
            assert data, "the server closed the connection of somebody who reads"
            got += len(data)


async def test_who_has_read_everything_may_be_idle() -> None:
    async with patient_server() as client, asking(client, "/healthz") as one:
        loop = asyncio.get_running_loop()
        assert b"200 OK" in await loop.sock_recv(one, 4096)
        await asyncio.sleep(2 * PATIENCE_S)
        assert stands(one)
        await loop.sock_sendall(one, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in await loop.sock_recv(one, 4096)


async def test_progress_is_what_the_other_end_took() -> None:
    ours, theirs = socket.create_server(("127.0.0.1", 0)), socket.socket()
    with ours, theirs:
        theirs.connect(ours.getsockname())
        accepted, _ = ours.accept()
        with accepted:
            before = progress_of(accepted)
            assert before is not None
            assert not before.waiting
            accepted.send(b"x" * 1000)
            await until(lambda: (now := progress_of(accepted)) and now.acknowledged == before.acknowledged + 1000)
            accepted.setblocking(False)
            while True:
                try:
                    accepted.send(b"x" * 100_000)
                except BlockingIOError:
                    break
            progress = progress_of(accepted)
            assert progress is not None
            assert progress.waiting
        assert progress_of(accepted) is None
