"""What people and programs look at: pages, the annotated picture, status, history, health and metrics."""

from __future__ import annotations

from aiohttp import web

from signaling.http import DIRECTORY, authorize, json_response, page
from signaling.metrics import scrape
from signaling.tokens import Role

BOUNDARY = b"edgeattend-frame"


async def room_page(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}`: the meeting, as the token's role may see it."""
    name = request.match_info["room"]
    claims = authorize(request, Role.VIEWER, name)
    request.app[DIRECTORY].room(name)
    return page("room.html", room=name, role=claims.role.value)


async def host_page(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/host`: the dashboard."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    request.app[DIRECTORY].room(name)
    return page("host.html", room=name)


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
                await response.write(head + jpeg + b"\r\n--" + BOUNDARY + b"\r\n")
        except ConnectionError:  # the watcher closed the page
            pass
    return response


async def status(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/status`: who is here; moods only for a host."""
    name = request.match_info["room"]
    claims = authorize(request, Role.VIEWER, name)
    return json_response(request.app[DIRECTORY].room(name).status(labels=claims.allows(Role.HOST)))


async def history(request: web.Request) -> web.StreamResponse:
    """`GET /r/{room}/history.csv`: every change of anybody's reading since the room opened."""
    name = request.match_info["room"]
    authorize(request, Role.HOST, name)
    text = request.app[DIRECTORY].room(name).history.csv()
    headers = {"Content-Disposition": f'attachment; filename="{name}-history.csv"', "Cache-Control": "no-store"}
    return web.Response(text=text, content_type="text/csv", headers=headers)


async def health(request: web.Request) -> web.StreamResponse:
    """`GET /healthz`: whether every room's renderer runs."""
    rooms = request.app[DIRECTORY].rooms()
    stuck = [room.name for room in rooms if not room.renderer.alive]
    return json_response({"status": "failing" if stuck else "ok", "rooms": len(rooms)}, 503 if stuck else 200)


async def metrics(request: web.Request) -> web.StreamResponse:
    """`GET /metrics`: Prometheus text."""
    headers = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    return web.Response(body=scrape(request.app[DIRECTORY]), headers=headers)
