"""Who may do what: every route for every role, and every way to come without the right token."""

from __future__ import annotations

import time

import jwt
import pytest

from signaling.tokens import Role, TokenAuthority
from tests.host.offers import offer, real_offer, section
from tests.signaling.conftest import AUTHORITY, SECRET, Client

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
RANK = [Role.VIEWER, Role.PARTICIPANT, Role.HOST]
GETS = [path for method, path in ROUTES if method == "GET"]


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


@pytest.mark.parametrize("path", ["/healthz", "/metrics", "/static/error.html"])
async def test_what_shows_nothing_of_anybody_is_open(client: Client, path: str) -> None:
    async with client.request("GET", path) as response:
        assert response.status == 200
