"""Who may do what: every route for every role, and every way to come without the right token."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import jwt
import pytest

from signaling import ort
from signaling.directory import LocalDirectory
from signaling.protocol import Label, Reason, encode
from signaling.removals import Removals
from signaling.server import make_app
from signaling.tokens import Role, TokenAuthority
from tests.fake_peer import FakePeer, until
from tests.host.offers import offer, real_offer, section
from tests.signaling.conftest import AUTHORITY, CONFIG, SECRET, Client

ROUTES = {
    ("GET", "/r/main"): Role.VIEWER,
    ("GET", "/r/main/status"): Role.VIEWER,
    ("POST", "/whep/main"): Role.VIEWER,
    ("POST", "/whip/main"): Role.PARTICIPANT,
    ("GET", "/r/main/host"): Role.HOST,
    ("GET", "/r/main/annotated.mjpg"): Role.HOST,
    ("GET", "/r/main/history.csv"): Role.HOST,
    ("GET", "/r/main/timeline"): Role.HOST,
    ("GET", "/r/main/summary"): Role.HOST,
    ("GET", "/r/main/links"): Role.HOST,
    ("PATCH", "/r/main/settings"): Role.HOST,
}
NOTHING_THERE = [("DELETE", "/sessions/x"), ("DELETE", "/r/main/participants/x"), ("GET", "/r/main/me")]
OPEN = [
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/ort/ort.wasm.min.mjs"),
    ("GET", "/static/room.js"),
    ("OPTIONS", "/whip/main"),
    ("OPTIONS", "/whep/main"),
    ("OPTIONS", "/sessions/x"),
]
HOLDERS = ("nobody", "viewer", "invite", "personal", "removed", "host", "elsewhere", "expired")
"""Of a token: none, of a role, of a participant who is here, of one whom the host removed, of a host of another room,
and of a host whose time is over."""
RANK = [Role.VIEWER, Role.PARTICIPANT, Role.HOST]
GETS = [path for method, path in ROUTES if method == "GET"]


def matrix() -> dict[tuple[str, str], tuple[int, ...]]:
    """What every route answers to every holder, in the order of `HOLDERS`."""
    answers = {
        Role.VIEWER: (401, 200, 200, 200, 403, 200, 403, 401),
        Role.PARTICIPANT: (401, 403, 200, 200, 403, 200, 403, 401),
        Role.HOST: (401, 403, 403, 403, 403, 200, 403, 401),
    }
    table = {route: answers[role] for route, role in ROUTES.items()}
    for route in (("POST", "/whip/main"), ("POST", "/whep/main")):
        table[route] = tuple(201 if status == 200 else status for status in table[route])
    table["GET", "/r/main/me"] = (401, 403, 403, 200, 403, 403, 403, 401)
    table["DELETE", "/r/main/participants/x"] = (401, 403, 403, 403, 403, 404, 403, 401)
    table["DELETE", "/sessions/x"] = (401, 404, 404, 404, 403, 404, 404, 401)
    for method, path in OPEN:
        table[method, path] = (204 if method == "OPTIONS" else 200,) * len(HOLDERS)
    return table


TELLING = ("mood", "attentive", "eyes_closed", "0.123", "score", "reason")
"""Words and numbers of moods."""


async def bodies() -> dict[str, str]:
    return {"/whip/main": await real_offer("sendonly"), "/whep/main": await real_offer("recvonly")}


@pytest.mark.parametrize("held", RANK)
async def test_every_route_is_open_to_its_role_and_those_above_and_shut_to_those_below(
    client: Client, held: Role
) -> None:
    offers = await bodies()
    for (method, path), needed in ROUTES.items():
        more = {"data": offers[path], "headers": {"Content-Type": "application/sdp"}} if method == "POST" else {}
        more = {"json": {"title": "main"}} if method == "PATCH" else more
        async with client.request(method, path, held.value, **more) as response:
            if RANK.index(held) >= RANK.index(needed):
                assert response.status in (200, 201), (path, await response.text())
            else:
                assert response.status == 403
                assert (await response.json())["error"] == {
                    "code": "role_forbidden",
                    "message": f"expected a {needed} token, got a {held} token",
                }


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
async def test_without_a_token_nothing_of_a_room_is_shown(client: Client, method: str, path: str) -> None:
    async with client.request(method, path) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert (await response.json())["error"]["code"] == "token_missing"


@pytest.mark.parametrize(("method", "path"), list(ROUTES))
async def test_a_token_of_another_room_opens_nothing(client: Client, method: str, path: str) -> None:
    assert await client.error(method, path, AUTHORITY.issue(Role.HOST, "other")) == (403, "room_forbidden")


@pytest.mark.parametrize(("method", "path"), [*ROUTES, *NOTHING_THERE])
async def test_a_wrong_token_is_refused_everywhere(client: Client, method: str, path: str) -> None:
    expired = jwt.encode({"role": "host", "room": "main", "jti": "x", "exp": time.time() - 1}, SECRET, "HS256")
    unsigned = jwt.encode({"role": "host", "room": "main", "jti": "x", "exp": time.time() + 60}, "", "none")
    foreign = TokenAuthority("another secret that is also long enough").issue(Role.HOST, "main")
    assert await client.error(method, path, expired) == (401, "token_expired")
    for token in (unsigned, foreign, "nonsense"):
        assert await client.error(method, path, token) == (401, "token_invalid")


@pytest.mark.parametrize("path", GETS)
async def test_a_link_carries_its_token(client: Client, path: str) -> None:
    async with client.request("GET", f"{path}?token={client.tokens['host']}") as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/whip/main"),
        ("POST", "/whep/main"),
        ("DELETE", "/sessions/x"),
        ("DELETE", "/r/main/participants/x"),
        ("PATCH", "/r/main/settings"),
    ],
)
async def test_a_token_in_the_address_is_not_taken_for_what_changes_something(
    client: Client, method: str, path: str
) -> None:
    assert await client.error(method, f"{path}?token={client.tokens['host']}") == (401, "token_missing")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_the_scheme_may_be_written_in_any_case(client: Client, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {client.tokens['viewer']}"}
    async with client.request("GET", "/r/main/status", headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize("value", ["Basic {}", "{}", "", "Bearer", "Bearer ", "Token {}"])
async def test_a_header_that_bears_no_token_is_none(client: Client, value: str) -> None:
    headers = {"Authorization": value.format(client.tokens["host"])}
    assert await client.error("GET", "/r/main/status", headers=headers) == (401, "token_missing")


async def test_the_header_counts_before_the_address(client: Client) -> None:
    path = f"/r/main/host?token={client.tokens['host']}"
    assert await client.error("GET", path, "viewer") == (403, "role_forbidden")


async def test_an_unknown_room_is_told_only_to_who_has_its_token(client: Client) -> None:
    for path in ("/r/nowhere", "/r/nowhere/status", "/r/nowhere/host", "/r/nowhere/history.csv"):
        assert await client.error("GET", path, "host") == (403, "room_forbidden")
        assert await client.error("GET", path, AUTHORITY.issue(Role.HOST, "nowhere")) == (404, "room_unknown")
    more = {"data": offer(section()), "headers": {"Content-Type": "application/sdp"}}
    for path in ("/whip/nowhere", "/whep/nowhere"):
        assert await client.error("POST", path, AUTHORITY.issue(Role.HOST, "nowhere"), **more) == (404, "room_unknown")


async def holders(client: Client) -> dict[str, str | None]:
    """A token of every holder; the participant who is here is the only one, and connected."""
    tokens = {"invite": client.tokens["participant"]}
    for holder in ("personal", "removed"):
        _, response = await client.join()
        tokens[holder] = response.headers["X-EdgeAttend-Resume"]
    client.room.remove(AUTHORITY.check(tokens["removed"], None, Role.VIEWER).participant or "")
    tokens["elsewhere"] = AUTHORITY.issue(Role.HOST, "other")
    tokens["expired"] = AUTHORITY.issue(Role.HOST, "main", ttl_s=-1)
    return {holder: tokens.get(holder, client.tokens.get(holder)) for holder in HOLDERS}


async def test_every_route_answers_every_holder_as_the_matrix_says(client: Client) -> None:
    tokens, offers = await holders(client), await bodies()
    for (method, path), expected in sorted(matrix().items()):  # by method: POST, which changes who is here, comes last
        if path.startswith("/ort/") and ort.missing():
            continue
        more = {"data": offers[path], "headers": {"Content-Type": "application/sdp"}} if method == "POST" else {}
        more = {"json": {"title": "main"}} if method == "PATCH" else more
        answered = []
        for token in tokens.values():
            async with client.request(method, path, token, **more) as response:
                answered.append(response.status)
        assert tuple(answered) == expected, (method, path)


def test_the_matrix_has_every_route() -> None:
    app = make_app(LocalDirectory([]), AUTHORITY, CONFIG, Removals())
    names = {"room": "main", "session": "x", "participant": "x", "file": "ort.wasm.min.mjs"}
    served = set()
    for route in app.router.routes():
        assert route.resource is not None
        path = route.resource.canonical
        served.add((route.method, "/static/room.js" if path == "/static/{file}" else path.format(**names)))
    assert {(method, path) for method, path in served if method != "HEAD"} == set(matrix())


async def test_no_route_tells_a_mood_to_anybody_but_the_host(client: Client) -> None:
    tokens = await holders(client)
    ana, _ = await client.join("?name=Ana")
    before = {key: text async for key, text in all_told(client, tokens)}
    ana.mood(Label.NOT_ATTENTIVE, 0.123, Reason.EYES_CLOSED)
    await until(lambda: "0.123" in str(client.room.status(labels=True)))
    compared = 0
    async for key, text in all_told(client, tokens):
        if "<html" in text:
            assert text == before[key], key
            compared += 1
        else:
            assert not [word for word in TELLING if word in text.replace('"mood":null', "")], key
    assert compared == 4  # the room's page for all who may open it but the host, and its other half for a viewer
    assert "eyes_closed" in await (await client.request("GET", "/r/main/status", "host")).text()


async def all_told(client: Client, tokens: dict[str, str | None]) -> AsyncIterator[tuple[tuple[str, str], str]]:
    """What every route that can be read tells everybody but the host."""
    for (method, path), statuses in matrix().items():
        if method != "GET" or path.startswith(("/static/", "/ort/")):
            continue
        for holder, status in zip(HOLDERS, statuses, strict=True):
            if holder != "host":
                async with client.request("GET", path, tokens[holder]) as response:
                    assert response.status == status
                    text = await response.text()
                    yield (path, holder), text if path != "/metrics" else without_comments(text)
    async with client.request("GET", "/r/main?watch=1", "participant") as response:
        yield ("/r/main?watch=1", "invite"), await response.text()


def without_comments(metrics: str) -> str:
    """What is measured, without the words that explain it."""
    return "\n".join(line for line in metrics.splitlines() if not line.startswith("#"))


async def test_no_message_tells_a_mood_to_anybody(client: Client) -> None:
    ana, _ = await client.join("?name=Ana")
    ben, _ = await client.join("?name=Ben")
    watching = FakePeer()  # with a channel, which viewers are not meant to have
    client.peers.append(watching)
    answer = await client.post_offer("/whep/main", await watching.offer(), "viewer")
    await watching.accept(await answer.text())
    ana.mood(Label.NOT_ATTENTIVE, 0.123, Reason.EYES_CLOSED)
    await until(lambda: "0.123" in str(client.room.status(labels=True)))
    heard = len(ana.messages), len(ben.messages)
    await until(lambda: len(ana.messages) > heard[0] and len(ben.messages) > heard[1])
    for message in (encode(one) for peer in (ana, ben) for one in peer.messages):
        assert not [word for word in TELLING if word in message], message
    assert watching.messages == []


async def test_to_know_somebodys_id_gives_nobody_their_tile(client: Client) -> None:
    _, response = await client.join("?name=Ana")
    (ana,) = client.room.participants()
    for query in (f"?participant={ana.id}", f"?sub={ana.id}", f"?id={ana.id}", f"?name={ana.id}"):
        assert (await client.post_offer(f"/whip/main{query}", await real_offer("sendonly"))).status == 201
    forged = response.headers["X-EdgeAttend-Resume"].replace(".", f".{ana.id}", 1)
    more = {"data": await real_offer("sendonly"), "headers": {"Content-Type": "application/sdp"}}
    assert await client.error("POST", "/whip/main", forged, **more) == (401, "token_invalid")
    assert len({one.id for one in client.room.participants()}) == 5
    assert ana.state == "live"
