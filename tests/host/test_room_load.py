"""What a room gives up under load, and how it ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from host.admission import Admission
from host.headroom import EASED_GRID_FPS, Level
from host.layout import Rect
from host.sendsize import wanted
from host.session import Session
from signaling.errors import Draining, Overloaded
from signaling.protocol import Bye, Send
from tests.fake_peer import FakePeer, until
from tests.host.conftest import Meeting
from tests.host.offers import real_offer


def admission(participant: str, *, returning: bool = False) -> Admission:
    return Admission(participant, participant.title(), str, "owner", returning=returning)


async def test_smaller_pictures_are_asked_for_and_given_back(meeting: Meeting) -> None:
    ana, _ = await meeting.join("ana")
    usual = await ana.hear(Send)
    meeting.room.ease(Level.SMALLER)
    tile = meeting.room.renderer.scene.tiles[0].rect
    eased = wanted(tile, 15, eased=True)
    await until(lambda: ana.heard(Send)[-1] == eased)
    assert eased.width * eased.height * eased.fps < 0.4 * usual.width * usual.height * usual.fps
    assert meeting.room.renderer.rate == 15
    meeting.room.ease(Level.NORMAL)
    await until(lambda: ana.heard(Send)[-1] == usual)


async def test_who_joins_an_eased_room_is_asked_for_less_at_once(meeting: Meeting) -> None:
    meeting.room.ease(Level.SLOWER)
    ana, _ = await meeting.join("ana")
    assert await ana.hear(Send) == wanted(meeting.room.renderer.scene.tiles[0].rect, EASED_GRID_FPS, eased=True)


async def test_a_slower_grid_still_moves_and_is_fast_again_later(meeting: Meeting) -> None:
    viewer, _ = await meeting.watch()
    await until(lambda: viewer.grid)
    for level, rate in ((Level.SLOWER, EASED_GRID_FPS), (Level.REFUSING, EASED_GRID_FPS), (Level.SMALLER, 15)):
        meeting.room.ease(level)
        assert meeting.room.renderer.rate == rate
        seen = len(viewer.grid)
        await until(lambda seen=seen: len(viewer.grid) > seen + 5)
    stamps = [frame.timestamp for frame in viewer.grid]
    assert stamps == sorted(set(stamps))


async def test_who_is_new_waits_while_newcomers_are_refused_and_who_was_here_does_not(meeting: Meeting) -> None:
    await meeting.join("ana")
    meeting.room.ease(Level.REFUSING)
    with pytest.raises(Overloaded, match="too much to do"):
        await meeting.room.publish(await real_offer("sendonly"), admission("ben"))
    with pytest.raises(Overloaded):
        await meeting.room.watch(await real_offer("recvonly"), "viewer")
    await meeting.room.publish(await real_offer("sendonly"), admission("eve", returning=True))
    assert [p.id for p in meeting.room.participants()] == ["ana", "eve"]
    meeting.room.ease(Level.SLOWER)
    await meeting.room.publish(await real_offer("sendonly"), admission("ben"))


async def test_nobody_comes_into_a_room_that_closes(meeting: Meeting) -> None:
    ana, _ = await meeting.join("ana")
    await meeting.room.close()
    assert (await ana.hear(Bye)).reason == "shutdown"
    for returning in (False, True):
        with pytest.raises(Draining, match="shutting down"):
            await meeting.room.publish(await real_offer("sendonly"), admission("ana", returning=returning))
    with pytest.raises(Draining):
        await meeting.room.watch(await real_offer("recvonly"), "viewer")


@pytest.mark.parametrize("direction", ["sendonly", "recvonly"])
async def test_who_was_being_let_in_when_the_room_closed_is_not(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch, direction: str
) -> None:
    answer = Session.answer

    async def answer_late(self: Session, *arguments: Any, **options: Any) -> str:
        text = await answer(self, *arguments, **options)
        await meeting.room.close()
        return text

    monkeypatch.setattr(Session, "answer", answer_late)
    offer = await real_offer(direction)
    letting_in = (
        meeting.room.publish(offer, admission("ana")) if direction == "sendonly" else meeting.room.watch(offer, "owner")
    )
    with pytest.raises(Draining):
        await letting_in
    assert meeting.room.fanout.viewers == 0
    assert meeting.room.participants() == []


async def test_everybody_is_told_of_the_end_before_anybody_is_closed(meeting: Meeting) -> None:
    peers = [(await meeting.join(name))[0] for name in ("ana", "ben", "chi")]
    await meeting.room.close()
    byes = await asyncio.gather(*(peer.hear(Bye) for peer in peers))
    assert [bye.reason for bye in byes] == ["shutdown"] * 3


def test_a_tiny_tile_is_still_a_picture() -> None:
    send = wanted(Rect(0, 0, 18, 20), 15, eased=True)
    assert (send.width, send.height, send.fps) == (16, 16, 10)


def test_a_slow_grid_is_not_asked_to_be_faster_when_eased() -> None:
    assert wanted(Rect(0, 0, 64, 48), 5, eased=True).fps == 5


async def test_sessions_that_were_not_connected_yet_are_counted(meeting: Meeting) -> None:
    await meeting.join("ana")
    await meeting.watch()
    await until(lambda: meeting.room.half_open() == 0)
    await meeting.publish("ben", FakePeer())
    await meeting.room.watch(await real_offer("recvonly"), "viewer")
    assert meeting.room.half_open() == 2
    assert meeting.room.crowd == 4
