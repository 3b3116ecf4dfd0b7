"""The end of a server in order: who is told what, and how the last requests are answered."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from host.session import Session
from signaling.protocol import Bye
from signaling.server import RunningServer, running
from tests.fake_peer import FakePeer, until
from tests.signaling.conftest import CONFIG, Client


async def test_while_sessions_close_newcomers_are_told_to_try_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.closing.CLOSE_PATIENCE_S", 60.0)
    close, let = Session.close, asyncio.Event()

    async def close_late(self: Session) -> None:
        await let.wait()
        await close(self)

    monkeypatch.setattr(Session, "close", close_late)
    stop, ready = asyncio.Event(), asyncio.Queue[RunningServer]()

    async def hold_open() -> None:
        async with running(CONFIG) as server:
            ready.put_nowait(server)
            await stop.wait()

    serving = asyncio.create_task(hold_open())
    async with aiohttp.ClientSession() as http:
        client = Client(await ready.get(), http)
        ana, _ = await client.join()
        stop.set()
        assert (await ana.hear(Bye)).reason == "shutdown"
        other = client.server.links[1].tokens["viewer"]
        for path, peer, token in (("/whip/main", FakePeer(), "participant"), ("/whep/other", FakePeer(None), other)):
            client.peers.append(peer)
            answer = await client.post_offer(path, await peer.offer(), token)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
            assert (await answer.json())["error"]["code"] == "draining"
        async with client.request("GET", "/healthz") as response:
            assert (response.status, (await response.json())["status"]) == (503, "draining")
        assert not serving.done()
        let.set()
        await asyncio.wait_for(serving, 10)
        await asyncio.gather(*(peer.close() for peer in client.peers))


async def test_a_session_that_hangs_does_not_keep_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.closing.CLOSE_PATIENCE_S", 0.05)
    close, let = Session.close, asyncio.Event()

    async def close_late(self: Session) -> None:
        await let.wait()
        await close(self)

    async with aiohttp.ClientSession() as http:
        async with running(CONFIG) as server:
            client = Client(server, http)
            await client.join()
            await client.watch()
            monkeypatch.setattr(Session, "close", close_late)
        let.set()
        await asyncio.gather(*(peer.close() for peer in client.peers))


async def test_the_room_that_cannot_close_is_not_the_last_one_that_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with aiohttp.ClientSession() as http:
        async with running(CONFIG) as server:
            client = Client(server, http)
            ana, _ = await client.join()
            other = server.directory.room("other")
            close = other.close

            async def fail() -> None:
                await close()
                raise ZeroDivisionError

            monkeypatch.setattr(other, "close", fail)
        assert (await ana.hear(Bye)).reason == "shutdown"
        await until(lambda: ana.connection.connectionState == "closed")
        await ana.close()
    assert "could not close the room other" in caplog.text
