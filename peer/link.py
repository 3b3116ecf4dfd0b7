"""The participant link that a host shares: http(s)://HOST:PORT/r/ROOM?token=TOKEN."""

from __future__ import annotations

from dataclasses import dataclass, field

from yarl import URL

from signaling.errors import ConfigInvalid


@dataclass(frozen=True)
class Link:
    """Where the meeting is, and the invite token that lets one in; the token stays out of every `repr`."""

    origin: URL
    room: str
    token: str = field(repr=False)

    def whip(self, name: str) -> URL:
        """Where to POST the offer as `name`."""
        return (self.origin / "whip" / self.room).with_query(name=name)


def parse_link(text: str) -> Link:
    """Raises `ConfigInvalid` that says what of the link is wrong."""
    expected = "expected a participant link like https://HOST:PORT/r/ROOM?token=TOKEN"
    try:
        url = URL(text.strip())
    except ValueError as error:
        raise ConfigInvalid(f"{expected}, got {error}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise ConfigInvalid(f"{expected}, got one without http(s) and a host")
    parts = [part for part in url.parts if part != "/"]
    if len(parts) != 2 or parts[0] != "r" or not parts[1]:
        raise ConfigInvalid(f"{expected}, got the path {url.path!r}")
    token = url.query.get("token", "")
    if not token:
        raise ConfigInvalid(f"{expected}, got one without a token")
    return Link(url.origin(), parts[1], token)
