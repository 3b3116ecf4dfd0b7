"""The HTTP requests of a session."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from peer import whip
from signaling.ice import IceServer

ANSWER = "v=0\r\n" + "a=candidate:x\r\n" * 400


async def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(status=201, headers={"Location": "/sessions/1"})
        await response.prepare(request)
        for start in range(0, len(ANSWER), 1000):
            await response.write(ANSWER[start : start + 1000].encode())
        return response

    app = web.Application()
    app.router.add_post("/whip/main", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        answered = await whip.publish(http, URL(str(server.make_url("/whip/main"))), "token", "v=0")
    assert answered.sdp == ANSWER
    assert answered.session.path == "/sessions/1"


async def asked(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> list[IceServer]:
    """The ICE servers that a host tells of which answers OPTIONS so."""
    app = web.Application()
    app.router.add_options("/whip/main", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        return await whip.ice_servers(http, URL(str(server.make_url("/whip/main"))), "token")


async def test_ice_servers_are_asked_for_with_the_token() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer token"
        response = web.Response(status=204)
        response.headers.add("Link", '<stun:a>; rel="ice-server"')
        response.headers.add("Link", '<turn:b>; rel="ice-server"; username="u"; credential="p"')
        return response

    assert await asked(answer) == [IceServer("stun:a"), IceServer("turn:b", "u", "p")]


@pytest.mark.parametrize("status", [200, 204, 400, 401, 405, 500])
async def test_a_host_that_knows_nothing_of_ice_servers_keeps_nobody_out(status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    assert await asked(answer) == []


@pytest.mark.parametrize("status", [429, 503])
async def test_a_host_that_is_too_busy_to_name_ice_servers_is_not_made_an_offer(status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Retry-After": "7"})

    with pytest.raises(whip.Refused) as refused:
        await asked(answer)
    assert (refused.value.status, refused.value.retry_after_s) == (status, 7.0)
    assert not refused.value.lasting


@pytest.mark.parametrize(("said", "wait_s"), [("7", 7.0), ("soon", 0.0), (None, 0.0)])
async def test_a_refusal_tells_when_to_come_again(said: str | None, wait_s: float) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=503, text="busy", headers={} if said is None else {"Retry-After": said})

    app = web.Application()
    app.router.add_post("/whip/main", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        with pytest.raises(whip.Refused) as refused:
            await whip.publish(http, URL(str(server.make_url("/whip/main"))), "token", "v=0")
    assert (refused.value.code, refused.value.retry_after_s) == ("http_503", wait_s)


async def test_a_refusal_that_is_nested_too_deep_is_a_refusal() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=400, text='{"error":' + "[" * 100_000)

    app = web.Application()
    app.router.add_post("/whip/main", answer)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        with pytest.raises(whip.Refused) as refused:
            await whip.publish(http, URL(str(server.make_url("/whip/main"))), "token", "v=0")
    assert refused.value.code == "http_400"


async def test_leaving_with_a_token_that_no_header_can_carry_is_no_error() -> None:
    async with aiohttp.ClientSession() as http:
        await whip.leave(http, URL("http://127.0.0.1:9/sessions/1"), "a\r\nb")


async def test_a_host_that_is_silent_about_ice_servers_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whip, "ICE_TIMEOUT", aiohttp.ClientTimeout(total=0.1))

    async def answer(_: web.Request) -> web.StreamResponse:
        await asyncio.sleep(10)
        raise AssertionError

    assert await asked(answer) == []


async def test_a_host_that_is_not_there_has_none() -> None:
    async with aiohttp.ClientSession() as http:
        assert await whip.ice_servers(http, URL("http://127.0.0.1:9/whip/main"), "token") == []


async def test_where_no_way_leads_to_the_host_nobody_waits_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(*_: object, **__: object) -> None:
        raise aiohttp.ConnectionTimeoutError

    monkeypatch.setattr(aiohttp.TCPConnector, "connect", connect)
    async with aiohttp.ClientSession() as http:
        with pytest.raises(whip.Unreachable, match="ConnectionTimeoutError"):
            await whip.ice_servers(http, URL("http://127.0.0.1:9/whip/main"), "token")
