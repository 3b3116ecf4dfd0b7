"""What every HTTP answer has in common: a checked token, errors as JSON, security headers, no secret in a log."""

from __future__ import annotations

import html
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from signaling.directory import Directory
from signaling.errors import (
    BadRequest,
    BodyTooLarge,
    EdgeAttendError,
    MethodNotAllowed,
    NotFound,
    TokenMissing,
)
from signaling.tokens import Claims, Role, TokenAuthority

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

STATIC = Path(__file__).parent.parent / "static"

DIRECTORY = web.AppKey("directory", Directory)
AUTHORITY = web.AppKey("authority", TokenAuthority)

MAX_BODY_BYTES = 64 * 1024
"""An SDP offer of a browser with every codec is 10 KiB."""

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
}


OPEN_PATHS = ("/whip/", "/whep/", "/sessions/")
OPEN_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Expose-Headers": "Location, X-EdgeAttend-Resume",
}
"""Players and publishers on other people's pages (CORS). Safe with any origin: what lets in is a bearer token that
the page has to know, never a cookie."""


def authorize(request: web.Request, role: Role, room: str | None) -> Claims:
    """The request's claims if its token allows `role` in `room`.

    The token comes in `Authorization: Bearer`, and for what a browser loads by itself (GET) also in `?token=`.
    Raises the token errors of `TokenAuthority.check`.
    """
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    token: str | None = value.strip() if scheme.lower() == "bearer" else None
    if token is None and request.method in ("GET", "HEAD"):
        token = request.query.get("token")
    if token is None and "token" in request.query:
        raise TokenMissing("expected a token in the Authorization header (Bearer); in ?token= it serves for GET alone")
    return request.app[AUTHORITY].check(token, room, role)


def keep_bad_requests_out_of_the_log() -> None:
    """aiohttp logs what its parser rejects, the request line and its token included, at anybody's will."""
    log = logging.getLogger("aiohttp.server")
    if _is_our_fault not in log.filters:
        log.addFilter(_is_our_fault)


def _is_our_fault(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


@web.middleware
async def answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure as the error it is: JSON for programs, a page for people."""
    try:
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
        logger.exception("could not answer %s %s", request.method, request.path)
        return _error_response(request, EdgeAttendError("something went wrong on the server; the log says what"), {})


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    """`on_response_prepare` signal: the headers that every answer carries."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/static/"):  # kept, but asked about each time: a page never meets an older script
        response.headers.setdefault("Cache-Control", "no-cache")
    if request.path.startswith(OPEN_PATHS):
        response.headers.update(OPEN_HEADERS)


def page(name: str, **values: str) -> web.Response:
    """`static/{name}` with every `{{key}}` replaced by its value, escaped."""
    text = (STATIC / name).read_text(encoding="utf-8")
    for key, value in values.items():
        text = text.replace("{{" + key + "}}", html.escape(value))
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


def json_response(value: object, status: int = 200) -> web.Response:
    """`value` as JSON that nobody caches."""
    body = msgspec.json.encode(value)
    return web.Response(
        body=body, status=status, content_type="application/json", headers={"Cache-Control": "no-store"}
    )


def _from_aiohttp(error: web.HTTPException) -> EdgeAttendError:
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return BodyTooLarge(f"expected a body of at most {MAX_BODY_BYTES} bytes, got a larger one")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(f"expected one of {', '.join(sorted(error.allowed_methods))}, got {error.method}")
    if isinstance(error, web.HTTPNotFound | web.HTTPForbidden):  # aiohttp forbids to list the folder of static files
        return NotFound("expected one of the addresses in docs/protocol.md, got another")
    return BadRequest(error.reason)


def _error_response(request: web.Request, error: EdgeAttendError, headers: dict[str, str]) -> web.Response:
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        response = page("error.html", status=str(error.status), code=error.code, message=error.message)
        response.set_status(error.status)
    else:
        response = json_response({"error": {"code": error.code, "message": error.message}}, error.status)
    response.headers.update(headers)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.status == 503:
        response.headers["Retry-After"] = "5"
    return response
