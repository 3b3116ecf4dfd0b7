"""The CSV that a host may take home."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host import history as module
from host.history import COLUMNS, History, Row
from tests.fake_clock import FakeClock


def row(
    name: str = "Ana", *, state: str = "live", label: str = "attentive", score: float | None = 0.5, **more: str
) -> Row:
    at_s = float(more.get("at_s", 0))
    return Row(at_s, more.get("participant", "p1"), name, state, label, score, more.get("reason", "face"))


def read(history: History) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(history.csv(), newline="")))


def test_a_meeting_without_anybody_is_a_header() -> None:
    assert History().csv() == ",".join(COLUMNS) + "\r\n"


def test_a_row_says_when_who_and_what() -> None:
    history = History()
    history.add(Row(1_700_000_000.25, "p1", "Ana", "live", "attentive", 0.91234, "face"))
    assert read(history) == [
        {
            "time": "2023-11-14T22:13:20.250Z",
            "participant": "p1",
            "name": "Ana",
            "state": "live",
            "label": "attentive",
            "score": "0.912",
            "reason": "face",
        }
    ]


def test_a_mood_that_is_not_shared_has_no_score() -> None:
    history = History()
    history.add(row(label="not_shared", score=None, reason=""))
    assert read(history)[0]["score"] == ""


@pytest.mark.parametrize(
    "name", ['Ana "the ace" Lima', "Lima, Ana", "Ana;Lima", "王小明", "مح\u200fمد", "🎉", "O'Hara"]
)
def test_any_name_comes_back_from_the_file_as_it_was(name: str) -> None:
    history = History()
    history.add(row(name))
    assert read(history)[0]["name"] == name


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=64))
def test_no_name_can_break_a_row_or_become_a_formula(name: str) -> None:
    history = History()
    history.add(row(name))
    (only,) = read(history)
    assert only["name"].removeprefix("'") == name.removeprefix("'")
    assert only["name"][0] not in "=+-@"
    assert only["label"] == "attentive"


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\tAna", "\rAna"])
def test_a_name_that_a_spreadsheet_would_run_is_made_text(name: str) -> None:
    history = History()
    history.add(row(name))
    assert read(history)[0]["name"] == "'" + name


def test_an_id_that_a_spreadsheet_would_run_is_made_text() -> None:
    history = History()
    history.add(row(participant="-Ab1"))
    assert read(history)[0]["participant"] == "'-Ab1"


def test_only_news_is_written_down() -> None:
    history = History()
    assert history.add(row(score=0.5))
    assert not history.add(row(score=0.6))
    assert history.add(row(label="not_attentive"))
    assert history.add(row(label="not_attentive", reason="no_face"))
    assert history.add(row(label="attentive"))
    assert history.add(row(label="attentive", state="stale"))
    assert len(read(history)) == 5


def test_what_one_says_is_news_whatever_another_said() -> None:
    history = History()
    assert history.add(row(participant="p1"))
    assert history.add(row(participant="p2"))
    assert not history.add(row(participant="p1"))


def test_whoever_comes_back_after_going_is_news_again() -> None:
    history = History()
    history.add(row())
    assert history.add(row(state="gone"))
    assert history.add(row())
    assert [entry["state"] for entry in read(history)] == ["live", "gone", "live"]


def test_the_oldest_rows_go_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 3)
    history = History()
    for number in range(5):
        history.add(row(str(number)))
    assert [entry["name"] for entry in read(history)] == ["2", "3", "4"]


def test_what_is_known_of_one_person_is_found_newest_first() -> None:
    history = History()
    for number, who in enumerate(("p1", "p2", "p1")):
        history.add(row(participant=who, at_s=str(number), label="attentive" if number else "unknown"))
    assert [one.at_s for one in history.newest_first("p1")] == [2.0, 0.0]
    assert [one.at_s for one in history.newest_first("p1", back_to_s=2.0)] == [2.0]
    assert history.newest_first("p3") == []
    assert list(history.snapshot().rows) == ["p1", "p2"]


def test_a_dropped_row_still_says_what_held_when_the_kept_ones_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    history = History()
    for number, (who, label) in enumerate([("p1", "attentive"), ("p1", "unknown"), ("p2", "a"), ("p2", "b")]):
        history.add(row(participant=who, at_s=str(number), label=label))
    assert [(one.at_s, one.label) for one in history.newest_first("p1")] == [(1.0, "unknown")]
    assert (history.dropped, history.since_s) == (2, 1.0)


def test_who_left_is_forgotten_with_their_last_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 2)
    history = History()
    history.add(row(participant="p1"))
    history.add(row(participant="p1", state="gone"))
    for number in range(3):
        history.add(row(participant="p2", label=str(number)))
    assert list(history.snapshot().rows) == ["p2"]
    assert history.newest_first("p1") == []


def test_a_clock_that_is_set_does_not_move_the_rows(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.install(monkeypatch, "host.history")
    monkeypatch.setattr(clock, "time", lambda: 5000.0, raising=False)
    history = History()
    monkeypatch.setattr(clock, "time", lambda: 1.0, raising=False)
    clock.advance(10)
    assert history.now() == pytest.approx(5010.0)
