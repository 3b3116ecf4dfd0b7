"""A real server on a free port, and whatever asks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from host.renderer import GridConfig
from host.room import Room
from signaling.server import RunningServer, ServeConfig, running
from signaling.tokens import TokenAuthority
from tests.fake_peer import FakePeer

SECRET = "a secret of the tests that is long enough"
CONFIG = ServeConfig(secret=SECRET, port=0, rooms=("main", "other"), grid=GridConfig(320, 180, 15, 300))
AUTHORITY = TokenAuthority(SECRET)


class Client:
    """Asks the server, with a token or without."""

    def __init__(self, server: RunningServer, http: aiohttp.ClientSession) -> None:
        self.server = server
        self.origin = f"http://127.0.0.1:{server.port}"
        self.http = http
        self.peers: list[FakePeer] = []
        self.tokens = server.links[0].tokens

    @property
    def room(self) -> Room:
        """The room `main`."""
        return self.server.directory.room("main")

    def request(self, method: str, path: str, token: str | None = None, **more: Any) -> Any:
        """A request with `token` (a role of the room `main`, or a token) in its header."""
        headers = dict(more.pop("headers", {}))
        if token is not None:
            headers.setdefault("Authorization", f"Bearer {self.tokens.get(token, token)}")
        return self.http.request(method, self.origin + path, headers=headers, allow_redirects=False, **more)

    async def error(self, method: str, path: str, token: str | None = None, **more: Any) -> tuple[int, str]:
        """Status and code of an error, after a check of its shape."""
        async with self.request(method, path, token, **more) as response:
            assert response.content_type == "application/json", await response.text()
            body = await response.json()
            assert set(body) == {"error"}
            assert set(body["error"]) == {"code", "message"}
            assert body["error"]["message"]
            return response.status, body["error"]["code"]

    async def json(self, path: str, token: str | None = None) -> Any:
        """A good answer."""
        async with self.request("GET", path, token) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def post_offer(self, path: str, offer: str, token: str = "participant") -> Any:
        """The whole answer to an offer, whatever it is."""
        headers = {"Content-Type": "application/sdp"}
        async with self.request("POST", path, token, data=offer, headers=headers) as response:
            await response.read()
            return response

    async def join(self, query: str = "?name=Ana", token: str = "participant") -> tuple[FakePeer, Any]:
        """A connected participant and the answer to their offer."""
        return await self._connect(FakePeer(), f"/whip/main{query}", token)

    async def watch(self, token: str = "viewer") -> tuple[FakePeer, Any]:
        """A connected viewer and the answer to their offer."""
        return await self._connect(FakePeer(None), "/whep/main", token)

    async def _connect(self, peer: FakePeer, path: str, token: str) -> tuple[FakePeer, Any]:
        self.peers.append(peer)
        response = await self.post_offer(path, await peer.offer(), token)
        assert response.status == 201, await response.text()
        await peer.accept(await response.text())
        return peer, response


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(CONFIG) as server, aiohttp.ClientSession() as http:
        client = Client(server, http)
        yield client
        for peer in client.peers:
            await peer.close()
