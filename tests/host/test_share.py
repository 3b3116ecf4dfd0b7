"""The room's share: of whom, when, and how coarse."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.share import EVERY_S, MIN_SHARING, OVER_S, Share, ShareMeter

TICK_S = 0.25
FOUR = {"a": True, "b": True, "c": True, "d": False}


class Room:
    """A meter and its time."""

    def __init__(self) -> None:
        self.meter = ShareMeter()
        self.now_s = 1000.0

    def hold(self, attentive: dict[str, bool], seconds: float) -> set[Share | None]:
        """Sample the same for a while; everything that was shown meanwhile."""
        shown = set()
        for _ in range(round(seconds / TICK_S)):
            self.now_s += TICK_S
            self.meter.sample(attentive, self.now_s)
            shown.add(self.meter.latest)
        return shown


@pytest.fixture
def room() -> Room:
    return Room()


def test_a_group_that_holds_has_a_share(room: Room) -> None:
    room.hold(FOUR, OVER_S + EVERY_S)
    assert room.meter.latest == Share(4, 0.8)  # 0.75, in steps of a tenth


@pytest.mark.parametrize("count", range(MIN_SHARING))
def test_too_few_people_never_have_one(room: Room, count: int) -> None:
    assert room.hold({str(number): True for number in range(count)}, 60) == {None}


def test_there_is_none_before_a_group_has_held_for_the_whole_time(room: Room) -> None:
    assert room.hold(FOUR, OVER_S - TICK_S) == {None}


@pytest.mark.parametrize(
    "after",
    [
        {"a": True, "b": True, "c": True},
        {**FOUR, "e": True},
        {"a": True, "b": True, "c": True, "e": False},
    ],
    ids=["somebody left", "somebody came", "somebody was replaced"],
)
def test_another_group_begins_anew_so_that_no_mean_is_of_two(room: Room, after: dict[str, bool]) -> None:
    room.hold(FOUR, 60)
    assert room.meter.latest is not None
    assert room.hold(after, OVER_S - EVERY_S) == {None}
    room.hold(after, 2 * EVERY_S)
    assert room.meter.latest == Share(len(after), round(sum(after.values()) / len(after), 1))


def test_somebody_who_changes_does_not_show_at_once_nor_alone(room: Room) -> None:
    everybody = {str(number): True for number in range(5)}
    room.hold(everybody, 60)
    changed = {**everybody, "0": False}
    changes = []
    for _ in range(round(30 / TICK_S)):
        before = room.meter.latest
        room.hold(changed, TICK_S)
        if room.meter.latest != before:
            changes.append(room.now_s)
    assert all(mark % EVERY_S < TICK_S for mark in changes)
    assert room.meter.latest == Share(5, 0.8)


def test_shares_come_on_a_clock_of_their_own(room: Room) -> None:
    room.hold(FOUR, 100)
    marks = [point.at_s for point in room.meter.points]
    assert len(marks) == pytest.approx(100 / EVERY_S, abs=1)
    assert all(mark % EVERY_S < TICK_S for mark in marks[1:])


@given(st.lists(st.lists(st.booleans(), min_size=0, max_size=6), min_size=1, max_size=20), st.integers(1, 40))
def test_no_share_is_ever_of_too_few_or_finer_than_its_steps(groups: list[list[bool]], ticks: int) -> None:
    room = Room()
    for group in groups:
        for share in room.hold({str(number): value for number, value in enumerate(group)}, ticks * TICK_S):
            if share is not None:
                assert share.sharing == len(group) >= MIN_SHARING
                assert share.attentive in {round(step / 10, 1) for step in range(11)}


def test_the_file_has_a_row_per_point_and_nothing_of_anybody(room: Room) -> None:
    room.hold(FOUR, 40)
    rows = list(csv.DictReader(io.StringIO(room.meter.csv(), newline="")))
    assert list(rows[0]) == ["time", "sharing", "attentive"]
    assert (rows[0]["sharing"], rows[0]["attentive"]) == ("", "")
    assert (rows[-1]["sharing"], rows[-1]["attentive"]) == ("4", "0.8")
