"""STUN and TURN servers: which there are, credentials for them that expire, and how an HTTP answer names them.

A participant whose network lets no media through to the host takes the way over a TURN server (RFC 8656). It lets in
whoever shows a user name and a password that were made of a secret it shares with us.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from signaling.errors import ConfigInvalid
from signaling.files import read_bounded

CREDENTIAL_TTL_S = 12 * 3600.0
"""Longer than any meeting. coturn asks for credentials once and then lets a relay live on; a server that asks again
at every refresh, as RFC 8656 allows, would cut a meeting in the middle. Whoever reconnects gets fresh ones."""

MIN_SECRET_CHARS = 32
"""Everybody who may join sees credentials, and could try secrets against them at home until one fits."""
MAX_SECRET_BYTES = 4096
"""Of its file."""

MAX_SERVERS = 8
"""Each is asked for candidates at every join. Browsers warn of five."""

_URI = re.compile(
    r"(?P<scheme>stuns?|turns?):(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<transport>\?transport=(?:udp|tcp))?"
)
"""RFC 7064 and RFC 7065, with the transports that there are."""

_LINK = re.compile(r'<([^<>"]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))*)')
"""One link of a `Link` header (RFC 8288), without flags that have no value."""
_PARAMETER = re.compile(r';\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))')


@dataclass(frozen=True, slots=True)
class IceServer:
    """A server for clients to gather candidates with; user name and credential for TURN alone."""

    url: str
    username: str = ""
    credential: str = field(default="", repr=False)

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server."""
        return self.url.startswith("turn")


@dataclass(frozen=True, slots=True)
class IceConfig:
    """Servers as `stun:HOST:PORT` and `turn:HOST:PORT?transport=udp`; `turn_secret` is coturn's static-auth-secret."""

    stun: str | None = None
    turn: tuple[str, ...] = ()
    turn_secret: str = field(default="", repr=False)
    credential_ttl_s: float = CREDENTIAL_TTL_S

    def check(self) -> None:
        """Raise `ConfigInvalid` for what cannot work."""
        if self.stun is not None:
            _check_uri("--stun", self.stun, ("stun",), "stun:HOST:3478")
        for uri in self.turn:
            _check_uri("--turn", uri, ("turn", "turns"), "turn:HOST:3478 or turns:HOST:5349?transport=tcp")
        if len(self.turn) >= MAX_SERVERS:
            raise ConfigInvalid(f"expected fewer than {MAX_SERVERS} TURN servers, got {len(self.turn)}")
        if self.turn and not self.turn_secret:
            raise ConfigInvalid(
                "expected the TURN server's secret with --turn, in --turn-secret-file or EDGEATTEND_TURN_SECRET,"
                " got none"
            )
        if self.turn_secret and not self.turn:
            raise ConfigInvalid("expected --turn with the secret of a TURN server, got the secret alone")
        if self.turn and len(self.turn_secret) < MIN_SECRET_CHARS:
            raise ConfigInvalid(
                f"expected a TURN secret of at least {MIN_SECRET_CHARS} characters, got {len(self.turn_secret)}"
            )


class IceServers:
    """Names the servers of `config` to who may join."""

    def __init__(self, config: IceConfig) -> None:
        """Raises `ConfigInvalid`."""
        config.check()
        self._config = config

    def __bool__(self) -> bool:
        """Whether there are any."""
        return self._config.stun is not None or bool(self._config.turn)

    def issue(self) -> list[IceServer]:
        """Every server, with fresh credentials where it wants some (draft-uberti-behave-turn-rest-00, as in coturn).

        The name in them is drawn by lot: what the TURN server logs tells of nobody.
        """
        servers = [] if self._config.stun is None else [IceServer(self._config.stun)]
        if self._config.turn:
            username = f"{int(time.time() + self._config.credential_ttl_s)}:{secrets.token_urlsafe(6)}"
            digest = hmac.digest(self._config.turn_secret.encode(), username.encode(), "sha1")
            credential = base64.b64encode(digest).decode()
            servers += [IceServer(uri, username, credential) for uri in self._config.turn]
        return servers


def to_link(server: IceServer) -> str:
    """`server` as the value of a `Link` header (RFC 9725 4.6)."""
    link = f'<{server.url}>; rel="ice-server"'
    if server.relays:
        link += f'; username="{server.username}"; credential="{server.credential}"; credential-type="password"'
    return link


def from_links(values: Iterable[str]) -> list[IceServer]:
    """The ICE servers among the links of `Link` headers, `MAX_SERVERS` at most; others, and what is no link, is passed
    over."""
    servers = []
    for value in values:
        for url, rest in _LINK.findall(value):
            given = {name.lower(): _unquoted(quoted) or bare for name, quoted, bare in _PARAMETER.findall(rest)}
            if "ice-server" in given.get("rel", "").lower().split() and _URI.fullmatch(url):
                servers.append(IceServer(url, given.get("username", ""), given.get("credential", "")))
    return servers[:MAX_SERVERS]


def _unquoted(text: str) -> str:
    """What a quoted string means (RFC 9110 5.6.4)."""
    return re.sub(r"\\(.)", r"\1", text)


def load_turn_secret(path: Path) -> str:
    """The secret in `path`. Raises `ConfigInvalid` without its text."""
    try:
        return read_bounded(path, MAX_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise ConfigInvalid(f"expected the TURN server's secret in {path}, got: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ConfigInvalid(f"expected the TURN server's secret as text in {path}, got other bytes") from None


def _check_uri(option: str, uri: str, schemes: tuple[str, ...], example: str) -> None:
    match = _URI.fullmatch(uri)
    if (
        match is None
        or match["scheme"] not in schemes
        or int(match["port"] or 1) not in range(1, 65536)
        or (match["transport"] and match["scheme"] == "stun")
    ):
        raise ConfigInvalid(f"expected {option} {example}, got {uri!r}")
