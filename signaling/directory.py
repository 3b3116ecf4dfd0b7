"""Which host serves this room: today the rooms of this process, later hosts found through Redis."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from host.mode import Mode
from host.record import Event
from host.renderer import GridConfig
from host.room import Room
from signaling.errors import ConfigInvalid, RoomUnknown, SessionUnknown
from signaling.removals import Removals
from signaling.tokens import Claims

logger = logging.getLogger(__name__)

ROOM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


class Directory(Protocol):
    """Finds rooms and sessions, wherever they are."""

    def room(self, name: str) -> Room:
        """The room called `name`. Raises `RoomUnknown`."""

    def room_of_session(self, session_id: str) -> Room:
        """The room a session belongs to. Raises `SessionUnknown`."""

    def rooms(self) -> Sequence[Room]:
        """Every room that is open."""

    def is_here(self, claims: Claims) -> bool:
        """Whether the holder of a personal token has a tile now."""


class LocalDirectory:
    """Rooms of this process, opened at its start."""

    def __init__(self, rooms: Sequence[Room]) -> None:
        self._rooms = {room.name: room for room in rooms}

    def room(self, name: str) -> Room:
        """See `Directory`."""
        if name not in self._rooms:
            raise RoomUnknown("expected the name of an open room, got one that is not open here")
        return self._rooms[name]

    def room_of_session(self, session_id: str) -> Room:
        """See `Directory`."""
        for room in self._rooms.values():
            if room.owner_of(session_id) is not None:
                return room
        raise SessionUnknown("expected the id of a session that is going on, got one that is not")

    def rooms(self) -> Sequence[Room]:
        """See `Directory`."""
        return list(self._rooms.values())

    def is_here(self, claims: Claims) -> bool:
        """See `Directory`."""
        room = self._rooms.get(claims.room)
        return room is not None and room.name_of(claims.participant or "") is not None


@asynccontextmanager
async def open_rooms(
    names: Sequence[str],
    grid: GridConfig,
    on_event: Callable[[str, Event], None],
    mode: Mode = Mode.INDIVIDUAL,
    *,
    stun: str | None = None,
    removals: Removals | None = None,
) -> AsyncIterator[LocalDirectory]:
    """Rooms that live as long as the context; `on_event` hears room name and event."""
    rooms = []
    for name in names:
        check_room_name(name)
        rooms.append(Room(name, grid, _for_room(name, on_event), mode, stun=stun, removals=removals))
    for room in rooms:
        room.start()
    try:
        yield LocalDirectory(rooms)
    finally:
        await close_rooms(rooms)


async def close_rooms(rooms: Sequence[Room]) -> None:
    """Close rooms side by side; twice is fine. One that fails keeps no other from saying good-bye."""
    for room, error in zip(
        rooms, await asyncio.gather(*(room.close() for room in rooms), return_exceptions=True), strict=True
    ):
        if isinstance(error, Exception):
            logger.error("could not close the room %s", room.name, exc_info=error)


def check_room_name(name: str) -> None:
    """Raise `ConfigInvalid` unless `name` can stand in a URL as it is."""
    if not ROOM_NAME.fullmatch(name):
        raise ConfigInvalid(f"expected a room name of 1 to 64 letters, digits, '-' or '_', got {name!r}")


def _for_room(name: str, on_event: Callable[[str, Event], None]) -> Callable[[Event], None]:
    return lambda event: on_event(name, event)
