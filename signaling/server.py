"""The server: rooms, routes and lifetime of `edgeattend serve`."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from host.loadmeter import LoadMeter
from host.mode import Mode
from host.record import Event
from host.renderer import GridConfig, check_grid
from signaling import assets, control, ort, views, whip
from signaling.certificate import server_context
from signaling.directory import Directory, check_room_name, close_rooms, open_rooms
from signaling.errors import ConfigInvalid
from signaling.http import (
    AUTHORITY,
    DIRECTORY,
    ICE_SERVERS,
    LOAD_METER,
    MAX_BODY_BYTES,
    REFUSALS,
    REMOVALS,
    STRICT_TRANSPORT,
    HttpConnection,
    add_security_headers,
    answer_errors,
)
from signaling.ice import IceConfig, IceServers
from signaling.limits import LIMITS, Limits, RequestLimits, is_address, limit_requests
from signaling.listener import HEAD_TIMEOUT_S, SEND_TIMEOUT_S, ListenConfig, listen
from signaling.network import routed_address
from signaling.process import ParticipantProcess
from signaling.removals import Removals
from signaling.tokens import DEFAULT_TTL_S, Role, TokenAuthority

logger = logging.getLogger(__name__)

SHUTDOWN_S = 1.0
"""For open requests (MJPEG streams above all) to end by themselves; aiohttp takes as long again to cancel them."""


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """How to serve; `secret` signs the tokens, `port` 0 takes a free one.

    `insecure`: beyond this machine without TLS, too. `strict_transport`: browsers that came by TLS once shall come by
    nothing else for a year, to any port of this host name. `removals_file` remembers whom hosts sent away.
    """

    secret: str = field(repr=False)
    bind: str = "127.0.0.1"
    port: int = 8080
    rooms: tuple[str, ...] = ("main",)
    grid: GridConfig = field(default_factory=GridConfig)
    tls_cert: Path | None = None
    tls_key: Path | None = None
    insecure: bool = False
    strict_transport: bool = False
    ttl_s: float = DEFAULT_TTL_S
    mode: Mode = Mode.INDIVIDUAL
    ice: IceConfig = field(default_factory=IceConfig)
    limits: RequestLimits = field(default_factory=RequestLimits)
    send_timeout_s: float = SEND_TIMEOUT_S
    removals_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Links:
    """Everything a host hands out for one room, ready to paste."""

    room: str
    participant_url: str
    viewer_url: str
    host_url: str
    whip_url: str
    whep_url: str
    annotated_url: str
    status_url: str
    tokens: dict[str, str]

    def ready_event(self) -> dict[str, Any]:
        """The first line of `serve --json`."""
        return {"event": "ready"} | {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server that accepts connections."""

    port: int
    links: tuple[Links, ...]
    directory: Directory


def make_app(
    directory: Directory, authority: TokenAuthority, config: ServeConfig, removals: Removals
) -> web.Application:
    """The routes of DESIGN.md's section 4 over the rooms of `directory`, which share `removals`."""
    app = web.Application(middlewares=[answer_errors, limit_requests], client_max_size=MAX_BODY_BYTES)
    app[DIRECTORY] = directory
    app[AUTHORITY] = authority
    app[REMOVALS] = removals
    app[ICE_SERVERS] = IceServers(config.ice)
    app[LIMITS] = Limits(config.limits, directory.is_here)
    app[STRICT_TRANSPORT] = config.strict_transport
    app[REFUSALS] = Counter()
    app[LOAD_METER] = LoadMeter(directory.rooms())
    app.cleanup_ctx.append(_measure_load)
    app[control.LINK_TTL_S] = config.ttl_s
    app.on_response_prepare.append(add_security_headers)
    app.add_routes(
        [
            web.post("/whip/{room}", whip.publish),
            web.options("/whip/{room}", whip.describe),
            web.post("/whep/{room}", whip.watch),
            web.options("/whep/{room}", whip.describe),
            web.delete("/sessions/{session}", whip.leave),
            web.options("/sessions/{session}", whip.describe),
            web.get("/r/{room}", views.room_page),
            web.get("/r/{room}/host", views.host_page),
            web.get("/r/{room}/annotated.mjpg", views.annotated),
            web.get("/r/{room}/status", views.status),
            web.get("/r/{room}/history.csv", views.history),
            web.get("/r/{room}/timeline", views.timeline),
            web.get("/r/{room}/summary", views.summary),
            web.get("/r/{room}/me", views.me),
            web.get("/r/{room}/links", control.links),
            web.patch("/r/{room}/settings", control.change_settings),
            web.delete("/r/{room}/participants/{participant}", control.remove),
            web.get("/healthz", views.health),
            web.get("/metrics", views.metrics),
            web.get("/ort/{file}", ort.serve),
            web.get("/static/{file:.+}", assets.serve),
        ]
    )
    return app


async def _measure_load(app: web.Application) -> AsyncIterator[None]:
    app[LOAD_METER].start()
    yield
    await app[LOAD_METER].close()


@asynccontextmanager
async def running(
    config: ServeConfig, on_event: Callable[[str, Event], None] = lambda _room, _event: None
) -> AsyncIterator[RunningServer]:
    """A server that runs as long as the context; on the way out it ends every session, stream, task and thread.

    Raises `ConfigInvalid` for what cannot work, `PortTaken` if something else listens there.
    """
    _check(config)
    authority = TokenAuthority(config.secret)
    removals = Removals(config.removals_file)
    rooms = open_rooms(config.rooms, config.grid, on_event, config.mode, stun=config.ice.stun, removals=removals)
    async with rooms as directory:
        runner = web.AppRunner(make_app(directory, authority, config, removals), shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        assert runner.server is not None
        listening: list[asyncio.Server] = []
        try:
            listening = await listen(_connections(runner.server), _listen_config(config))
            port = listening[0].sockets[0].getsockname()[1]
            yield RunningServer(port, tuple(_links(config, port, room, authority) for room in config.rooms), directory)
        finally:
            await close_rooms(directory.rooms())  # first, while whoever asks can still be told that we are going
            for server in listening:
                server.close()
            await runner.cleanup()


@dataclass(frozen=True, slots=True)
class OwnTile:
    """The host takes part too: a source as `edgeattend join` has it, and a name."""

    source: str
    name: str


async def serve(
    config: ServeConfig,
    on_ready: Callable[[RunningServer], None],
    on_event: Callable[[str, Event], None],
    stop: asyncio.Event,
    own_tile: OwnTile | None = None,
) -> None:
    """Run until `stop` is set; `on_ready` hears when connections are accepted. Raises as `running`.

    With `own_tile` the host is a participant of the first room, in a process of its own like everybody else's.
    """
    async with running(config, on_event) as server, asyncio.TaskGroup() as group:
        on_ready(server)
        if own_tile is not None:
            url = server.links[0].participant_url
            process = ParticipantProcess(url, own_tile.name, own_tile.source, lambda _: None)
            own = group.create_task(_run_own_tile(process))
            await stop.wait()
            own.cancel()
        else:
            await stop.wait()
        await close_rooms(server.directory.rooms())  # nobody else waits for the host's own tile


async def _run_own_tile(process: ParticipantProcess) -> None:
    code = await process.run()
    if code != 0:
        logger.error("the host's own tile ended: %s", " ".join(list(process.last_words)[-1:]))


def _check(config: ServeConfig) -> None:
    for room in config.rooms:
        check_room_name(room)
    if len(set(config.rooms)) < len(config.rooms):
        raise ConfigInvalid(f"expected rooms of different names, got {', '.join(config.rooms)}")
    problem = check_grid(config.grid)
    if problem is not None:
        raise ConfigInvalid(problem)
    if (config.tls_cert is None) != (config.tls_key is None):
        raise ConfigInvalid("expected a TLS certificate and its key together, got only one of them")
    proxy = config.limits.proxy
    if proxy is not None and not is_address(proxy):
        raise ConfigInvalid(f"expected the address of a proxy to trust, such as 127.0.0.1, got {proxy!r}")


def _ssl_context(config: ServeConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None or config.tls_key is None:
        return None
    return server_context(config.tls_cert, config.tls_key)


def _connections(server: web.Server) -> Callable[[], HttpConnection]:
    """Makes a protocol for each connection. No access log: its lines would hold tokens."""
    loop = asyncio.get_running_loop()
    # The timeout is also for what comes before the first request is complete; aiohttp takes None for no log.
    return lambda: HttpConnection(
        server,
        loop=loop,
        access_log=None,  # type: ignore[arg-type]
        auto_decompress=False,  # nobody compresses an offer, and what is not unpacked is no bomb
        keepalive_timeout=HEAD_TIMEOUT_S,
        lingering_time=HEAD_TIMEOUT_S,  # for a body that nobody wants
    )


def _listen_config(config: ServeConfig) -> ListenConfig:
    return ListenConfig(
        config.bind,
        config.port,
        _ssl_context(config),
        insecure=config.insecure,
        unbounded=config.limits.trusted,
        send_timeout_s=config.send_timeout_s,
    )


def _links(config: ServeConfig, port: int, room: str, authority: TokenAuthority) -> Links:
    scheme = "https" if config.tls_cert is not None else "http"
    host = _reachable_address(config.bind)
    origin = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
    tokens = {role.value: authority.issue(role, room, ttl_s=config.ttl_s) for role in Role}
    return Links(
        room=room,
        participant_url=f"{origin}/r/{room}?token={tokens['participant']}",
        viewer_url=f"{origin}/r/{room}?token={tokens['viewer']}",
        host_url=f"{origin}/r/{room}/host?token={tokens['host']}",
        whip_url=f"{origin}/whip/{room}",
        whep_url=f"{origin}/whep/{room}",
        annotated_url=f"{origin}/r/{room}/annotated.mjpg?token={tokens['host']}",
        status_url=f"{origin}/r/{room}/status",
        tokens=tokens,
    )


def _reachable_address(bind: str) -> str:
    """The address to put in links: `bind`, or for "every address" the one that this machine uses on its network."""
    try:
        if not ipaddress.ip_address(bind).is_unspecified:
            return bind
    except ValueError:  # a host name
        return bind
    return routed_address() or "127.0.0.1"
