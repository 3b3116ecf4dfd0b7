"""Listening: to loopback alone unless TLS or the user says otherwise, and to so many connections and no more."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from signaling.errors import ConfigInvalid, PortTaken
from signaling.limits import network_of
from signaling.stalls import SendWatch

HEAD_TIMEOUT_S = 10.0
"""For a TLS handshake, and for the first line and headers of a request, however slowly they drip; also how long a
connection may lie idle between two requests: pages ask once a second."""

CLOSE_TIMEOUT_S = 2.0
"""For the other side to end TLS in order."""

SEND_TIMEOUT_S = 30.0
"""For the other side to take anything at all of what waits for it; a reader that is slow takes something."""

MAX_CONNECTIONS = 2_000
MAX_CONNECTIONS_OF_ONE = 1_000
"""Of one address: a browser holds six at most while it loads, and 125 people may be behind one address."""

OPEN_FILES = 16_384
"""Sockets of connections and of media, and what they load; the system's usual 1,024 are not enough for full rooms."""


@dataclass(frozen=True, slots=True)
class ListenConfig:
    """Where to listen, and how. `insecure`: beyond this machine without TLS, too. `unbounded`: the address of a proxy
    that may have as many connections as all together."""

    bind: str
    port: int
    tls: ssl.SSLContext | None = None
    insecure: bool = False
    unbounded: str | None = None
    most: int = MAX_CONNECTIONS
    most_of_one: int = MAX_CONNECTIONS_OF_ONE
    send_timeout_s: float = SEND_TIMEOUT_S


class Connections:
    """How many connections there are, and of whom."""

    def __init__(self, most: int, most_of_one: int, unbounded: str | None) -> None:
        self._most, self._most_of_one, self._unbounded = most, most_of_one, unbounded
        self._of: Counter[str] = Counter()
        self._all = 0

    def __len__(self) -> int:
        return self._all

    def enter(self, address: str) -> bool:
        """Whether one more of `address` may be; if so it is counted until `leave`."""
        most_of_one = self._most if address == self._unbounded else self._most_of_one
        if self._all >= self._most or self._of[network_of(address)] >= most_of_one:
            return False
        self._of[network_of(address)] += 1
        self._all += 1
        return True

    def leave(self, address: str) -> None:
        """One connection of `address` is over."""
        self._of[network_of(address)] -= 1
        self._all -= 1
        if self._of[network_of(address)] <= 0:
            del self._of[network_of(address)]


class Connection(socket.socket):
    """An accepted socket that says when it is closed."""

    on_closed: Callable[[], None] | None = None
    watch: SendWatch | None = None

    def close(self) -> None:
        """Close, once."""
        if self.watch is not None:
            self.watch.close()
        super().close()
        told, self.on_closed = self.on_closed, None
        if told is not None:
            told()


class Listener(socket.socket):
    """A listening socket that closes at once what is one connection too many, before TLS or HTTP hear of it.

    asyncio's selector loops accept with it; Windows' proactor accepts on its own, and so without these limits.
    """

    connections: Connections
    send_timeout_s: float

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection; `ConnectionAbortedError` (asyncio then goes on) if it is one too many."""
        plain, peer = super().accept()
        address = str(peer[0])
        if not self.connections.enter(address):
            plain.close()
            raise ConnectionAbortedError
        connection = Connection(self.family, self.type, self.proto, fileno=plain.detach())
        connection.on_closed = lambda: self.connections.leave(address)
        connection.watch = SendWatch(connection, self.send_timeout_s)
        return connection, peer


async def listen(factory: Callable[[], asyncio.BaseProtocol], config: ListenConfig) -> list[asyncio.Server]:
    """Servers that make a protocol with `factory` for each connection to any of the addresses of `config.bind`.

    Raises `ConfigInvalid` if that cannot or must not be, `PortTaken` if something else listens there.
    """
    connections = Connections(min(config.most, open_files() // 2), config.most_of_one, config.unbounded)
    servers: list[asyncio.Server] = []
    try:
        for family, address in await asyncio.to_thread(addresses, config):
            servers.append(await _serve(factory, config, _listener(family, address, connections, config)))
    except OSError as error:
        for server in servers:
            server.close()
        where = f"{config.bind}:{config.port}"
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"expected port {config.port} to be free, but something listens on {where}") from error
        raise ConfigInvalid(
            f"expected an address of this machine to listen on, got {where}: {error.strerror}"
        ) from error
    return servers


def addresses(config: ListenConfig) -> Sequence[tuple[int, tuple[Any, ...]]]:
    """Family and socket address of all that `config.bind` stands for; asks the name service, and waits for it. Raises
    `OSError`, `ConfigInvalid`."""
    answers = socket.getaddrinfo(config.bind or None, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    found = list(dict.fromkeys((family, address) for family, _, _, _, address in answers))
    if config.tls is None and not config.insecure and not all(_is_loopback(str(a[0])) for _, a in found):
        raise ConfigInvalid(
            f"expected serve --tls, serve --tls-cert with --tls-key, or --insecure, to listen on {config.bind!r}, got"
            " none: without TLS whoever is on the way can see and change a meeting, and browsers give no camera"
        )
    return found


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _listener(family: int, address: tuple[Any, ...], connections: Connections, config: ListenConfig) -> Listener:
    listener = Listener(family, socket.SOCK_STREAM)
    listener.connections, listener.send_timeout_s = connections, config.send_timeout_s
    try:
        if os.name == "posix":  # elsewhere it would let two servers share a port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


async def _serve(
    factory: Callable[[], asyncio.BaseProtocol], config: ListenConfig, listener: Listener
) -> asyncio.Server:
    try:
        return await asyncio.get_running_loop().create_server(
            factory,
            sock=listener,
            ssl=config.tls,
            ssl_handshake_timeout=None if config.tls is None else HEAD_TIMEOUT_S,
            ssl_shutdown_timeout=None if config.tls is None else CLOSE_TIMEOUT_S,
        )
    except OSError:
        listener.close()
        raise


def open_files() -> int:
    """How many files and sockets this process may have open; raised to `OPEN_FILES` where the system lets it."""
    if sys.platform == "win32":
        return OPEN_FILES
    import resource  # noqa: PLC0415  not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES:
        return OPEN_FILES
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted
