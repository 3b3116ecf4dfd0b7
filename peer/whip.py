"""The HTTP requests of a session: for ICE servers, an offer for an answer (RFC 9725), and leaving."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, field

import aiohttp
import msgspec
from aiohttp import ClientConnectorCertificateError, ClientSession, ClientTimeout
from yarl import URL

from peer.retryafter import retry_after_s
from signaling.ice import IceServer, from_links
from signaling.protocol import RESUME_HEADER

logger = logging.getLogger(__name__)

OFFER_TIMEOUT = ClientTimeout(total=10.0, connect=2.0)
"""Systems knock again after one second, then after two more: a new try is as soon, and knows of new addresses."""

ICE_TIMEOUT = ClientTimeout(total=3.0, connect=2.0)
"""Most meetings need no ICE servers: a host that does not tell of any soon shall not keep anybody out."""

LEAVE_TIMEOUT = ClientTimeout(total=2.0)
MAX_ANSWER_BYTES = 256 * 1024

TOKEN_REFUSED = (401, 403)
TRY_LATER = (408, 425, 429)
BUSY = (429, 503)


class Refused(Exception):  # noqa: N818  what happened, as in signaling.errors
    """The host answered with an error, and wants to be asked again in `retry_after_s` (0.0: did not say).

    `lasting`: it would answer the same again.
    """

    def __init__(self, status: int, code: str, message: str, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after_s = status, code, message, retry_after_s

    @property
    def lasting(self) -> bool:
        """Whether asking the same again is of no use."""
        return 400 <= self.status < 500 and self.status not in TRY_LATER


class Unreachable(Exception):  # noqa: N818
    """No answer, or none that makes sense. `lasting`: a person has to do something."""

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.message, self.lasting = message, lasting


@dataclass(frozen=True)
class Answer:
    """What came back: the SDP, the session's own address, and the personal token ("" if the host gives none)."""

    sdp: str
    session: URL
    resume: str = field(repr=False)


async def ice_servers(http: ClientSession, url: URL, token: str) -> list[IceServer]:
    """Ask which STUN and TURN servers there are for who posts to `url`; none where the host says nothing of any.

    Raises `Unreachable` where there is no way to the host, and `Refused` by one that is too busy to say: the offer
    would get no further.
    """
    try:
        async with http.options(url, headers={"Authorization": f"Bearer {token}"}, timeout=ICE_TIMEOUT) as response:
            if response.status in BUSY:
                raise _refusal(response, await _read(response))
            return from_links(response.headers.getall("Link", []))
    except aiohttp.ConnectionTimeoutError as error:
        raise Unreachable(f"expected an answer from the host, got {type(error).__name__}") from error
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        logger.debug("no ICE servers: %s", type(error).__name__)
        return []


async def publish(http: ClientSession, url: URL, token: str, offer: str) -> Answer:
    """POST `offer`. Raises `Refused` or `Unreachable`."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    try:
        async with http.post(url, data=offer.encode(), headers=headers, timeout=OFFER_TIMEOUT) as response:
            body = await _read(response)
            if response.status != 201:
                raise _refusal(response, body)
            location = response.headers.get("Location")
            if not location:
                raise Unreachable("expected an answer with a Location, got one without")
            session = response.url.join(URL(location))
            return Answer(body.decode(), session, response.headers.get(RESUME_HEADER, ""))
    except ClientConnectorCertificateError as error:
        raise Unreachable(
            "expected a certificate that this machine trusts, got one it does not:"
            " copy the host's certificate here and point SSL_CERT_FILE to it",
            lasting=True,
        ) from error
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise Unreachable(f"expected an answer from the host, got {type(error).__name__}") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The whole body, up to `MAX_ANSWER_BYTES`: one `read(n)` gives only what has arrived so far."""
    body = b""
    while len(body) < MAX_ANSWER_BYTES:
        chunk = await response.content.read(MAX_ANSWER_BYTES - len(body))
        if not chunk:
            break
        body += chunk
    return body


async def leave(http: ClientSession, session: URL, token: str) -> None:
    """DELETE the session, if the host still answers; it notices by itself otherwise."""
    with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):  # the last: no such header
        async with http.delete(session, headers={"Authorization": f"Bearer {token}"}, timeout=LEAVE_TIMEOUT):
            return
    logger.debug("the host did not answer the leave")


class _Problem(msgspec.Struct):
    code: str
    message: str


class _Problems(msgspec.Struct):
    error: _Problem


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> Refused:
    status, wait_s = response.status, retry_after_s(response.headers)
    try:
        problem = msgspec.json.decode(body, type=_Problems).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Refused(status, f"http_{status}", f"expected an answer from the host, got HTTP status {status}", wait_s)
    return Refused(status, problem.code, problem.message, wait_s)
