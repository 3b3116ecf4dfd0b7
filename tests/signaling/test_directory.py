"""Which room is where."""

from __future__ import annotations

import pytest

from host.record import Event
from host.renderer import GridConfig
from signaling.directory import check_room_name, open_rooms
from signaling.errors import ConfigInvalid, RoomUnknown, SessionUnknown
from tests.host.offers import real_offer

GRID = GridConfig(320, 180, 15, 300)


def ignore(_room: str, _event: Event) -> None:
    """Nobody listens."""


async def test_rooms_are_found_by_name_while_they_are_open() -> None:
    async with open_rooms(["a", "b"], GRID, ignore) as directory:
        assert [room.name for room in directory.rooms()] == ["a", "b"]
        assert directory.room("b").renderer.alive
        with pytest.raises(RoomUnknown):
            directory.room("c")
        rooms = directory.rooms()
    assert not any(room.renderer.alive for room in rooms)


async def test_a_session_leads_to_its_room() -> None:
    async with open_rooms(["a", "b"], GRID, ignore) as directory:
        session, _ = await directory.room("b").watch(await real_offer("recvonly"), "owner")
        assert directory.room_of_session(session).name == "b"
        with pytest.raises(SessionUnknown):
            directory.room_of_session("another")


async def test_an_error_does_not_repeat_what_was_asked_for() -> None:
    async with open_rooms(["a"], GRID, ignore) as directory:
        with pytest.raises(RoomUnknown) as room:
            directory.room("<script>")
        with pytest.raises(SessionUnknown) as session:
            directory.room_of_session("secret-session")
    assert "script" not in room.value.message
    assert "secret-session" not in session.value.message


@pytest.mark.parametrize("name", ["a", "main", "Team-7_b", "0", "x" * 64])
def test_a_room_name_is_letters_digits_and_dashes(name: str) -> None:
    check_room_name(name)


@pytest.mark.parametrize("name", ["", "-a", "_a", "a/b", "a b", "ä", "a\n", "a?", "x" * 65, "٣"])
def test_a_name_that_cannot_stand_in_a_link_is_refused(name: str) -> None:
    with pytest.raises(ConfigInvalid, match="expected a room name of 1 to 64"):
        check_room_name(name)
