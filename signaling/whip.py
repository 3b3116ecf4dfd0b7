"""SDP exchange over HTTP: WHIP (RFC 9725) for who publishes, WHEP for who watches, DELETE for who leaves."""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from host.admission import Admission
from host.mode import Mode
from signaling.errors import EdgeAttendError, MediaTypeUnsupported, RoleForbidden, SdpInvalid
from signaling.http import AUTHORITY, DIRECTORY, ICE_SERVERS, REMOVALS, authorize, read_body
from signaling.ice import to_link
from signaling.limits import client_network
from signaling.protocol import RESUME_HEADER, clean_name
from signaling.tokens import RESUME_TTL_S, Role

SDP_TYPE = "application/sdp"
DEFAULT_NAME = "Guest"


async def publish(request: web.Request) -> web.Response:
    """`POST /whip/{room}?name=`: an offer that sends video, and may also take the grid and the channel `mood`."""
    room_name = request.match_info["room"]
    claims = authorize(request, Role.PARTICIPANT, room_name)
    room = request.app[DIRECTORY].room(room_name)
    offer = await _read_offer(request)
    participant = claims.participant or secrets.token_urlsafe(6)
    room.check_not_removed(participant)
    name = clean_name(request.query.get("name", claims.name or DEFAULT_NAME))
    name = room.name_of(participant) or name  # who comes back keeps the name on their tile
    authority = request.app[AUTHORITY]
    since_s = claims.since_s or time.time()

    def renew() -> str:
        return authority.issue(
            Role.PARTICIPANT,
            room_name,
            ttl_s=RESUME_TTL_S,
            participant=participant,
            name=name,
            mode=room.record.mode.value,
            since_s=since_s,
        )

    def waits() -> bool:
        return request.transport is not None and not request.transport.is_closing()

    admission = Admission(
        participant,
        name,
        renew,
        claims.token_id,
        returning=claims.participant is not None,
        address=client_network(request),
        waits=waits,
        since_s=since_s,
        agreed=request.query.get("mode"),
        aggregate=claims.mode == Mode.AGGREGATE,
    )
    session_id, answer = await room.publish(offer, admission)
    response = _answer(request, session_id, answer)
    response.headers[RESUME_HEADER] = renew()
    return response


async def watch(request: web.Request) -> web.Response:
    """`POST /whep/{room}`: an offer that receives the clean grid."""
    room_name = request.match_info["room"]
    claims = authorize(request, Role.VIEWER, room_name)
    room = request.app[DIRECTORY].room(room_name)
    offer = await _read_offer(request)
    session_id, answer = await room.watch(offer, claims.token_id, client_network(request), claims.participant)
    return _answer(request, session_id, answer)


async def leave(request: web.Request) -> web.Response:
    """`DELETE /sessions/{id}`: by the token that opened it, the participant's personal one, or a host's."""
    claims = authorize(request, Role.VIEWER, None)
    session_id = request.match_info["session"]
    room = request.app[DIRECTORY].room_of_session(session_id)
    owner = room.owner_of(session_id)
    token_id, participant = owner if owner is not None else ("", None)
    own = claims.room == room.name and (
        secrets.compare_digest(claims.token_id, token_id)
        or (participant is not None and secrets.compare_digest(claims.participant or "", participant))
    )
    if not own and not (claims.room == room.name and claims.allows(Role.HOST)):
        raise RoleForbidden("expected the token that opened this session, or a host token, got another one")
    await room.leave(session_id, removed=not own)
    await request.app[REMOVALS].save()
    return web.Response(status=200)


async def describe(request: web.Request) -> web.Response:
    """`OPTIONS` on WHIP, WHEP and sessions: what may be posted (RFC 9725, 4.2).

    Who may post it is told the ICE servers (4.6): there is no trickle ICE, so clients need them before the offer.
    """
    if request.path.startswith("/sessions/"):
        return web.Response(status=204, headers={"Allow": "DELETE, OPTIONS"})
    response = web.Response(
        status=204, headers={"Accept-Post": SDP_TYPE, "Allow": "OPTIONS, POST", "Cache-Control": "no-store"}
    )
    if _may_post(request):
        _name_ice_servers(request, response)
    return response


def _may_post(request: web.Request) -> bool:
    """Whether an offer with this request's token would be let in; a browser's own preflight (CORS) has none."""
    room_name = request.match_info["room"]
    role = Role.PARTICIPANT if request.path.startswith("/whip/") else Role.VIEWER
    try:
        claims = authorize(request, role, room_name)
        request.app[DIRECTORY].room(room_name).check_not_removed(claims.participant or "")
    except EdgeAttendError:  # what is wrong with it, the offer is told
        return False
    return True


def _name_ice_servers(request: web.Request, response: web.Response) -> None:
    for server in request.app[ICE_SERVERS].issue():
        response.headers.add("Link", to_link(server))


async def _read_offer(request: web.Request) -> str:
    if request.content_type != SDP_TYPE:
        raise MediaTypeUnsupported(f"expected Content-Type {SDP_TYPE}, got {request.content_type}")
    body = await read_body(request)
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise SdpInvalid("expected an SDP offer in UTF-8, got other bytes") from error


def _answer(request: web.Request, session_id: str, sdp: str) -> web.Response:
    response = web.Response(
        status=201,
        text=sdp,
        content_type=SDP_TYPE,
        headers={"Location": f"/sessions/{session_id}", "Cache-Control": "no-store"},
    )
    _name_ice_servers(request, response)
    return response
