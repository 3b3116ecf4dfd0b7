"""What a meeting comes to."""

from __future__ import annotations

from typing import Any

import pytest

from host import history as history_module
from host import share as share_module
from host import summary as module
from host.share import ShareMeter
from host.summary import AGGREGATE_LIMITS, LIMITS, summarise, summarise_shares
from tests.fake_clock import FakeClock
from tests.host.records import Diary


@pytest.fixture
def diary(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Diary:
    clock.install(monkeypatch, "host.history")
    return Diary(clock)


def person(diary: Diary, participant: str = "ana") -> dict[str, Any]:
    (found,) = [
        one for one in summarise(diary.history.snapshot(), diary.now_s)["participants"] if one["id"] == participant
    ]
    return found


def test_times_add_up_to_what_happened(diary: Diary) -> None:
    for label, reason, lasts_s in [
        ("not_shared", "", 5),
        ("attentive", "face", 60),
        ("not_attentive", "down", 30),
        ("attentive", "face", 100),
        ("not_attentive", "away", 20),
        ("unknown", "paused", 15),
    ]:
        diary.write("ana", label, reason=reason)
        diary.wait(lasts_s)
    assert person(diary) == {
        "id": "ana",
        "name": "Ana",
        "present_s": 230.0,
        "sharing_s": 210.0,
        "attentive_s": 160.0,
        "not_attentive_s": 30.0,
        "away_s": 20.0,
        "unknown_s": 15.0,
        "longest_attentive_s": 100.0,
        "attentive": 0.762,
    }


def test_time_after_leaving_does_not_count(diary: Diary) -> None:
    diary.write("ana", "attentive")
    diary.wait(50)
    diary.leave("ana")
    diary.wait(500)
    assert (person(diary)["present_s"], person(diary)["longest_attentive_s"]) == (50.0, 50.0)


def test_a_connection_that_hangs_breaks_a_stretch_and_is_not_presence(diary: Diary) -> None:
    diary.write("ana", "attentive")
    diary.wait(30)
    diary.write("ana", "attentive", state="stale")
    diary.wait(5)
    diary.write("ana", "attentive")
    diary.wait(20)
    assert (person(diary)["present_s"], person(diary)["longest_attentive_s"]) == (50.0, 30.0)


def test_a_reason_that_changes_does_not_break_a_stretch(diary: Diary) -> None:
    diary.write("ana", "attentive", reason="face")
    diary.wait(10)
    diary.write("ana", "attentive", reason="turned")
    diary.wait(10)
    assert person(diary)["longest_attentive_s"] == 20.0


def test_who_shared_nothing_has_no_part_that_was_attentive(diary: Diary) -> None:
    diary.write("ana", "not_shared", reason="")
    diary.wait(10)
    assert person(diary)["attentive"] is None


def test_the_room_weighs_everybody_by_the_time_they_shared(diary: Diary) -> None:
    diary.write("ana", "attentive")
    diary.write("ben", "not_shared", reason="")
    diary.wait(90)
    diary.write("ben", "not_attentive")
    diary.wait(10)
    assert summarise(diary.history.snapshot(), diary.now_s)["room"] == {
        "people": 2,
        "sharing_s": 110.0,
        "attentive_s": 100.0,
        "attentive": 0.909,
    }


def test_the_limits_are_told_with_the_numbers(diary: Diary) -> None:
    assert summarise(diary.history.snapshot(), diary.now_s)["limits"] == list(LIMITS)
    assert all(sentence.endswith(".") for sentence in LIMITS)


def test_after_rows_were_dropped_times_count_from_the_oldest_that_is_left(
    diary: Diary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MAX_ROWS", 2)
    diary.write("calm", "attentive")
    for label in ("attentive", "not_attentive", "attentive", "not_attentive"):
        diary.wait(10)
        diary.write("ana", label)
    diary.wait(10)
    found = summarise(diary.history.snapshot(), diary.now_s)
    assert found["from_s"] == pytest.approx(diary.began_s + 20, abs=0.01)
    assert (person(diary)["attentive_s"], person(diary)["not_attentive_s"]) == (10.0, 20.0)
    assert person(diary, "calm")["attentive_s"] == 30.0  # whose own row was dropped, and still holds
    assert "3 older ones are gone" in found["limits"][-1]
    assert "UTC" in found["limits"][-1]


def test_a_crowd_is_cut_and_it_says_so(diary: Diary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PEOPLE", 2)
    for name in ("ana", "ben", "chi"):
        diary.wait(1)
        diary.write(name, "attentive")
    diary.wait(1)
    diary.write("ana", "not_attentive")
    found = summarise(diary.history.snapshot(), diary.now_s)
    assert [one["id"] for one in found["participants"]] == ["ana", "chi"]
    assert found["limits"][-1] == "Only the last 2 of 3 people are listed."


def test_the_summary_of_shares_is_their_mean_and_names_nobody() -> None:
    meter = ShareMeter()
    for quarter in range(4 * 60):
        meter.sample({"a": True, "b": True, "c": quarter < 120, "d": False}, quarter / 4)
    found = summarise_shares(meter, 60.0)
    shown = [point.share.attentive for point in meter.points if point.share is not None]
    assert found["room"] == {
        "points": len(meter.points),
        "shown": len(shown),
        "attentive": round(sum(shown) / len(shown), 2),
    }
    assert found["participants"] == []
    assert found["limits"] == list(AGGREGATE_LIMITS)
    assert summarise_shares(ShareMeter(), 60.0)["room"]["attentive"] is None


def test_shares_are_counted_from_when_somebody_began_to_look_for_them() -> None:
    meter = ShareMeter()
    assert summarise_shares(meter, 60.0)["from_s"] == 60.0
    meter.sample({}, 42.25)
    meter.sample({}, 50.0)
    assert summarise_shares(meter, 60.0)["from_s"] == 42.25


def test_after_a_day_shares_are_counted_from_the_oldest_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for where in (share_module, module):
        monkeypatch.setattr(where, "MAX_POINTS", 4)
    meter = ShareMeter()
    for quarter in range(4 * 60):
        meter.sample({"a": True, "b": True, "c": quarter < 120}, quarter / 4)
    found = summarise_shares(meter, 60.0)
    assert [point.at_s for point in meter.points] == [40.0, 45.0, 50.0, 55.0]
    assert (found["from_s"], found["room"]["points"]) == (35.0, 4)
    assert found["limits"][-1] == (
        "Only the last 4 shares are kept: 8 older ones are gone, and everything here is counted from 00:00:35 UTC on "
        "1970-01-01 on."
    )
