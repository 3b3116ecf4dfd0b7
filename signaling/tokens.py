"""Who may do what: signed tokens with a role, a room and an expiry (JWT, RFC 7519, HS256)."""

from __future__ import annotations

import contextlib
import enum
import re
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import jwt

from signaling.errors import (
    ConfigInvalid,
    RoleForbidden,
    RoomForbidden,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    place_of,
)
from signaling.files import read_bounded

ALGORITHM = "HS256"
SECRET_BYTES = 32
MIN_SECRET_CHARS = 32
MAX_SECRET_BYTES = 4096
"""Of the file; ours has 44."""
DEFAULT_TTL_S = 8 * 3600.0
RESUME_TTL_S = 24 * 3600.0
TTL_NUMBER = re.compile(r"[0-9]{1,6}")


class Role(enum.StrEnum):
    """What the holder of a token may do; each includes the ones before it where it makes sense (`allows`)."""

    VIEWER = "viewer"
    PARTICIPANT = "participant"
    HOST = "host"


_RANK = {Role.VIEWER: 0, Role.PARTICIPANT: 1, Role.HOST: 2}


@dataclass(frozen=True, slots=True)
class Claims:
    """What a checked token says: role, room, its id, and for a personal token the participant it stands for, their
    name, the mode in which they joined, and when they first did (Unix s)."""

    role: Role
    room: str
    token_id: str
    participant: str | None = None
    name: str | None = None
    mode: str | None = None
    since_s: float | None = None

    def allows(self, role: Role) -> bool:
        """Whether the holder may do what `role` may."""
        return _RANK[self.role] >= _RANK[role]


class TokenAuthority:
    """Issues and checks tokens with one secret."""

    def __init__(self, secret: str) -> None:
        """`secret`: at least `MIN_SECRET_CHARS` characters. Raises `ConfigInvalid` for a shorter one."""
        if len(secret) < MIN_SECRET_CHARS:
            raise ConfigInvalid(f"expected a secret of at least {MIN_SECRET_CHARS} characters, got {len(secret)}")
        self._secret = secret

    @staticmethod
    def new_secret() -> str:
        """A fresh secret."""
        return secrets.token_urlsafe(SECRET_BYTES)

    def issue(
        self,
        role: Role,
        room: str,
        *,
        ttl_s: float = DEFAULT_TTL_S,
        participant: str | None = None,
        name: str | None = None,
        mode: str | None = None,
        since_s: float | None = None,
    ) -> str:
        """A token for `room`, valid for `ttl_s` seconds; with `participant`, a personal one that takes back a tile."""
        now = time.time()
        payload = {
            "role": role.value,
            "room": room,
            "jti": secrets.token_urlsafe(9),
            "iat": int(now),
            "exp": now + ttl_s,
        }
        if participant is not None:
            payload["sub"] = participant
        if name is not None:
            payload["name"] = name
        if mode is not None:
            payload["mode"] = mode
        if since_s is not None:
            payload["since"] = since_s
        return jwt.encode(payload, self._secret, algorithm=ALGORITHM)

    def check(self, token: str | None, room: str | None, role: Role) -> Claims:
        """The claims of `token`, if it lets its holder act as `role` in `room` (None: whichever room it names).

        Raises `TokenMissing`, `TokenInvalid`, `TokenExpired`, `RoomForbidden` or `RoleForbidden`.
        """
        if not token:
            raise TokenMissing("expected a token in the Authorization header (Bearer) or in ?token=, got none")
        claims = self._read(token)
        if room is not None and claims.room != room:
            raise RoomForbidden("expected a token for this room, got one for another room")
        if not claims.allows(role):
            raise RoleForbidden(f"expected a {role} token, got a {claims.role} token")
        return claims

    def _read(self, token: str) -> Claims:
        try:
            payload = jwt.decode(
                token, self._secret, algorithms=[ALGORITHM], options={"require": ["exp", "jti", "role", "room"]}
            )
            return Claims(
                role=Role(payload["role"]),
                room=str(payload["room"]),
                token_id=str(payload["jti"]),
                participant=payload.get("sub"),
                name=payload.get("name"),
                mode=payload.get("mode"),
                since_s=payload.get("since"),
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired("expected a token that is still valid, got one that has expired") from error
        except (jwt.InvalidTokenError, ValueError) as error:
            raise TokenInvalid(
                "expected a token signed by this server, got one that is not", detail=place_of(error)
            ) from error


def load_secret(path: Path) -> str:
    """The secret in `path`; made there, readable by its owner alone, if the file is missing.

    Raises `ConfigInvalid` if the file can be neither read nor made, or holds no secret.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with tempfile.NamedTemporaryFile("w", dir=path.parent) as made:  # a name and mode of its own
                made.write(TokenAuthority.new_secret() + "\n")
                made.flush()
                with contextlib.suppress(FileExistsError):  # another server was first: its secret is the secret
                    path.hardlink_to(made.name)  # never half a secret
        secret = read_bounded(path, MAX_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise ConfigInvalid(
            f"expected a readable and writable secret file at {path}, got: {error.strerror or error}"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigInvalid(f"expected a secret as text in {path}, got other bytes") from error
    if len(secret) < MIN_SECRET_CHARS:
        raise ConfigInvalid(f"expected a secret of at least {MIN_SECRET_CHARS} characters in {path}, got {len(secret)}")
    return secret


def parse_ttl(text: str) -> float:
    """Seconds of a duration like `45s`, `30m`, `8h` or `7d`. Raises `ConfigInvalid`."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not TTL_NUMBER.fullmatch(number) or int(number) == 0:
        raise ConfigInvalid(f"expected a duration like 45s, 30m, 8h or 7d, got {text!r}")
    return int(number) * units[unit]
