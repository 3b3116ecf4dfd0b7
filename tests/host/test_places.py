"""Who yields in a full room: those whose connection never came about."""

from __future__ import annotations

import pytest

from host import audience, places, room
from host.admission import Admission
from host.places import CONNECT_PATIENCE_S, CROWD, HalfOpen, who_yields
from host.session import Session
from signaling.errors import RoomFull, SdpInvalid
from tests.host.conftest import Meeting
from tests.host.offers import real_offer

NOW_S = 1000.0
HERE, THERE = "192.0.2.7", "198.51.100.9"


def half_open(*addresses: str, age_s: float = 1.0) -> list[HalfOpen[int]]:
    """One for each address, numbered from the oldest, the youngest `age_s` old."""
    count = len(addresses)
    return [HalfOpen(n, address, NOW_S - age_s - (count - n) / 100) for n, address in enumerate(addresses)]


def test_where_everybody_is_connected_nobody_yields() -> None:
    with pytest.raises(RoomFull, match="expected at most 25 participants in this room, and they are here"):
        who_yields([], HERE, NOW_S, "25 participants")


def test_who_only_just_came_is_given_time_to_connect() -> None:
    with pytest.raises(RoomFull):
        who_yields(half_open(*[THERE] * (CROWD - 1)), HERE, NOW_S, "")
    with pytest.raises(RoomFull):
        who_yields(half_open(*[HERE] * 25), HERE, NOW_S, "")


def test_whose_time_is_over_yields_the_oldest_first() -> None:
    assert who_yields(half_open(HERE, THERE, HERE, age_s=CONNECT_PATIENCE_S), HERE, NOW_S, "") == 0
    late = [HalfOpen(7, HERE, NOW_S - CONNECT_PATIENCE_S), *half_open(THERE, THERE)]
    assert who_yields(late, HERE, NOW_S, "") == 7


def test_a_crowd_of_one_address_yields_at_once_to_somebody_from_another() -> None:
    assert who_yields(half_open(THERE, *[HERE] * CROWD), "203.0.113.1", NOW_S, "") == 1
    with pytest.raises(RoomFull):
        who_yields(half_open(THERE, *[HERE] * CROWD), THERE, NOW_S, "")


def newcomer(participant: str, address: str) -> Admission:
    return Admission(participant, participant, str, "invite", address=address)


async def test_offers_alone_keep_no_participant_out(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_PARTICIPANTS", 2)
    offer = await real_offer("sendonly")
    for name in ("ghost", "another ghost"):
        await meeting.room.publish(offer, newcomer(name, HERE))
    with pytest.raises(RoomFull):
        await meeting.room.publish(offer, newcomer("ana", THERE))
    monkeypatch.setattr(places, "CONNECT_PATIENCE_S", 0.0)
    await meeting.room.publish(offer, newcomer("ana", THERE))
    assert [one.id for one in meeting.room.participants()] == ["another ghost", "ana"]
    assert meeting.room.half_open() == 2


async def test_who_is_connected_stays_however_many_knock(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_PARTICIPANTS", 1)
    monkeypatch.setattr(places, "CONNECT_PATIENCE_S", 0.0)
    await meeting.join("ana")
    with pytest.raises(RoomFull):
        await meeting.room.publish(await real_offer("sendonly"), newcomer("ben", HERE))


async def test_offers_alone_keep_no_viewer_out(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "MAX_VIEWERS", 1)
    offer = await real_offer("recvonly")
    ghost, _ = await meeting.room.watch(offer, "invite", HERE)
    with pytest.raises(RoomFull):
        await meeting.room.watch(offer, "viewer", THERE)
    monkeypatch.setattr(places, "CONNECT_PATIENCE_S", 0.0)
    session, _ = await meeting.room.watch(offer, "viewer", THERE)
    assert meeting.room.owner_of(ghost) is None
    assert meeting.room.owner_of(session) == ("viewer", None)


async def test_an_offer_that_gets_no_answer_puts_nobody_out(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_PARTICIPANTS", 1)
    monkeypatch.setattr(places, "CONNECT_PATIENCE_S", 0.0)
    offer = await real_offer("sendonly")
    await meeting.room.publish(offer, newcomer("slow ana", HERE))

    async def fail(*_: object, **__: object) -> str:
        raise SdpInvalid("expected an offer that can be answered")

    monkeypatch.setattr(Session, "answer", fail)
    with pytest.raises(SdpInvalid):
        await meeting.room.publish(offer, newcomer("ben", THERE))
    assert [one.id for one in meeting.room.participants()] == ["slow ana"]


async def test_a_viewer_who_gets_no_answer_puts_nobody_out(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "MAX_VIEWERS", 1)
    monkeypatch.setattr(places, "CONNECT_PATIENCE_S", 0.0)
    offer = await real_offer("recvonly")
    slow, _ = await meeting.room.watch(offer, "slow ana", HERE)

    async def fail(*_: object, **__: object) -> str:
        raise SdpInvalid("expected an offer that can be answered")

    with monkeypatch.context() as patch:
        patch.setattr(Session, "answer", fail)
        with pytest.raises(SdpInvalid):
            await meeting.room.watch(offer, "ben", THERE)
    assert meeting.room.owner_of(slow) == ("slow ana", None)
    await meeting.room.watch(offer, "chi", THERE)
    assert meeting.room.owner_of(slow) is None
