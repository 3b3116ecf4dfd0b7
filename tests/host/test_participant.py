"""The states of a participant, all of them and nothing else."""

from __future__ import annotations

import pytest

from host.participant import VIDEO_GONE_AFTER_S, Participant
from host.slot import VideoSlot
from signaling.protocol import GONE_AFTER_S, STALE_AFTER_S, ParticipantState
from signaling.rtc import EncodedFrame
from tests.fake_clock import FakeClock

CONNECTING, LIVE, STALE, GONE = ParticipantState


@pytest.fixture
def participant(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Participant:
    clock.install(monkeypatch, "host.participant")
    return Participant("p1", "Ana")


@pytest.mark.parametrize(
    ("before", "silent_s", "after"),  # after: with a session, and without one
    [
        (CONNECTING, 0, (CONNECTING, CONNECTING)),
        (CONNECTING, STALE_AFTER_S, (CONNECTING, CONNECTING)),
        (CONNECTING, GONE_AFTER_S, (GONE, GONE)),
        (LIVE, 0, (LIVE, STALE)),
        (LIVE, STALE_AFTER_S - 0.01, (LIVE, STALE)),
        (LIVE, STALE_AFTER_S, (STALE, STALE)),
        (LIVE, GONE_AFTER_S - 0.01, (STALE, STALE)),
        (LIVE, GONE_AFTER_S, (GONE, GONE)),
        (STALE, 0, (LIVE, STALE)),
        (STALE, STALE_AFTER_S - 0.01, (LIVE, STALE)),
        (STALE, STALE_AFTER_S, (STALE, STALE)),
        (STALE, GONE_AFTER_S, (GONE, GONE)),
        (GONE, 0, (GONE, GONE)),
        (GONE, STALE_AFTER_S, (GONE, GONE)),
    ],
)
def test_the_state_follows_from_silence_and_session(
    participant: Participant, before: ParticipantState, silent_s: float, after: tuple[ParticipantState, ...]
) -> None:
    for connected, expected in zip((True, False), after, strict=True):
        participant.state = before
        assert participant.tick(participant.heard_s + silent_s, connected=connected) is expected
        assert participant.state is expected


def test_whoever_connects_is_live_and_was_just_heard(participant: Participant, clock: FakeClock) -> None:
    clock.advance(5)
    participant.connected()
    assert participant.state is LIVE
    assert participant.heard_s == clock.now_s


def test_a_tile_waits_for_whoever_lost_the_connection(participant: Participant, clock: FakeClock) -> None:
    participant.connected()
    participant.disconnected()
    assert participant.tick(clock.now_s + GONE_AFTER_S - 0.1, connected=False) is STALE
    participant.connected()
    assert participant.state is LIVE


def test_who_is_gone_does_not_come_back_by_losing_a_connection(participant: Participant) -> None:
    participant.state = GONE
    participant.disconnected()
    assert participant.state is GONE


def test_being_heard_never_goes_back_in_time(participant: Participant, clock: FakeClock) -> None:
    participant.hear(clock.now_s + 4)
    participant.hear(clock.now_s + 2)
    assert participant.heard_s == clock.now_s + 4


def test_video_is_there_while_frames_come(participant: Participant, clock: FakeClock) -> None:
    assert not participant.has_video(clock.now_s)
    participant.slot = VideoSlot(lambda: None)
    assert not participant.has_video(clock.now_s)
    participant.slot.push(EncodedFrame("VP8", b"x", 0, clock.now_s, key=True))
    assert participant.has_video(clock.now_s + VIDEO_GONE_AFTER_S - 0.01)
    assert not participant.has_video(clock.now_s + VIDEO_GONE_AFTER_S)


def test_what_everybody_sees_of_a_participant_is_id_name_and_state(participant: Participant) -> None:
    entry = participant.roster_entry()
    assert (entry.id, entry.name, entry.state) == ("p1", "Ana", CONNECTING)
    assert set(entry.__struct_fields__) == {"id", "name", "state"}
