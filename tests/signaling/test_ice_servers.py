"""How a server tells of its ICE servers, and whom."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import aiohttp
import pytest

from signaling.ice import IceConfig, from_links
from signaling.server import running
from signaling.tokens import Role
from tests.host.offers import real_offer
from tests.signaling.conftest import AUTHORITY, CONFIG, Client

SECRET = "a secret that is shared with coturn"
STUN, TURN = "stun:192.0.2.7:3478", "turn:192.0.2.7:3478?transport=udp"
ICE = IceConfig(turn=(TURN,), turn_secret=SECRET)


@pytest.fixture
async def relayed() -> AsyncIterator[Client]:
    """A client of a server that has a TURN server."""
    async with running(replace(CONFIG, ice=ICE)) as server, aiohttp.ClientSession() as http:
        yield Client(server, http)


async def told(client: Client, path: str, token: str | None) -> list[str]:
    """The servers that OPTIONS names, after a check of the rest."""
    async with client.request("OPTIONS", path, token) as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert response.headers["Cache-Control"] == "no-store"
        return [server.url for server in from_links(response.headers.getall("Link", []))]


@pytest.mark.parametrize(
    ("path", "role", "told_of"),
    [
        ("/whip/main", "participant", [TURN]),
        ("/whip/main", "host", [TURN]),
        ("/whip/main", "viewer", []),
        ("/whip/main", None, []),
        ("/whep/main", "viewer", [TURN]),
        ("/whep/main", None, []),
        ("/whep/nowhere", "viewer", []),
        ("/whip/other", "participant", []),
        ("/whip/main", "nonsense", []),
    ],
)
async def test_options_names_them_to_who_may_post_there(
    relayed: Client, path: str, role: str | None, told_of: list[str]
) -> None:
    assert await told(relayed, path, role) == told_of


async def test_an_expired_token_gets_no_credentials(relayed: Client) -> None:
    assert await told(relayed, "/whip/main", AUTHORITY.issue(Role.PARTICIPANT, "main", ttl_s=-1.0)) == []


async def test_who_was_removed_gets_no_credentials(relayed: Client) -> None:
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p1")
    assert await told(relayed, "/whip/main", token) == [TURN]
    headers = {"Content-Type": "application/sdp"}
    data = await real_offer("sendonly")
    async with relayed.request("POST", "/whip/main", token, data=data, headers=headers) as response:
        assert response.status == 201
    relayed.room.remove("p1")
    assert await told(relayed, "/whip/main", token) == []


@pytest.mark.parametrize(("path", "direction"), [("/whip/main", "sendonly"), ("/whep/main", "recvonly")])
async def test_the_answer_to_an_offer_names_them_too(relayed: Client, path: str, direction: str) -> None:
    response = await relayed.post_offer(path, await real_offer(direction))
    assert response.status == 201
    (server,) = from_links(response.headers.getall("Link"))
    assert server.url == TURN
    assert server.credential
    assert "Link" in response.headers["Access-Control-Expose-Headers"]


async def test_a_server_without_any_names_none(client: Client) -> None:
    assert await told(client, "/whip/main", "participant") == []
    assert "Link" not in (await client.post_offer("/whip/main", await real_offer("sendonly"))).headers


@pytest.mark.parametrize("query", ["", "?watch=1"])
async def test_pages_know_whether_there_is_anything_to_ask_for(client: Client, relayed: Client, query: str) -> None:
    for server, known in ((client, "no"), (relayed, "yes")):
        async with server.request("GET", f"/r/main{query}", "participant") as response:
            assert f'data-ice="{known}"' in await response.text()


async def test_the_secret_is_in_nothing_that_anybody_gets_or_reads(
    relayed: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    paths = ["/r/main", "/r/main/host", "/r/main/status", "/r/main/links", "/r/main/summary", "/metrics", "/healthz"]
    for path in paths:
        async with relayed.request("GET", path, "host") as response:
            assert SECRET not in await response.text() + str(response.headers)
    response = await relayed.post_offer("/whip/main", await real_offer("sendonly"))
    credentials = [server.credential for server in from_links(response.headers.getall("Link"))]
    said = caplog.text + str(relayed.server.links) + repr(replace(CONFIG, ice=ICE))
    for private in (SECRET, *credentials):
        assert private not in said


async def test_the_host_asks_stun_for_its_own_address_and_tells_clients_of_it() -> None:
    async with running(replace(CONFIG, ice=IceConfig(stun=STUN))) as server, aiohttp.ClientSession() as http:
        client = Client(server, http)
        assert await told(client, "/whip/main", "participant") == [STUN]
        connection = client.room._endpoint.connect()
        assert [one.urls for one in connection._RTCPeerConnection__configuration.iceServers] == [STUN]
        await connection.close()
