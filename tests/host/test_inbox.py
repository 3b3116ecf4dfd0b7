"""What comes in on a data channel, and what happens to whoever sends too much of it."""

from __future__ import annotations

import pytest

from host.inbox import MAX_STRIKES, STRIKES_FORGOTTEN_PER_S, Inbox
from signaling.protocol import MAX_MESSAGES_PER_S, Label, Mood, Pong, Reason, encode
from tests.fake_clock import FakeClock

GOOD = encode(Mood(Label.ATTENTIVE, 0.9, Reason.FACE, 1))


@pytest.fixture
def inbox(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    clock.install(monkeypatch, "host.inbox")
    return Inbox()


def test_a_message_is_what_it_says(inbox: Inbox) -> None:
    assert inbox.take(GOOD) == Mood(Label.ATTENTIVE, 0.9, Reason.FACE, 1)
    assert inbox.take(encode(Pong(4))) == Pong(4)
    assert inbox.rejected == 0


NESTED = GOOD[:-1] + ',"x":' + "[" * 2000 + "]" * 1900 + "}"


@pytest.mark.parametrize("bad", [NESTED, "", "{}", b"\x00" * 10, GOOD.encode(), " " * 5000, GOOD.replace("0.9", "NaN")])
def test_a_malformed_message_is_counted_and_dropped(inbox: Inbox, bad: str | bytes) -> None:
    assert inbox.take(bad) is None
    assert inbox.rejected == 1
    assert not inbox.misbehaved
    assert inbox.take(GOOD) is not None


def test_twenty_messages_a_second_are_fine_for_ever(inbox: Inbox, clock: FakeClock) -> None:
    for _ in range(60 * MAX_MESSAGES_PER_S):
        clock.advance(1 / MAX_MESSAGES_PER_S)
        assert inbox.take(GOOD) is not None
    assert inbox.rejected == 0


def test_a_burst_beyond_twenty_is_dropped_and_the_next_second_is_fine_again(inbox: Inbox, clock: FakeClock) -> None:
    taken = [inbox.take(GOOD) is not None for _ in range(30)]
    assert taken == [True] * MAX_MESSAGES_PER_S + [False] * 10
    clock.advance(1)
    assert inbox.take(GOOD) is not None
    assert not inbox.misbehaved


def test_a_pause_saves_up_no_more_than_one_second_of_messages(inbox: Inbox, clock: FakeClock) -> None:
    clock.advance(3600)
    assert sum(inbox.take(GOOD) is not None for _ in range(100)) == MAX_MESSAGES_PER_S


def test_whoever_does_not_stop_misbehaves(inbox: Inbox) -> None:
    for _ in range(MAX_MESSAGES_PER_S + MAX_STRIKES - 1):
        inbox.take(GOOD)
    assert not inbox.misbehaved
    inbox.take(GOOD)
    assert inbox.misbehaved


def test_malformed_messages_at_a_moderate_rate_misbehave_too(inbox: Inbox, clock: FakeClock) -> None:
    count = 0
    while not inbox.misbehaved:
        clock.advance(0.1)
        inbox.take("{}")
        count += 1
    assert MAX_STRIKES < count < 1.2 * MAX_STRIKES


def test_now_and_then_a_bad_message_is_forgiven(inbox: Inbox, clock: FakeClock) -> None:
    for _ in range(10 * MAX_STRIKES):
        clock.advance(1 / STRIKES_FORGOTTEN_PER_S)
        inbox.take("{}")
    assert not inbox.misbehaved
    assert inbox.rejected == 10 * MAX_STRIKES
