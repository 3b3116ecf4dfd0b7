"""What a host changes: title, mode, who is here; and the links they hand out."""

from __future__ import annotations

import dataclasses
from typing import Any

import aiohttp
import pytest

from host.mode import Mode
from signaling.protocol import Bye
from signaling.server import running
from signaling.tokens import Role
from tests.fake_peer import until
from tests.host.offers import real_offer
from tests.signaling.conftest import AUTHORITY, CONFIG, Client

SETTINGS = "/r/main/settings"


async def change(client: Client, **settings: Any) -> Any:
    async with client.request("PATCH", SETTINGS, "host", json=settings) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_a_title_is_shown_and_the_address_stays(client: Client) -> None:
    assert await change(client, title="  Physics,   Tuesday ") == {"title": "Physics, Tuesday", "mode": "individual"}
    assert (await client.json("/r/main/status", "viewer"))["title"] == "Physics, Tuesday"
    async with client.request("GET", "/r/main/host", "host") as page:
        text = await page.text()
    assert "Physics, Tuesday" in text
    assert 'data-room="main"' in text


async def test_a_title_is_text_whatever_it_holds(client: Client) -> None:
    await change(client, title='<b>"Ben\'s"</b>')
    async with client.request("GET", "/r/main/host", "host") as page:
        assert "<b>" not in await page.text()


@pytest.mark.parametrize("title", ["", "   ", "x" * 65, "a\u202eb", "\u2800"])
async def test_a_title_keeps_the_rules_of_names(client: Client, title: str) -> None:
    assert await client.error("PATCH", SETTINGS, "host", json={"title": title}) == (400, "name_invalid")


async def test_the_mode_changes_until_somebody_joins(client: Client) -> None:
    assert (await change(client, mode="aggregate"))["mode"] == "aggregate"
    status = await client.json("/r/main/status", "host")
    assert (status["mode"], status["mode_fixed"], status["share"]) == ("aggregate", False, None)
    await client.join()
    assert await client.error("PATCH", SETTINGS, "host", json={"mode": "individual"}) == (409, "mode_fixed")
    assert (await change(client, mode="aggregate", title="Still"))["title"] == "Still"
    assert (await client.json("/r/main/status", "host"))["mode_fixed"]


async def test_a_change_that_is_refused_changes_nothing(client: Client) -> None:
    await client.join()
    settings = {"title": "Other", "mode": "aggregate"}
    assert await client.error("PATCH", SETTINGS, "host", json=settings) == (409, "mode_fixed")
    assert (await client.json("/r/main/status", "viewer"))["title"] == "main"


@pytest.mark.parametrize(
    "body", ["", "[]", "nonsense", '{"mode": "public"}', '{"title": 7}', '{"name": "x"}', b"\xff", "{" * 5000]
)
async def test_settings_that_make_no_sense_are_refused(client: Client, body: Any) -> None:
    headers = {"Content-Type": "application/json"}
    assert await client.error("PATCH", SETTINGS, "host", data=body, headers=headers) == (400, "bad_request")


async def test_settings_are_json(client: Client) -> None:
    assert await client.error("PATCH", SETTINGS, "host", data="title=x") == (415, "media_type_unsupported")


async def test_a_host_removes_somebody(client: Client) -> None:
    ana, _ = await client.join("?name=Ana")
    await client.join("?name=Ben")
    person = client.room.participants()[0]
    async with client.request("DELETE", f"/r/main/participants/{person.id}", "host") as response:
        assert response.status == 200
    assert (await ana.hear(Bye)).reason == "removed"
    assert [one.name for one in client.room.participants()] == ["Ben"]
    async with client.request("DELETE", f"/r/main/participants/{person.id}", "host") as response:
        assert response.status == 200  # they were here, and stay away
    assert await client.error("DELETE", "/r/main/participants/nobody", "host") == (404, "participant_unknown")


@pytest.mark.parametrize("token", ["viewer", "participant"])
async def test_nobody_else_removes_anybody(client: Client, token: str) -> None:
    await client.post_offer("/whip/main?name=Ana", await real_offer("sendonly"))
    path = f"/r/main/participants/{client.room.participants()[0].id}"
    assert await client.error("DELETE", path, token) == (403, "role_forbidden")
    assert await client.error("DELETE", path, AUTHORITY.issue(Role.HOST, "other")) == (403, "room_forbidden")
    assert len(client.room.participants()) == 1


async def test_links_hold_fresh_tokens_of_their_role_that_name_nobody(client: Client) -> None:
    first, second = [await client.json("/r/main/links", "host") for _ in range(2)]
    assert set(first) == {"participant", "viewer"}
    for role in (Role.PARTICIPANT, Role.VIEWER):
        claims = AUTHORITY.check(first[role.value], "main", role)
        assert (claims.role, claims.participant) == (role, None)
        assert first[role.value] != second[role.value]
    response = await client.post_offer("/whip/main?name=Ana", await real_offer("sendonly"), first["participant"])
    assert response.status == 201


async def test_links_are_valid_as_long_as_the_servers_own() -> None:
    config = dataclasses.replace(CONFIG, ttl_s=-5.0)
    async with running(config) as server, aiohttp.ClientSession() as http:
        client = Client(server, http)
        fresh = await client.json("/r/main/links", AUTHORITY.issue(Role.HOST, "main"))
        assert await client.error("GET", "/r/main/status", fresh["viewer"]) == (401, "token_expired")


async def test_a_server_opens_its_rooms_in_the_mode_it_was_told() -> None:
    config = dataclasses.replace(CONFIG, mode=Mode.AGGREGATE)
    async with running(config) as server, aiohttp.ClientSession() as http:
        client = Client(server, http)
        for room in ("main", "other"):
            status = await client.json(f"/r/{room}/status", AUTHORITY.issue(Role.VIEWER, room))
            assert status["mode"] == "aggregate"
        await until(lambda: client.room.renderer.frames > 0)
