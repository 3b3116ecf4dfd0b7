"""The two HTTP requests of a session."""

from __future__ import annotations

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from peer import whip

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
