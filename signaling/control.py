"""What a host changes in a room, and the links they hand out."""

from __future__ import annotations

import msgspec
from aiohttp import web

from host.mode import Mode
from signaling.errors import BadRequest, MediaTypeUnsupported
from signaling.http import AUTHORITY, DIRECTORY, REMOVALS, authorize, json_response, read_body
from signaling.protocol import clean_name
from signaling.tokens import Role

JSON_TYPE = "application/json"

LINK_TTL_S = web.AppKey("link_ttl_s", float)
"""How long the tokens in a link are valid."""


class SettingsChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a host may change; what is left out stays as it is."""

    title: str | None = None
    mode: Mode | None = None


_decoder = msgspec.json.Decoder(SettingsChange)


async def change_settings(request: web.Request) -> web.StreamResponse:
    """`PATCH /r/{room}/settings`: another title; another mode as long as nobody has joined."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    room = request.app[DIRECTORY].room(name)
    change = await _read_change(request)
    title = None if change.title is None else clean_name(change.title)
    if change.mode is not None:
        room.set_mode(change.mode)
    if title is not None:
        await room.rename(title)
    return json_response({"title": room.title, "mode": room.record.mode})


async def remove(request: web.Request) -> web.StreamResponse:
    """`DELETE /r/{room}/participants/{participant}`: send somebody away for good."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    request.app[DIRECTORY].room(name).remove(request.match_info["participant"])
    await request.app[REMOVALS].save()
    return web.Response(status=200)


async def links(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/links`: fresh tokens to hand out; whoever asks knows by which address they came here."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    request.app[DIRECTORY].room(name)
    authority, ttl_s = request.app[AUTHORITY], request.app[LINK_TTL_S]
    return json_response({role: authority.issue(role, name, ttl_s=ttl_s) for role in (Role.PARTICIPANT, Role.VIEWER)})


async def _read_change(request: web.Request) -> SettingsChange:
    if request.content_type != JSON_TYPE:
        raise MediaTypeUnsupported(f"expected Content-Type {JSON_TYPE}, got {request.content_type}")
    try:
        return _decoder.decode(await read_body(request))
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadRequest(f"expected an object with a title, a mode or both as JSON: {error}") from error
