"""The scripts, styles and models of our pages: what lies in static/, by a list, and so nothing from beside it."""

from __future__ import annotations

from aiohttp import web

from signaling.errors import NotFound
from signaling.http import STATIC

FILES = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
"""By the name in their address. What joins them later is served after a restart."""


async def serve(request: web.Request) -> web.StreamResponse:
    """`GET /static/{file}`: one of `FILES`."""
    path = FILES.get(request.match_info["file"])
    if path is None or not path.is_file():
        raise NotFound("expected a file that our pages are made of, got another")
    return web.FileResponse(path)
