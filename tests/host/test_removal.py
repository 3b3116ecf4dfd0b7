"""Whom a host sends away: they are told, and stay away."""

from __future__ import annotations

from typing import Any

import pytest

from host.session import Session
from signaling.errors import ParticipantRemoved, ParticipantUnknown
from signaling.protocol import Bye
from tests.fake_peer import FakePeer, until
from tests.host.conftest import Meeting
from tests.host.offers import real_offer


async def test_who_was_removed_does_not_come_back_and_others_do(meeting: Meeting) -> None:
    peer, _ = await meeting.join("ana")
    meeting.room.remove("ana")
    assert (await peer.hear(Bye)).reason == "removed"
    assert meeting.room.participants() == []
    with pytest.raises(ParticipantRemoved):
        await meeting.publish("ana", FakePeer())
    await meeting.join("ben")
    with pytest.raises(ParticipantUnknown):
        meeting.room.remove("zuri")


async def test_who_left_before_the_host_removed_them_does_not_come_back(meeting: Meeting) -> None:
    _, session = await meeting.join("ana")
    await meeting.room.leave(session)
    meeting.room.remove("ana")
    with pytest.raises(ParticipantRemoved):
        await meeting.publish("ana", FakePeer())


async def test_who_is_removed_watches_no_longer(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    await meeting.join("ana")
    viewers = [FakePeer(None) for _ in range(2)]
    meeting.peers += viewers
    sessions = []
    for viewer, participant in zip(viewers, ("ana", None), strict=True):
        session, answer = await meeting.room.watch(await viewer.offer(), "token", participant=participant)
        await viewer.accept(answer)
        sessions.append(session)
    await until(lambda: all(viewer.grid for viewer in viewers))
    answer_of = Session.answer

    async def answer_and_remove(self: Session, *arguments: Any, **options: Any) -> str:
        text = await answer_of(self, *arguments, **options)
        meeting.room.remove("ana")
        return text

    monkeypatch.setattr(Session, "answer", answer_and_remove)
    with pytest.raises(ParticipantRemoved):
        await meeting.room.watch(await real_offer("recvonly"), "token", participant="ana")
    assert [meeting.room.owner_of(session) for session in sessions] == [None, ("token", None)]
    await until(lambda: viewers[0].connection.connectionState == "closed")
    with pytest.raises(ParticipantRemoved):
        await meeting.room.watch(await real_offer("recvonly"), "token", participant="ana")


async def test_who_is_removed_while_they_come_back_stays_out(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    await meeting.join("ana")
    answer = Session.answer

    async def answer_and_remove(self: Session, *arguments: Any, **options: Any) -> str:
        text = await answer(self, *arguments, **options)
        meeting.room.remove("ana")
        return text

    monkeypatch.setattr(Session, "answer", answer_and_remove)
    with pytest.raises(ParticipantRemoved):
        await meeting.publish("ana", FakePeer())
    assert meeting.room.participants() == []
