"""How often one address, one person and one link may ask: token buckets, in tables that do not grow.

A whole class behind one address is never refused, a script that hammers is. Who has a tile, and a host, are counted
by themselves: whatever a neighbour behind the same address does, those inside stay inside.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from aiohttp import web

from signaling.errors import EdgeAttendError, TooManyRequests
from signaling.http import AUTHORITY, Handler, bearer
from signaling.tokens import Claims, Role

MAX_KEYS = 10_000
"""Addresses or tokens that a table remembers; the one that was heard of longest ago goes first."""

REFUSE_AFTER_S = 1.0
"""A refusal waits this long: a script that hammers has to wait with it, and costs a meeting next to nothing."""

FILE_PATHS = ("/static/", "/ort/")
JOIN_PATHS = ("/whip/", "/whep/")

WITH_PORT = re.compile(r"(?:\[([^]]*)\]|([\d.]+))(?::\d{1,5})?", re.ASCII)
"""An address as some proxies write it, `203.0.113.7:51234` or `[2001:db8::1]:443`."""

NETWORK_BITS = 64
"""Of an IPv6 address: the rest is for one household, or one machine, to choose (RFC 6177)."""


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then `per_s`."""

    burst: int
    per_s: float


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How many requests of whom. The numbers come from a full room behind one address, all of it twice at once.

    25 participants load 80 files each, 100 viewers 15; every page asks for the status once a second; after a restart
    everybody posts an offer, and once more when that failed.
    """

    files: Rate = Rate(8_000, 200.0)
    """Of an address: files that hold nothing of a meeting."""

    strangers: Rate = Rate(1_000, 10.0)
    """Of an address, without a token that is good: expired links, preflights, health, metrics, and guesses."""

    requests: Rate = Rate(1_500, 300.0)
    """Of an address, with links that many people share."""

    joins: Rate = Rate(250, 10.0)
    """Offers of an address, with such links. One that was answered with 503 is not counted."""

    link_requests: Rate = Rate(5_000, 1_000.0)
    """With one such link, or by one host, from wherever: a link that got about does not bring its room down."""

    link_joins: Rate = Rate(750, 30.0)

    own_requests: Rate = Rate(200, 20.0)
    """Of a participant, by personal token: one person with a few devices."""

    own_joins: Rate = Rate(20, 2.0)
    """A participant who is refused tries again every 2 s."""

    proxy: str | None = None
    """Address of a reverse proxy whose `X-Forwarded-For` is believed; its last entry is who asked it.

    `Forwarded` (RFC 7239) is not read: proxies that write only the one pass on the other as a stranger sent it.
    """

    @property
    def trusted(self) -> str | None:
        """`proxy` as connections spell it."""
        return None if self.proxy is None else str(ipaddress.ip_address(self.proxy))


class Buckets:
    """One token bucket for each key."""

    def __init__(self, rate: Rate, capacity: int = MAX_KEYS) -> None:
        self._rate = rate
        self._capacity = capacity
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # key -> tokens, when (monotonic s)

    def __len__(self) -> int:
        return len(self._levels)

    def take(self, key: str) -> float:
        """Take one token: 0.0, or how many seconds until there is one to take."""
        level = self._level(key)
        wait_s = 0.0 if level >= 1 else (1 - level) / self._rate.per_s
        self._keep(key, level if wait_s else level - 1)
        return wait_s

    def give_back(self, key: str) -> None:
        """Undo a `take`."""
        self._keep(key, min(float(self._rate.burst), self._level(key) + 1))

    def _level(self, key: str) -> float:
        level, then_s = self._levels.get(key, (float(self._rate.burst), 0.0))
        return min(float(self._rate.burst), level + (time.monotonic() - then_s) * self._rate.per_s)

    def _keep(self, key: str, level: float) -> None:
        self._levels[key] = level, time.monotonic()
        self._levels.move_to_end(key)
        if len(self._levels) > self._capacity:
            self._levels.popitem(last=False)


class Limits:
    """What is left to everybody."""

    def __init__(self, limits: RequestLimits, is_here: Callable[[Claims], bool]) -> None:
        """`is_here`: whether the holder of a personal token has a tile now."""
        self.proxy = limits.trusted
        self._is_here = is_here
        self._files = Buckets(limits.files)
        self._strangers = Buckets(limits.strangers)
        self._requests = Buckets(limits.requests)
        self._joins = Buckets(limits.joins)
        self._link_requests = Buckets(limits.link_requests)
        self._link_joins = Buckets(limits.link_joins)
        self._own_requests = Buckets(limits.own_requests)
        self._own_joins = Buckets(limits.own_joins)
        self._return_requests = Buckets(limits.requests)
        self._returns = Buckets(limits.joins)

    def take(self, request: web.Request) -> float:
        """Count `request`: 0.0 if it may go on, or in how many seconds it could."""
        claims = None if request.path.startswith(FILE_PATHS) else _claims(request)
        for buckets, key in self._that_count(request, claims):
            wait_s = buckets.take(key)
            if wait_s > 0:
                return wait_s
        return 0.0

    def give_back_join(self, request: web.Request) -> None:
        """An offer was refused for no fault of its sender."""
        for buckets, key in self._that_count(request, _claims(request)):
            if buckets in (self._joins, self._link_joins, self._own_joins, self._returns):
                buckets.give_back(key)

    def _that_count(self, request: web.Request, claims: Claims | None) -> Iterator[tuple[Buckets, str]]:
        address = client_network(request)
        joins = request.method == "POST" and request.path.startswith(JOIN_PATHS)
        if request.path.startswith(FILE_PATHS):
            yield self._files, address
        elif claims is None:
            yield self._strangers, address
        elif claims.participant is not None:
            # An invite makes as many personal tokens as somebody likes: they count together, but for people inside.
            absent = not self._is_here(claims)
            yield self._own_requests, claims.participant
            if absent:
                yield self._return_requests, address
            if joins:
                yield self._own_joins, claims.participant
            if joins and absent:
                yield self._returns, address
        else:
            if claims.role is not Role.HOST:
                yield self._requests, address
                if joins:
                    yield self._joins, address
            yield self._link_requests, claims.token_id
            if joins:
                yield self._link_joins, claims.token_id


LIMITS = web.AppKey("limits", Limits)


@web.middleware
async def limit_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what is too much, late and with `TooManyRequests`."""
    limits = request.app[LIMITS]
    wait_s = limits.take(request)
    if wait_s > 0:
        await asyncio.sleep(REFUSE_AFTER_S)
        raise TooManyRequests(
            "expected fewer requests from this address or with this token, got too many",
            retry_after_s=math.ceil(wait_s),
        )
    try:
        return await handler(request)
    except EdgeAttendError as error:
        if error.status == web.HTTPServiceUnavailable.status_code:
            limits.give_back_join(request)
        raise


def client_network(request: web.Request) -> str:
    """Who asks, as limits count: the other end of the connection, or whom our proxy says that it asks for."""
    address = request.remote or ""
    if address == request.app[LIMITS].proxy:
        said = ",".join(request.headers.getall("X-Forwarded-For", [])).rpartition(",")[2].strip()
        asker = _without_port(said)
        return network_of(asker if is_address(asker) else address)  # what makes no sense counts as the proxy's own
    return network_of(address)


def _without_port(said: str) -> str:
    found = WITH_PORT.fullmatch(said)
    return said if found is None else found[1] or found[2] or ""


def is_address(text: str) -> bool:
    """Whether `text` is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def network_of(address: str) -> str:
    """What is counted as one: an IPv4 address, or the network an IPv6 address is in."""
    if not is_address(address):
        return address
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip.packed, NETWORK_BITS), strict=False))


def _claims(request: web.Request) -> Claims | None:
    """Of the request's token, if it is good for anything."""
    try:
        return request.app[AUTHORITY].check(bearer(request), None, Role.VIEWER)
    except EdgeAttendError:
        return None
