"""WHIP, WHEP and DELETE: coming, watching and going over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from host.mode import Mode
from signaling.protocol import Bye, Welcome
from signaling.tokens import Role
from tests.fake_peer import until
from tests.host.offers import offer, real_offer, section
from tests.signaling.conftest import AUTHORITY, Client


async def test_an_offer_is_answered_with_a_session_and_a_personal_token(client: Client) -> None:
    peer, response = await client.join()
    assert response.status == 201
    assert response.content_type == "application/sdp"
    assert response.headers["Cache-Control"] == "no-store"
    assert client.room.owner_of(response.headers["Location"].removeprefix("/sessions/")) is not None
    claims = AUTHORITY.check(response.headers["X-EdgeAttend-Resume"], "main", Role.PARTICIPANT)
    welcome = await peer.hear(Welcome)
    assert (claims.participant, claims.name) == (welcome.participant, "Ana")
    assert AUTHORITY.check(welcome.resume, "main", Role.PARTICIPANT).participant == claims.participant


async def test_one_invitation_lets_many_in(client: Client) -> None:
    await client.join("?name=Ana")
    await client.join("?name=Ben")
    people = (await client.json("/r/main/status", "viewer"))["participants"]
    assert [person["name"] for person in people] == ["Ana", "Ben"]
    assert people[0]["id"] != people[1]["id"]


async def test_the_personal_token_takes_the_tile_back(client: Client) -> None:
    first, response = await client.join("?name=Ana")
    await client.join("?name=Ben")
    await client.join("?name=Eve", token=response.headers["X-EdgeAttend-Resume"])
    assert (await first.hear(Bye)).reason == "replaced"
    people = (await client.json("/r/main/status", "viewer"))["participants"]
    assert [person["name"] for person in people] == ["Ana", "Ben"]


async def test_a_personal_token_names_whoever_gives_no_name(client: Client) -> None:
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p7", name="Zuri")
    await client.join("", token=token)
    (person,) = (await client.json("/r/main/status", "viewer"))["participants"]
    assert (person["id"], person["name"]) == ("p7", "Zuri")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "Guest"),
        ("?name=%20Ana%20%20Lima", "Ana Lima"),
        ("?name=%E7%8E%8B", "王"),
        ("?name=%F0%9F%8E%89", "🎉"),
        ("?name=%3Cscript%3E", "<script>"),
        ("?name=%D7%A9%D7%9C%D7%95%D7%9D", "שלום"),
    ],
)
async def test_a_name_may_be_in_any_script(client: Client, query: str, name: str) -> None:
    response = await client.post_offer(f"/whip/main{query}", await real_offer("sendonly"))
    assert response.status == 201
    (person,) = (await client.json("/r/main/status", "viewer"))["participants"]
    assert person["name"] == name


async def test_a_viewer_watches_and_has_no_tile(client: Client) -> None:
    viewer, response = await client.watch()
    assert (await until(lambda: viewer.grid))[0].key
    assert "X-EdgeAttend-Resume" not in response.headers
    status = await client.json("/r/main/status", "viewer")
    assert status["participants"] == []
    assert status["grid"]["viewers"] == 1


@pytest.mark.parametrize(
    ("token", "status"),
    [("opener", 200), ("resume", 200), ("host", 200), ("viewer", 403), ("stranger", 403), ("other room's host", 403)],
)
async def test_a_session_is_ended_by_its_owner_or_a_host(client: Client, token: str, status: int) -> None:
    opener = AUTHORITY.issue(Role.PARTICIPANT, "main")
    response = await client.post_offer("/whip/main?name=Ana", await real_offer("sendonly"), opener)
    tokens = {
        "opener": opener,
        "resume": response.headers["X-EdgeAttend-Resume"],
        "stranger": AUTHORITY.issue(Role.PARTICIPANT, "main", participant="somebody else"),
        "other room's host": AUTHORITY.issue(Role.HOST, "other"),
    }
    async with client.request("DELETE", response.headers["Location"], tokens.get(token, token)) as ended:
        assert ended.status == status
    assert len(client.room.participants()) == (0 if status == 200 else 1)
    if status == 200:
        assert await client.error("DELETE", response.headers["Location"], "host") == (404, "session_unknown")


async def test_a_guest_does_not_end_another_guests_session(client: Client) -> None:
    first = await client.post_offer("/whip/main?name=Ana", await real_offer("sendonly"))
    second = await client.post_offer("/whip/main?name=Ben", await real_offer("sendonly"))
    error = await client.error("DELETE", first.headers["Location"], second.headers["X-EdgeAttend-Resume"])
    assert error == (403, "role_forbidden")
    assert len(client.room.participants()) == 2


async def test_a_viewers_session_is_ended_by_its_own_token_alone(client: Client) -> None:
    opener, other = (AUTHORITY.issue(Role.VIEWER, "main") for _ in range(2))
    response = await client.post_offer("/whep/main", await real_offer("recvonly"), opener)
    path = response.headers["Location"]
    assert await client.error("DELETE", path, other) == (403, "role_forbidden")
    async with client.request("DELETE", path, opener) as ended:
        assert ended.status == 200
    assert client.room.fanout.viewers == 0


@pytest.mark.parametrize("path", ["/sessions/x", "/sessions/" + "x" * 2000, "/sessions/%00"])
async def test_a_session_that_is_not_there_cannot_be_ended(client: Client, path: str) -> None:
    assert await client.error("DELETE", path, "host") == (404, "session_unknown")


@pytest.mark.parametrize("path", ["/whip/main", "/whep/main"])
async def test_what_may_be_posted_is_told_to_anybody(client: Client, path: str) -> None:
    async with client.request("OPTIONS", path) as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"


async def test_the_media_type_may_have_parameters(client: Client) -> None:
    headers = {"Content-Type": "application/SDP; charset=utf-8"}
    async with client.request("POST", "/whip/main", "host", data=offer(section()), headers=headers) as response:
        assert response.status == 201


@pytest.mark.parametrize(("path", "direction"), [("/whip/main", "sendonly"), ("/whep/main", "recvonly")])
async def test_a_full_room_says_when_to_try_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, path: str, direction: str
) -> None:
    monkeypatch.setattr("host.room.MAX_PARTICIPANTS", 0)
    monkeypatch.setattr("host.audience.MAX_VIEWERS", 0)
    response = await client.post_offer(path, await real_offer(direction))
    assert response.status == 503
    assert int(response.headers["Retry-After"]) > 0
    assert (await response.json())["error"]["code"] == "room_full"


@pytest.mark.parametrize("path", ["/whip/main", "/whep/main", "/sessions/x"])
async def test_pages_of_other_origins_may_publish_and_watch_with_a_token(client: Client, path: str) -> None:
    response = await client.request("OPTIONS", path)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert "Location" in response.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Origin" not in (await client.request("GET", "/r/main/status")).headers


async def test_who_was_removed_needs_the_invitation_again(client: Client) -> None:
    _, response = await client.join()
    personal = response.headers["X-EdgeAttend-Resume"]
    (person,) = (await client.json("/r/main/status", "host"))["participants"]
    async with client.request("DELETE", f"/r/main/participants/{person['id']}", "host") as removed:
        assert removed.status == 200
    more = {"data": await real_offer("sendonly"), "headers": {"Content-Type": "application/sdp"}}
    assert await client.error("POST", "/whip/main", personal, **more) == (403, "removed")
    assert await client.error("GET", "/r/main/me", personal) == (403, "removed")
    assert (await client.post_offer("/whip/main", await real_offer("sendonly"))).status == 201


async def test_a_host_who_ends_somebodys_session_removes_them_too(client: Client) -> None:
    _, response = await client.join()
    async with client.request("DELETE", response.headers["Location"], "host") as ended:
        assert ended.status == 200
    more = {"data": await real_offer("sendonly"), "headers": {"Content-Type": "application/sdp"}}
    assert await client.error("POST", "/whip/main", response.headers["X-EdgeAttend-Resume"], **more) == (403, "removed")


async def test_who_agreed_to_another_mode_is_not_let_in(client: Client) -> None:
    more = {"data": await real_offer("sendonly"), "headers": {"Content-Type": "application/sdp"}}
    error = await client.error("POST", "/whip/main?mode=aggregate", "participant", **more)
    assert error == (409, "mode_changed")
    assert not client.room.mode_fixed
    assert (await client.post_offer("/whip/main?mode=individual", await real_offer("sendonly"))).status == 201


async def test_who_joined_in_aggregate_mode_brings_it_back_after_a_restart(client: Client) -> None:
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p7", name="Zuri", mode="aggregate")
    assert (await client.post_offer("/whip/main", await real_offer("sendonly"), token)).status == 201
    assert (await client.json("/r/main/status", "viewer"))["mode"] == "aggregate"


@pytest.mark.parametrize(
    ("query", "direction", "refused"),
    [
        ("", "recvonly", (422, "sdp_no_video")),
        ("?name=%00", "sendonly", (400, "name_invalid")),
        ("?mode=individual", "sendonly", (409, "mode_changed")),
    ],
)
async def test_an_offer_that_is_refused_brings_no_mode_back(
    client: Client, query: str, direction: str, refused: tuple[int, str]
) -> None:
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p7", mode="aggregate")
    more = {"data": await real_offer(direction), "headers": {"Content-Type": "application/sdp"}}
    assert await client.error("POST", f"/whip/main{query}", token, **more) == refused
    assert (await client.json("/r/main/status", "viewer"))["mode"] == "individual"
    assert (await client.post_offer("/whip/main?mode=individual", await real_offer("sendonly"))).status == 201


async def test_where_there_is_no_place_no_mode_comes_back(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.room.MAX_PARTICIPANTS", 0)
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p7", mode="aggregate")
    assert (await client.post_offer("/whip/main", await real_offer("sendonly"), token)).status == 503
    assert (await client.json("/r/main/status", "viewer"))["mode"] == "individual"


async def test_who_joined_in_aggregate_mode_does_not_come_back_into_another(client: Client) -> None:
    await client.join("?name=Ana")
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p7", name="Zuri", mode="aggregate")
    more = {"data": await real_offer("sendonly"), "headers": {"Content-Type": "application/sdp"}}
    assert await client.error("POST", "/whip/main", token, **more) == (409, "mode_fixed")


async def test_a_personal_token_remembers_the_mode(client: Client) -> None:
    client.room.set_mode(Mode.AGGREGATE)
    _, response = await client.join()
    token = response.headers["X-EdgeAttend-Resume"]
    assert AUTHORITY.check(token, "main", Role.PARTICIPANT).mode == "aggregate"


async def test_an_offer_that_was_given_up_takes_nobody_s_tile(client: Client) -> None:
    """After a cut, what was sent into it arrives late, behind the session that came after it."""
    peer, response = await client.join("?name=Ana")
    await peer.hear(Welcome)
    (before,) = client.room.participants()
    slot = before.slot
    body = (await real_offer("sendrecv")).encode()
    token = response.headers["X-EdgeAttend-Resume"]
    head = (
        "POST /whip/main?name=Ana HTTP/1.1\r\nHost: x\r\nContent-Type: application/sdp\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(head.encode() + body)
    writer.close()
    await writer.wait_closed()
    await client.join("?name=Ben")  # who comes in behind it: offers are answered one after the other
    assert before.slot is slot
