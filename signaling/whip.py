"""SDP exchange over HTTP: WHIP (RFC 9725) for who publishes, WHEP for who watches, DELETE for who leaves."""

from __future__ import annotations

import secrets

from aiohttp import web

from host.admission import Admission
from host.mode import Mode
from host.room import Room
from signaling.errors import MediaTypeUnsupported, ModeChanged, RoleForbidden, SdpInvalid
from signaling.http import AUTHORITY, DIRECTORY, authorize
from signaling.protocol import RESUME_HEADER, clean_name
from signaling.tokens import RESUME_TTL_S, Claims, Role

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
    _keep_to_mode(room, claims, request.query.get("mode"))
    name = clean_name(request.query.get("name", claims.name or DEFAULT_NAME))
    name = room.name_of(participant) or name  # who comes back keeps the name on their tile
    authority = request.app[AUTHORITY]

    def renew() -> str:
        return authority.issue(
            Role.PARTICIPANT,
            room_name,
            ttl_s=RESUME_TTL_S,
            participant=participant,
            name=name,
            mode=room.record.mode.value,
        )

    session_id, answer = await room.publish(offer, Admission(participant, name, renew, claims.token_id))
    response = _answer(session_id, answer)
    response.headers[RESUME_HEADER] = renew()
    return response


async def watch(request: web.Request) -> web.Response:
    """`POST /whep/{room}`: an offer that receives the clean grid."""
    room_name = request.match_info["room"]
    claims = authorize(request, Role.VIEWER, room_name)
    room = request.app[DIRECTORY].room(room_name)
    session_id, answer = await room.watch(await _read_offer(request), claims.token_id)
    return _answer(session_id, answer)


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
    return web.Response(status=200)


async def describe(request: web.Request) -> web.Response:
    """`OPTIONS` on WHIP, WHEP and sessions: what may be posted (RFC 9725, 4.2)."""
    if request.path.startswith("/sessions/"):
        return web.Response(status=204, headers={"Allow": "DELETE, OPTIONS"})
    return web.Response(status=204, headers={"Accept-Post": SDP_TYPE, "Allow": "OPTIONS, POST"})


def _keep_to_mode(room: Room, claims: Claims, agreed: str | None) -> None:
    """See to it that the room still is what this person came for: nobody's label is shown without their consent.

    `agreed` is the mode they were told of; `claims` hold the one in which they joined, maybe before a restart.
    Raises `ModeChanged`, `ModeFixed`.
    """
    if claims.mode == Mode.AGGREGATE:
        room.set_mode(Mode.AGGREGATE)
    if agreed is not None and agreed != room.record.mode:
        raise ModeChanged(f"expected the room's mode, which is {room.record.mode} now, got an offer for another")


async def _read_offer(request: web.Request) -> str:
    if request.content_type != SDP_TYPE:
        raise MediaTypeUnsupported(f"expected Content-Type {SDP_TYPE}, got {request.content_type}")
    body = await request.read()
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise SdpInvalid("expected an SDP offer in UTF-8, got other bytes") from error


def _answer(session_id: str, sdp: str) -> web.Response:
    return web.Response(
        status=201,
        text=sdp,
        content_type=SDP_TYPE,
        headers={"Location": f"/sessions/{session_id}", "Cache-Control": "no-store"},
    )
