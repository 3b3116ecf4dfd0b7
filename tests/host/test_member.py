"""A participant and the session that stands for them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from host.inbox import MAX_STRIKES
from host.member import Member
from host.participant import Participant
from signaling.protocol import FromHost, Label, Mood, ParticipantState, Ping, Pong, Reason, encode
from signaling.rtc import EncodedFrame


class FakeSession:
    """Remembers what was sent on it; its receiver counts the requests for a key frame."""

    def __init__(self) -> None:
        self.sent: list[FromHost] = []
        self.key_requests = 0
        self.receiver = SimpleNamespace(last_packet_s=None, need_key_frame=self.ask, frames=0, losses=0)
        self.id = f"session-{id(self)}"
        self.ever_connected = True

    def ask(self) -> None:
        self.key_requests += 1

    def send(self, message: FromHost) -> None:
        self.sent.append(message)


class Heard:
    """A member with one session, and what it reported."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.discarded: list[Any] = []
        self.member = Member(
            Participant("p1", "Ana"),
            on_state=lambda _: self.calls.append("state"),
            on_mood=lambda _: self.calls.append("mood"),
            on_channel=lambda _: self.calls.append("channel"),
            on_misbehaved=lambda _: self.calls.append("misbehaved"),
            discard=self.discarded.append,
        )
        self.session = self.attach()

    def attach(self) -> Any:
        session: Any = FakeSession()
        self.replaced = self.member.attach(session, lambda: "resume", "owner")
        return session

    def mood(self, seq: int, label: Label = Label.ATTENTIVE, session: Any = None) -> None:
        self.member.session_message(session or self.session, encode(Mood(label, 0.5, Reason.FACE, seq)))


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_connected_session_makes_a_participant_live(heard: Heard) -> None:
    heard.member.session_connected(heard.session)
    assert heard.member.participant.state is ParticipantState.LIVE
    assert heard.calls == ["state"]


def test_an_open_channel_is_reported(heard: Heard) -> None:
    heard.member.session_channel(heard.session)
    assert heard.calls == ["channel"]


def test_the_newest_mood_counts_however_late_an_older_one_comes(heard: Heard) -> None:
    heard.mood(2)
    heard.mood(1, Label.NOT_ATTENTIVE)
    heard.mood(2, Label.NOT_ATTENTIVE)
    mood = heard.member.participant.mood
    assert mood is not None
    assert (mood.mood.seq, mood.mood.label) == (2, Label.ATTENTIVE)
    assert heard.calls == ["mood"]


def test_a_new_session_counts_its_moods_from_the_beginning(heard: Heard) -> None:
    heard.mood(500)
    session = heard.attach()
    assert heard.member.participant.mood is None
    heard.mood(1, session=session)
    assert heard.member.participant.mood is not None


def test_an_older_session_is_not_heard_any_more(heard: Heard) -> None:
    older = heard.session
    heard.session = heard.attach()
    assert heard.replaced is older
    heard.member.session_connected(older)
    heard.member.session_channel(older)
    heard.mood(1, session=older)
    heard.member.session_frame(older, EncodedFrame("VP8", b"x", 0, 0.0, key=True))
    heard.member.session_lost(older)
    participant = heard.member.participant
    assert heard.calls == []
    assert participant.mood is None
    assert participant.slot is not None
    assert participant.slot.last_frame_s is None
    assert heard.member.session is heard.session


def test_frames_go_to_the_slot(heard: Heard) -> None:
    heard.member.session_frame(heard.session, EncodedFrame("VP8", b"x", 0, 12.5, key=True))
    slot = heard.member.participant.slot
    assert slot is not None
    assert slot.last_frame_s == 12.5


def test_a_pong_says_that_somebody_is_there_and_nothing_else(heard: Heard) -> None:
    heard.member.participant.heard_s = 0.0
    heard.member.session_message(heard.session, encode(Pong(1)))
    assert heard.member.participant.heard_s > 0
    assert heard.calls == []


def test_nonsense_is_no_sign_of_life(heard: Heard) -> None:
    heard.member.participant.heard_s = 0.0
    heard.member.session_message(heard.session, "nonsense")
    assert heard.member.participant.heard_s == 0.0
    assert heard.member.inbox.rejected == 1


def test_video_is_a_sign_of_life(heard: Heard) -> None:
    heard.member.session_connected(heard.session)
    now = heard.member.participant.heard_s
    heard.session.receiver.last_packet_s = now + 100
    assert not heard.member.tick(now + 101)
    assert heard.member.participant.state is ParticipantState.LIVE


def test_a_tick_tells_whether_the_state_changed(heard: Heard) -> None:
    heard.member.session_connected(heard.session)
    now = heard.member.participant.heard_s
    assert [heard.member.tick(now + s) for s in (1, 4, 5, 11)] == [False, True, False, True]


def test_a_lost_session_is_discarded_once_and_the_tile_turns_stale(heard: Heard) -> None:
    heard.member.session_connected(heard.session)
    heard.member.session_lost(heard.session)
    heard.member.session_lost(heard.session)
    assert heard.discarded == [heard.session]
    assert heard.member.participant.state is ParticipantState.STALE
    assert heard.member.session is None
    heard.member.send(Ping(1))  # to nobody


def test_whoever_keeps_sending_nonsense_is_reported(heard: Heard) -> None:
    for _ in range(MAX_STRIKES + 5):
        heard.member.session_message(heard.session, "nonsense")
    assert "misbehaved" in heard.calls


def test_who_is_gone_is_not_heard(heard: Heard) -> None:
    heard.member.participant.state = ParticipantState.GONE
    heard.mood(1)
    assert heard.calls == []


def test_a_slot_that_needs_a_key_frame_asks_the_session_of_now(heard: Heard) -> None:
    newer = heard.attach()
    slot = heard.member.participant.slot
    assert slot is not None
    slot._need_key_frame()
    assert (heard.session.key_requests, newer.key_requests) == (0, 1)
    heard.member.session_lost(newer)
    slot._need_key_frame()
    assert newer.key_requests == 1
