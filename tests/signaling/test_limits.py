"""Limits of requests: who hammers is refused, a whole class behind one address is not, whatever a neighbour does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from unittest.mock import Mock

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from host import audience
from peer.whip import Refused
from signaling.http import AUTHORITY
from signaling.limits import LIMITS, Buckets, Limits, Rate, RequestLimits, client_network, network_of
from signaling.server import ServeConfig, running
from signaling.tokens import Role
from tests import fake_clock
from tests.fake_peer import FakePeer, closing
from tests.signaling.conftest import AUTHORITY as ISSUER
from tests.signaling.conftest import CONFIG, SECRET, Client

HERE = "192.0.2.7"
THERE = "198.51.100.9"
PROXY = "127.0.0.1"
PARTICIPANT, VIEWER, HOST = (ISSUER.issue(role, "main") for role in (Role.PARTICIPANT, Role.VIEWER, Role.HOST))

PARTICIPANTS, VIEWERS = 25, 100
PARTICIPANT_FILES, VIEWER_FILES = 80, 15


def personal(participant: str) -> str:
    return ISSUER.issue(Role.PARTICIPANT, "main", participant=participant)


class Door:
    """Asks limits, without a server, in a time that stands still."""

    def __init__(self, limits: RequestLimits) -> None:
        self.app = web.Application()
        self.inside: set[str | None] = set()
        self.app[LIMITS] = Limits(limits, lambda claims: claims.participant in self.inside)
        self.app[AUTHORITY] = ISSUER
        self._asked: dict[tuple[str | None, ...], web.Request] = {}

    def request(
        self, method: str, path: str, token: str | None = None, address: str = HERE, **headers: str
    ) -> web.Request:
        transport = Mock()
        transport.get_extra_info = lambda name, default=None: (address, 50_000) if name == "peername" else default
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return make_mocked_request(method, path, headers=headers, transport=transport, app=self.app)

    def ask(self, method: str, path: str, token: str | None = None, address: str = HERE) -> bool:
        """Whether it may."""
        what = (method, path, token, address)
        if what not in self._asked:  # to make one takes longer than everything else here
            self._asked[what] = self.request(*what)
        return self.app[LIMITS].take(self._asked[what]) == 0

    def exhaust(self, method: str, path: str, token: str | None = None, address: str = HERE) -> int:
        """How often it might, until it might not."""
        count = 0
        while self.ask(method, path, token, address):
            count += 1
            assert count < 20_000
        return count


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> fake_clock.FakeClock:
    clock = fake_clock.FakeClock()
    clock.install(monkeypatch, "signaling.limits")
    return clock


@pytest.fixture
def door(clock: fake_clock.FakeClock) -> Door:
    return Door(RequestLimits())


def test_a_bucket_gives_its_burst_and_then_its_rate(clock: fake_clock.FakeClock) -> None:
    buckets = Buckets(Rate(3, 2.0))
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.advance(0.5)
    assert (buckets.take("a"), buckets.take("a")) == (0.0, 0.5)
    assert buckets.take("b") == 0.0
    clock.advance(3600)
    assert [buckets.take("a") for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_what_was_given_back_can_be_taken_again_but_never_more_than_the_burst(clock: fake_clock.FakeClock) -> None:
    buckets = Buckets(Rate(1, 0.1))
    buckets.give_back("a")
    assert (buckets.take("a"), buckets.take("a")) == (0.0, 10.0)
    buckets.give_back("a")
    assert buckets.take("a") == 0.0


def test_a_table_forgets_who_was_heard_of_longest_ago(clock: fake_clock.FakeClock) -> None:
    buckets = Buckets(Rate(1, 0.1), capacity=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key)
    assert len(buckets) == 2
    assert buckets.take("a") > 0  # still known
    assert buckets.take("b") == 0  # forgotten


def enter(door: Door, times: int) -> bool:
    """Whether a whole class behind one address may open its links, at the same moment, so often."""
    answers = []
    for _ in range(times):
        for token, files, people in (
            (PARTICIPANT, PARTICIPANT_FILES, PARTICIPANTS),
            (VIEWER, VIEWER_FILES, VIEWERS),
            (HOST, PARTICIPANT_FILES, 1),
        ):
            for _ in range(people):
                answers.append(door.ask("GET", "/r/main", token))
                answers.append(door.ask("GET", "/favicon.ico"))
                answers += [door.ask("GET", "/static/room.js") for _ in range(files)]
    return all(answers)


def test_a_class_behind_one_address_is_never_refused(door: Door, clock: fake_clock.FakeClock) -> None:
    assert enter(door, times=2)
    for kind, token, people in (("whip", PARTICIPANT, PARTICIPANTS), ("whep", VIEWER, VIEWERS)):
        assert all(door.ask("POST", f"/{kind}/main", token) for _ in range(people))
    for _ in range(60):
        clock.advance(1)
        assert all(door.ask("GET", "/r/main/status", PARTICIPANT) for _ in range(PARTICIPANTS))
        assert all(door.ask("GET", "/r/main/status", VIEWER) for _ in range(VIEWERS))
        assert all(door.ask("GET", f"/r/main/{path}", HOST) for path in ("status", "timeline", "summary"))


def test_a_class_comes_back_at_once_after_a_restart_twice_over(door: Door, clock: fake_clock.FakeClock) -> None:
    for _ in range(2):
        assert all(door.ask("POST", "/whip/main", personal(f"p{n}")) for n in range(PARTICIPANTS))
        assert all(door.ask("OPTIONS", "/whep/main") for _ in range(VIEWERS))
        assert all(door.ask("POST", "/whep/main", VIEWER) for _ in range(VIEWERS))
        clock.advance(1)


def test_a_class_with_an_expired_link_is_told_so(door: Door) -> None:
    expired = ISSUER.issue(Role.VIEWER, "main", ttl_s=-60)
    assert all(door.ask("GET", "/r/main", expired) for _ in range(5 * (PARTICIPANTS + VIEWERS)))


@pytest.mark.parametrize(
    ("method", "path", "token", "most"),
    [
        ("GET", "/r/main/status", None, 1_000),
        ("GET", "/r/main/status", "guess.a.token", 1_000),
        ("POST", "/whip/main", None, 1_000),
        ("GET", "/nothing", None, 1_000),
        ("GET", "/metrics", None, 1_000),
        ("GET", "/static/room.js", None, 8_000),
        ("GET", "/static/room.js", HOST, 8_000),
        ("GET", "/r/main/status", VIEWER, 1_500),
        ("POST", "/whep/main", VIEWER, 250),
        ("POST", "/whip/main", PARTICIPANT, 250),
        ("POST", "/whip/main", personal("ana"), 20),
        ("GET", "/r/main/me", personal("ana"), 200),
        ("GET", "/r/main/status", HOST, 5_000),
        ("POST", "/whip/main", HOST, 750),
    ],
)
def test_a_script_that_hammers_is_refused(door: Door, method: str, path: str, token: str | None, most: int) -> None:
    assert door.exhaust(method, path, token) == most


def test_a_token_in_an_address_counts_as_one_in_the_header(door: Door) -> None:
    assert door.exhaust("GET", f"/r/main/status?token={VIEWER}") == 1_500


def test_guessing_behind_an_address_keeps_nobody_out_who_has_a_token(door: Door) -> None:
    door.exhaust("GET", "/r/main", "guess.a.token")
    for method, path, token in (
        ("GET", "/r/main", PARTICIPANT),
        ("POST", "/whip/main", PARTICIPANT),
        ("GET", "/static/room.js", None),
        ("POST", "/whip/main", personal("ana")),
        ("GET", "/r/main/status", HOST),
    ):
        assert door.ask(method, path, token)


def test_hammering_with_an_invite_keeps_nobody_out_who_is_in(door: Door) -> None:
    door.exhaust("POST", "/whip/main", PARTICIPANT)
    door.exhaust("GET", "/r/main/status", PARTICIPANT)
    assert door.ask("POST", "/whip/main", personal("ana"))
    assert door.ask("DELETE", "/r/main/participants/x", HOST)
    assert door.ask("POST", "/whip/main", PARTICIPANT, THERE)


def test_a_link_that_got_about_is_limited_from_all_addresses_together(door: Door) -> None:
    answers = [door.ask("POST", "/whep/main", VIEWER, f"192.0.2.{n}") for n in range(200) for _ in range(10)]
    assert sum(answers) == 750
    assert door.ask("POST", "/whep/main", ISSUER.issue(Role.VIEWER, "main"), THERE)


def test_a_fresh_personal_token_is_no_fresh_start(door: Door) -> None:
    answers = [door.ask("POST", "/whip/main", personal("ana")) for _ in range(30)]
    assert sum(answers) == 20


def test_personal_tokens_of_people_who_are_not_here_count_together(door: Door) -> None:
    answers = [door.ask("POST", "/whip/main", personal(f"p{n}")) for n in range(50) for _ in range(20)]
    assert sum(answers) == 250
    assert not door.ask("POST", "/whip/main", personal("ana"))
    assert door.ask("POST", "/whip/main", personal("ana"), THERE)
    assert door.ask("POST", "/whip/main", PARTICIPANT)
    door.inside.add("ben")
    assert door.exhaust("POST", "/whip/main", personal("ben")) == 20
    asked = [door.ask("GET", "/r/main/me", personal(f"q{n}"), "192.0.2.99") for n in range(20) for _ in range(200)]
    assert sum(asked) == 1_500


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_what_counts_as_one(address: str, network: str) -> None:
    assert network_of(address) == network


@pytest.mark.parametrize(
    ("proxy", "header", "counted"),
    [
        (None, THERE, HERE),
        (PROXY, THERE, HERE),
        (HERE, THERE, THERE),
        (HERE, f"203.0.113.1, {THERE}", THERE),
        (HERE, "2001:db8::1", "2001:db8::/64"),
        (HERE, f"203.0.113.1:80, {THERE}:51234", THERE),
        (HERE, "[2001:db8::1]:443", "2001:db8::/64"),
        (HERE, "[2001:db8::1]", "2001:db8::/64"),
        (HERE, "2001:db8::1:443", "2001:db8::/64"),
        (HERE, "nonsense", HERE),
        (HERE, f"{THERE}, unknown", HERE),
        (HERE, f"{THERE}:", HERE),
        (HERE, f"{THERE}:http", HERE),
        (HERE, f"{THERE}:51234:1", HERE),
        (HERE, f"[{THERE}", HERE),
        (HERE, "[]:443", HERE),
        (HERE, "[2001:db8::1]443", HERE),
        (HERE, "999.0.0.1:80", HERE),
        (HERE, f"for={THERE}", HERE),
        (HERE, "", HERE),
        (HERE, None, HERE),
    ],
)
def test_only_our_proxy_is_believed_whom_it_asks_for(proxy: str | None, header: str | None, counted: str) -> None:
    door = Door(RequestLimits(proxy=proxy))
    headers = {} if header is None else {"X-Forwarded-For": header}
    assert client_network(door.request("GET", "/", **headers)) == counted


def test_another_header_that_a_proxy_may_pass_on_as_it_came_is_not_believed() -> None:
    door = Door(RequestLimits(proxy=HERE))
    assert client_network(door.request("GET", "/", Forwarded=f"for={THERE}")) == HERE


@pytest.fixture
async def strict(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A server that takes two of everything."""
    monkeypatch.setattr("signaling.limits.REFUSE_AFTER_S", 0.0)
    two = Rate(2, 0.01)
    limits = RequestLimits(strangers=two, requests=Rate(50, 1.0), joins=two, own_joins=two)
    config = ServeConfig(secret=SECRET, port=0, grid=CONFIG.grid, limits=limits)
    async with running(config) as server, aiohttp.ClientSession() as http:
        yield Client(server, http)


async def test_too_many_requests_are_told_when_to_try_again(strict: Client) -> None:
    for _ in range(2):
        assert await strict.error("GET", "/r/main/status", "wrong") == (401, "token_invalid")
    assert await strict.error("GET", "/r/main/status", "wrong") == (429, "too_many_requests")
    async with strict.request("GET", "/r/main", headers={"Accept": "text/html"}) as response:
        assert response.status == 429
        assert 90 <= int(response.headers["Retry-After"]) <= 100
        assert "too_many_requests" in await response.text()
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert await strict.json("/r/main/status", "host")


async def test_an_offer_that_found_no_place_is_not_counted(strict: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "MAX_VIEWERS", 0)
    token = ISSUER.issue(Role.VIEWER, "main")
    peer = FakePeer(None)
    async with closing(peer):
        offer = await peer.offer()
        for _ in range(4):
            assert (await strict.post_offer("/whep/main", offer, token)).status == 503
        for _ in range(2):
            assert (await strict.post_offer("/whep/main", "no offer", token)).status == 400
        assert (await strict.post_offer("/whep/main", offer, token)).status == 429


def test_a_participants_program_tries_again_after_too_many_requests() -> None:
    assert not Refused(429, "too_many_requests", "").lasting
    assert not Refused(408, "request_timeout", "").lasting
