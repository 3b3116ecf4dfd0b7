"""What people and programs look at: pages, the annotated picture, status, history, health and metrics."""

from __future__ import annotations

import asyncio

from aiohttp import web

from signaling.errors import RoleForbidden
from signaling.http import DIRECTORY, ICE_SERVERS, LOAD_METER, REFUSALS, authorize, json_response, page
from signaling.metrics import scrape
from signaling.tokens import Role

BOUNDARY = b"edgeattend-frame"

WATCH_PATIENCE_S = 10.0
"""For a watcher to take one picture: behind a lost connection the system would go on trying for a quarter of an hour,
and a picture would be drawn for nobody."""


async def room_page(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}`: the join page and the meeting for a participant, else (and with `?watch=1`) the clean grid."""
    name = request.match_info["room"]
    claims = authorize(request, Role.VIEWER, name)
    room = request.app[DIRECTORY].room(name)
    takes_part = claims.role is Role.PARTICIPANT and "watch" not in request.query
    name_of_page = "meeting.html" if takes_part else "room.html"
    ice = "yes" if request.app[ICE_SERVERS] else "no"  # whether there is anything to ask for before joining
    return page(name_of_page, room=name, role=claims.role.value, title=room.title, mode=room.record.mode.value, ice=ice)


async def host_page(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/host`: the dashboard."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    room = request.app[DIRECTORY].room(name)
    return page("host.html", room=name, title=room.title, mode=room.record.mode.value)


async def annotated(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/annotated.mjpg`: the annotated grid as multipart JPEG, each part the newest picture."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    view = request.app[DIRECTORY].room(name).annotated
    content_type = f"multipart/x-mixed-replace; boundary={BOUNDARY.decode()}"
    response = web.StreamResponse(headers={"Content-Type": content_type, "Cache-Control": "no-store"})
    if request.method == "HEAD":
        return response
    with view:
        try:
            await response.prepare(request)
            await response.write(b"--" + BOUNDARY + b"\r\n")
            number = 0
            while (fresh := await view.next(number)) is not None:
                number, jpeg = fresh
                head = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
                # The boundary that ends a part goes out with it: browsers show a part only once they saw its end.
                async with asyncio.timeout(WATCH_PATIENCE_S):
                    await response.write(head + jpeg + b"\r\n--" + BOUNDARY + b"\r\n")
        except ConnectionError:  # the watcher closed the page
            pass
        except TimeoutError:  # or their computer
            if request.transport is not None:
                request.transport.abort()
    return response


async def status(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/status`: who is here; moods, or the room's share, only for a host."""
    name = request.match_info["room"]
    claims = authorize(request, Role.VIEWER, name)
    return json_response(request.app[DIRECTORY].room(name).status(labels=claims.allows(Role.HOST)))


async def history(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/history.csv`: every change of anybody's reading, or of the room's share, since it opened."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    text = await request.app[DIRECTORY].room(name).record.csv()
    headers = {"Content-Disposition": f'attachment; filename="{name}-history.csv"', "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/csv", headers=headers)


async def timeline(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/timeline`: the last five minutes of everybody and of the room."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    return json_response(await request.app[DIRECTORY].room(name).record.timeline())


async def summary(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/summary`: the meeting so far in times, and what they cannot say."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    return json_response(await request.app[DIRECTORY].room(name).record.summary())


async def me(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/me`: to a participant, by their personal token, all that the host sees of them."""
    name = request.match_info["room"]
    claims = authorize(request, Role.PARTICIPANT, name)
    if claims.participant is None:
        raise RoleForbidden("expected a participant's personal token, got one that stands for nobody")
    return json_response(request.app[DIRECTORY].room(name).seen_of(claims.participant))


async def health(request: web.Request) -> web.StreamResponse:
    """`GET /healthz`: whether every room's renderer runs, and goes on."""
    rooms = request.app[DIRECTORY].rooms()
    if any(room.draining for room in rooms):
        return json_response({"status": "draining", "rooms": len(rooms)}, 503)
    stuck = [room.name for room in rooms if not room.renderer.alive]
    return json_response({"status": "failing" if stuck else "ok", "rooms": len(rooms)}, 503 if stuck else 200)


async def metrics(request: web.Request) -> web.StreamResponse:
    """`GET /metrics`: Prometheus text."""
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    text = scrape(request.app[DIRECTORY], request.app[LOAD_METER], request.app[REFUSALS])
    return web.Response(body=text, headers=headers)
