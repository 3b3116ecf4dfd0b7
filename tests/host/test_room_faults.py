"""What goes wrong in a room, and that it stays with whom it happens to."""

from __future__ import annotations

from typing import Any

import pytest

from host.member import Member
from host.room import Room
from signaling.protocol import Bye, Label, Ping, Welcome
from tests.fake_peer import FakePeer, until
from tests.host.conftest import GRID, Meeting


async def test_a_mood_that_is_not_renewed_is_forgotten(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, _ = await meeting.join("ana")
    ana.mood(Label.ATTENTIVE)
    await until(lambda: meeting.room.participants()[0].mood)
    monkeypatch.setattr("host.member.MOOD_EXPIRES_S", 0.0)
    await until(lambda: meeting.room.participants()[0].mood is None)
    assert meeting.state("ana") == "live"
    labels = [event["label"] for event in meeting.events if event["event"] == "label"]
    assert labels == ["attentive", "not_shared"]


async def test_a_mood_from_before_it_was_forgotten_is_still_old(meeting: Meeting) -> None:
    ana, _ = await meeting.join("ana")
    ana.mood(Label.ATTENTIVE)
    await until(lambda: meeting.room.participants()[0].mood)
    meeting.room.participants()[0].mood = None
    ana._seq -= 1
    ana.mood(Label.NOT_ATTENTIVE)
    ana.mood(Label.UNKNOWN)
    mood = await until(lambda: meeting.room.participants()[0].mood)
    assert mood.mood.label is Label.UNKNOWN


async def test_whoever_knocks_again_is_not_live_before_media_flow(meeting: Meeting) -> None:
    first, _ = await meeting.join("ana")
    await first.close()
    await until(lambda: meeting.state("ana") == "stale")
    again = FakePeer()
    await meeting.publish("ana", again)
    seen = len(meeting.events)
    frames = meeting.room.renderer.frames
    await until(lambda: meeting.room.renderer.frames > frames + 5)  # many ticks of the watch
    assert "live" not in [event.get("state") for event in meeting.events[seen:]]
    await again.accept(again.answer)
    await until(lambda: meeting.state("ana") == "live")


async def test_whoever_takes_no_messages_keeps_them_from_nobody(meeting: Meeting) -> None:
    deaf = FakePeer()
    offer = deaf.offer

    async def small() -> str:
        return (await offer()).replace("a=max-message-size:262144", "a=max-message-size:1")

    deaf.offer = small  # type: ignore[method-assign]
    await meeting.join("deaf", deaf)
    ana, _ = await meeting.join("ana")
    assert (await ana.hear(Welcome)).participant == "ana"
    await ana.hear(Ping)
    assert not deaf.messages


async def test_whoever_a_host_removes_is_told_so(meeting: Meeting) -> None:
    ana, session = await meeting.join("ana")
    await meeting.room.leave(session, removed=True)
    assert (await ana.hear(Bye)).reason == "removed"
    assert meeting.state("ana") is None


async def test_a_session_whose_connection_is_gone_can_still_be_ended(meeting: Meeting) -> None:
    ana, session = await meeting.join("ana")
    await ana.close()
    await until(lambda: meeting.state("ana") == "stale")
    assert meeting.room.owner_of(session) == ("owner-ana", "ana")
    await meeting.room.leave(session)
    assert meeting.state("ana") is None


async def test_counters_never_go_back_when_somebody_comes_back(meeting: Meeting) -> None:
    ana, _ = await meeting.join("ana")
    for _ in range(5):
        ana.send("nonsense")
    await until(lambda: meeting.room.totals().messages_rejected == 5)
    await meeting.join("ana")
    assert meeting.room.totals().messages_rejected == 5


async def test_going_is_written_down_once(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    ana, _ = await meeting.join("ana")
    monkeypatch.setattr("host.participant.GONE_AFTER_S", 0.5)
    ana.fall_silent()
    await until(lambda: meeting.state("ana") is None)
    assert meeting.room.record.history.csv().count(",gone,") == 1


async def test_a_personal_token_is_renewed_while_somebody_stays(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, _ = await meeting.join("ana")
    await ana.hear(Welcome)
    before = len(ana.heard(Welcome))
    monkeypatch.setattr("host.repeats.RENEW_EVERY_S", 0.0)
    await until(lambda: len(ana.heard(Welcome)) > before)


async def test_a_listener_that_fails_keeps_nobody_out(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Any) -> None:
        raise BrokenPipeError

    room = Meeting()
    room.room = Room("main", GRID, fail)
    room.room.start()
    ana, _ = await room.join("ana")
    await until(lambda: room.state("ana") == "live")
    assert "could not tell of an event" in caplog.text
    await room.room.close()
    await ana.close()


async def test_a_tick_that_fails_is_not_the_last_one(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        monkeypatch.undo()
        raise RuntimeError

    monkeypatch.setattr(meeting.room, "_lay_out", fail)
    await until(lambda: "could not look after the room" in caplog.text)
    ana, _ = await meeting.join("ana")
    await ana.close()
    await until(lambda: meeting.state("ana") == "stale")


async def test_a_participant_whom_we_fail_at_keeps_nobody_unwatched(
    meeting: Meeting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await meeting.join("ana")
    ben, _ = await meeting.join("ben")
    tick = Member.tick

    def fail_at_ana(member: Member, now_s: float) -> bool:
        if member.participant.id == "ana":
            raise RuntimeError
        return tick(member, now_s)

    monkeypatch.setattr(Member, "tick", fail_at_ana)
    monkeypatch.setattr("host.participant.GONE_AFTER_S", 0.3)
    await ben.close()
    await until(lambda: meeting.state("ben") is None)
    assert "could not look after a participant" in caplog.text
