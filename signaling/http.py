"""What every HTTP answer has in common: a checked token, errors as JSON, security headers, no secret in a log."""

from __future__ import annotations

import asyncio
import contextlib
import html
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from host.loadmeter import LoadMeter
from signaling.directory import Directory
from signaling.errors import (
    BadRequest,
    BodyTooLarge,
    BodyTooSlow,
    EdgeAttendError,
    MediaTypeUnsupported,
    MethodNotAllowed,
    NotFound,
    RoomUnknown,
    TokenMissing,
)
from signaling.ice import IceServers
from signaling.removals import Removals
from signaling.tokens import Claims, Role, TokenAuthority

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC = Path(__file__).parent.parent / "static"

DIRECTORY = web.AppKey("directory", Directory)
AUTHORITY = web.AppKey("authority", TokenAuthority)
ICE_SERVERS = web.AppKey("ice_servers", IceServers)
REMOVALS = web.AppKey("removals", Removals)

MAX_BODY_BYTES = 64 * 1024
"""An SDP offer of a browser with every codec is 10 KiB."""

BODY_TIMEOUT_S = 10.0
"""For all of a body, however slowly it drips."""

BODY_ERRORS = (HttpProcessingError, web.RequestPayloadError, ConnectionError)
"""What reading a body raises that is cut off or malformed; aiohttp puts the connection's end and its parser's errors
there."""

PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")

DATE_FIELDS = ("if_modified_since", "if_unmodified_since", "if_range")

ONE_YEAR_S = 365 * 24 * 3600

LOAD_METER = web.AppKey("load_meter", LoadMeter)

REFUSALS = web.AppKey("refusals", Counter[str])
"""Requests that were answered with an error, by its code."""

STRICT_TRANSPORT = web.AppKey("strict_transport", bool)
"""Whether browsers are told to come by HTTPS alone from now on (HSTS, RFC 6797)."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
        "img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "EdgeAttend",  # not which version of what
}


OPEN_PATHS = ("/whip/", "/whep/", "/sessions/")
OPEN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Expose-Headers": "Link, Location, Retry-After, X-EdgeAttend-Resume",
}
"""Players and publishers on other people's pages (CORS). Safe with any origin: what lets in is a bearer token that
the page has to know, never a cookie."""


def authorize(request: web.Request, role: Role, room: str | None) -> Claims:
    """The request's claims if its token allows `role` in `room`.

    Raises the token errors of `TokenAuthority.check`, and `ParticipantRemoved` for the token of somebody who was.
    """
    claims = request.app[AUTHORITY].check(bearer(request), room, role)
    if claims.participant is not None:
        with contextlib.suppress(RoomUnknown):
            request.app[DIRECTORY].room(claims.room).check_not_removed(claims.participant)
    return claims


def bearer(request: web.Request) -> str | None:
    """The request's token, unchecked: in `Authorization: Bearer`, and for what a browser loads by itself (GET) also in
    `?token=`. Raises `TokenMissing` for one that is elsewhere.
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token: str | None = value.strip() if scheme.lower() == "bearer" else None
    if token is None and request.method in ("GET", "HEAD"):
        token = request.query.get("token")
    if token is None and "token" in request.query:
        raise TokenMissing("expected a token in the Authorization header (Bearer); in ?token= it serves for GET alone")
    return token


async def read_body(request: web.Request) -> bytes:
    """All of the request's body. Raises `BodyTooSlow`, `MediaTypeUnsupported` for a compressed one and `BadRequest` for
    one that breaks off; aiohttp refuses what is over `MAX_BODY_BYTES`.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise MediaTypeUnsupported("expected a body as it is, without Content-Encoding, got one that is encoded")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await request.read()
    except TimeoutError as error:
        raise BodyTooSlow(f"expected the whole body within {BODY_TIMEOUT_S:.0f} s, got only a part of it") from error
    except BODY_ERRORS as error:  # in chunks that are none; or the other side has gone
        raise BadRequest("expected a whole body as HTTP has it, got a part of one") from error


class HttpConnection(web.RequestHandler):
    """One connection. What its parser rejects, aiohttp would log and send back as it came, a token in it included."""

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """aiohttp's hook: what it refuses before our middlewares hear of it (`Expect`) it would answer in its words."""
        if isinstance(request, web.Request) and isinstance(resp, web.HTTPException):
            resp = _error_response(request, BadRequest("expected no Expect but 100-continue, got another"), {})
        return await super().finish_response(request, resp, start_time)

    def log_exception(self, *args: Any, **more: Any) -> None:
        """aiohttp's hook: a body that turns out to be none behind our answer is no fault of ours, and not for a log."""
        if not isinstance(more.get("exc_info"), BODY_ERRORS):
            super().log_exception(*args, **more)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp's hook: the answer to what never became a request."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        error = BadRequest("expected a request as HTTP has it, got what is none")
        response = json_response({"error": {"code": error.code, "message": error.message}}, error.status)
        response.headers.update(SECURITY_HEADERS)
        response.force_close()
        return response


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure as the error it is: JSON for programs, a page for people."""
    try:
        _check_dates(request)
        return await handler(request)
    except EdgeAttendError as error:
        if error.detail:
            logger.debug("%s: %s", error.code, error.detail)
        return _error_response(request, error, {})
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _error_response(request, _from_aiohttp(error), allow)
    except Exception:  # a bug of ours: the meeting goes on, the log has the trace, the user no internals
        logger.exception("could not answer %s %s", request.method, _route(request))
        return _error_response(request, EdgeAttendError("something went wrong on the server; the log says what"), {})


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """`on_response_prepare` signal: the headers that every answer carries."""
    response.headers.update(SECURITY_HEADERS)
    if request.app[STRICT_TRANSPORT] and request.host.partition(":")[0] != "localhost":  # would hold for every port
        response.headers.setdefault("Strict-Transport-Security", f"max-age={ONE_YEAR_S}")
    if request.path.startswith("/static/"):  # kept, but asked about each time: a page never meets an older script
        response.headers.setdefault("Cache-Control", "no-cache")
    if request.path.startswith(OPEN_PATHS):
        response.headers.update(OPEN_HEADERS)


def page(name: str, **values: str) -> web.Response:
    """`static/{name}` with every `{{key}}` replaced by its value, escaped."""
    text = (STATIC / name).read_text(encoding="utf-8")
    # In one pass: a title is not searched for keys.
    text = PLACEHOLDER.sub(lambda found: html.escape(values[found[1]]), text)
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def json_response(value: object, status: int = 200) -> web.Response:
    """`value` as JSON that nobody caches."""
    body = msgspec.json.encode(value)
    return web.Response(
        body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _check_dates(request: web.Request) -> None:
    """Raise `BadRequest` for a date in no calendar: aiohttp reads it while it sends a file, too late for an answer."""
    for field in DATE_FIELDS:
        try:
            getattr(request, field)
        except (OverflowError, ValueError) as error:
            raise BadRequest("expected dates as HTTP has them, got one that is in no calendar") from error


def _route(request: web.Request) -> str:
    """Where `request` goes to, as the routes spell it: its own path has ids in it."""
    resource = request.match_info.route.resource
    return "an unknown address" if resource is None else resource.canonical


def _from_aiohttp(error: web.HTTPException) -> EdgeAttendError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes, got a larger one")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(f"expected one of {', '.join(sorted(error.allowed_methods))}, got {error.method}")
    if isinstance(error, web.HTTPNotFound | web.HTTPForbidden):  # aiohttp forbids to list the folder of static files
        return NotFound("expected one of the addresses in docs/protocol.md, got another")
    return BadRequest(error.reason)


def _error_response(request: web.Request, error: EdgeAttendError, headers: dict[str, str]) -> web.Response:
    request.app[REFUSALS][error.code] += 1
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        response = page("error.html", status=str(error.status), code=error.code, message=error.message)
        response.set_status(error.status)
    else:
        response = json_response({"error": {"code": error.code, "message": error.message}}, error.status)
    response.headers.update(headers)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_s is not None:
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response
