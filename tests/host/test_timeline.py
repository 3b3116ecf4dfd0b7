"""The last five minutes."""

from __future__ import annotations

from typing import Any

import pytest

from host import timeline as module
from host.timeline import STEP_S, WINDOW_S, timeline_of, timelines
from tests.fake_clock import FakeClock
from tests.host.records import Diary


@pytest.fixture
def diary(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Diary:
    clock.install(monkeypatch, "host.history")
    monkeypatch.setattr(clock, "time", lambda: 1_700_000_000.0 + clock.now_s, raising=False)
    return Diary(clock)


def segments(diary: Diary, participant: str = "ana") -> list[tuple[str, float, float]]:
    entry = timeline_of(diary.history, participant, diary.now_s)
    assert entry is not None
    return [(one["state"], one["start_s"], one["end_s"]) for one in entry["segments"]]


def curve(diary: Diary) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = timelines(diary.history.snapshot(diary.now_s - WINDOW_S), diary.now_s)["curve"][
        "points"
    ]
    return points


def test_segments_are_told_in_seconds_before_now(diary: Diary) -> None:
    diary.write("ana", "attentive")
    diary.wait(60)
    diary.write("ana", "not_attentive", reason="away")
    diary.wait(10)
    assert segments(diary) == [("attentive", 70.0, 10.0), ("away", 10.0, 0.0)]


def test_what_held_when_the_window_began_is_part_of_it(diary: Diary) -> None:
    diary.write("ana", "not_attentive")
    diary.wait(1000)
    diary.write("ana", "attentive")
    diary.wait(1000)
    assert segments(diary) == [("attentive", float(WINDOW_S), 0.0)]


def test_who_left_stays_listed_and_shows_since_when(diary: Diary) -> None:
    diary.write("ana", "attentive")
    diary.write("ben", "attentive")
    diary.wait(30)
    diary.leave("ana")
    diary.wait(600)
    listed = timelines(diary.history.snapshot(diary.now_s - WINDOW_S), diary.now_s)["participants"]
    assert [(one["id"], one["name"], one["left_s"]) for one in listed] == [("ana", "Ana", 600.0), ("ben", "Ben", None)]
    assert segments(diary) == [("absent", 300.0, 0.0)]


def test_of_those_who_left_only_the_last_are_listed(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LEFT", 2)
    diary.write("here", "attentive")
    for name in ("ana", "ben", "chi", "dee"):
        diary.write(name, "attentive")
    for name in ("dee", "ben", "chi", "ana"):
        diary.wait(1)
        diary.leave(name)
    assert [
        one["id"] for one in timelines(diary.history.snapshot(diary.now_s - WINDOW_S), diary.now_s)["participants"]
    ] == ["here", "ana", "chi"]


def test_a_device_that_flickers_makes_no_more_segments_than_there_are_seconds(diary: Diary) -> None:
    for number in range(20 * WINDOW_S):
        diary.write("ana", "attentive" if number % 2 else "not_attentive")
        diary.wait(0.05 if number % 3 else 0.04)
    assert len(segments(diary)) <= WINDOW_S + 1


def test_nothing_is_known_of_a_stranger(diary: Diary) -> None:
    assert timeline_of(diary.history, "eve", diary.now_s) is None


def test_the_curve_is_the_attentive_part_of_what_was_shared(diary: Diary) -> None:
    for name in ("ana", "ben", "chi"):
        diary.write(name, "attentive")
    diary.write("dee", "not_attentive", reason="away")
    diary.write("eve", "unknown", reason="paused")
    diary.write("fay", "not_shared", reason="")
    diary.wait(60)
    points = curve(diary)
    assert len(points) == WINDOW_S // STEP_S
    assert points[-1] == {"ago_s": 0.0, "sharing": 4, "attentive": 0.75}
    assert points[0]["attentive"] is None
    assert points[0]["sharing"] == 0
    diary.write("ana", "not_attentive")
    diary.wait(60)
    assert curve(diary)[-1]["attentive"] == 0.5
    assert 0.75 in [point["attentive"] for point in curve(diary)]


def test_the_curve_weighs_by_time(diary: Diary) -> None:
    diary.wait(-diary.now_s % STEP_S)
    diary.write("ana", "attentive")
    diary.wait(2)
    diary.write("ana", "not_attentive")
    diary.wait(3)
    assert 0.4 in [point["attentive"] for point in curve(diary)]


def test_a_change_of_the_curve_lies_where_it_was_when_it_is_asked_for_again(diary: Diary) -> None:
    diary.write("ana", "attentive")
    diary.wait(101.3)
    diary.write("ana", "not_attentive")
    diary.wait(20)
    before = {round(diary.now_s - point["ago_s"]): point["attentive"] for point in curve(diary)[:-1]}
    diary.wait(7)
    after = {round(diary.now_s - point["ago_s"]): point["attentive"] for point in curve(diary)[:-1]}
    assert all(after[mark] == value for mark, value in before.items() if mark in after)
