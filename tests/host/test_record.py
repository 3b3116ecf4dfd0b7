"""What a room remembers and tells, in either mode."""

from __future__ import annotations

import pytest

from host.mode import Mode
from host.participant import Participant
from host.record import FORGET_AFTER_S, Event, Record
from signaling.protocol import Label, ParticipantState, Reason
from tests.fake_clock import FakeClock
from tests.host.people import feel, live


class Told:
    """A record and the events it told."""

    def __init__(self, mode: Mode) -> None:
        self.events: list[Event] = []
        self.record = Record(mode, self.events.append)


@pytest.fixture
def open_one() -> Told:
    return Told(Mode.INDIVIDUAL)


@pytest.fixture
def closed_one() -> Told:
    return Told(Mode.AGGREGATE)


def attentive(name: str = "ana") -> Participant:
    return feel(live(name, name.title()), Label.ATTENTIVE, 0.9123)


async def test_a_label_is_told_when_it_changes_and_written_down(open_one: Told) -> None:
    ana = attentive()
    for _ in range(3):
        open_one.record.note("label", ana)
    feel(ana, Label.NOT_ATTENTIVE, 0.2, Reason.DOWN)
    open_one.record.note("label", ana)
    assert [event["label"] for event in open_one.events] == ["attentive", "not_attentive"]
    assert open_one.events[0] | {"score": 0.912, "reason": "face"} == open_one.events[0]
    assert (await open_one.record.csv()).count("\r\n") == 3


async def test_a_mood_that_ended_is_told_as_not_shared(open_one: Told) -> None:
    open_one.record.note("label", live("ana", "Ana"))
    assert open_one.events == [{"event": "label", "participant": "ana", "name": "Ana", "label": "not_shared"}]


async def test_in_aggregate_mode_who_comes_and_goes_is_told_and_no_label(closed_one: Told) -> None:
    ana = attentive()
    for kind in ("joined", "state", "label", "left"):
        closed_one.record.note(kind, ana)
    assert [event["event"] for event in closed_one.events] == ["joined", "state", "left"]
    assert all(set(event) <= {"event", "participant", "name", "state"} for event in closed_one.events)
    assert closed_one.record.history.snapshot().rows == {}
    assert await closed_one.record.csv() == "time,sharing,attentive\r\n"


def test_an_entry_has_a_mood_only_where_each_persons_label_is_shown(open_one: Told, closed_one: Told) -> None:
    ana = attentive()
    assert open_one.record.entry(ana, labels=True)["mood"]["label"] == "attentive"
    assert "mood" not in open_one.record.entry(ana, labels=False)
    assert "mood" not in closed_one.record.entry(ana, labels=True)


def test_what_is_seen_of_somebody_is_their_entry_and_their_timeline(open_one: Told, closed_one: Told) -> None:
    ana = attentive()
    for one in (open_one, closed_one):
        one.record.note("joined", ana)
    seen = open_one.record.seen_of(ana)
    assert seen["participant"] == open_one.record.entry(ana, labels=True)
    assert seen["timeline"]["id"] == "ana"
    hidden = closed_one.record.seen_of(ana)
    assert (hidden["participant"]["mood"], hidden["timeline"], hidden["mode"]) == (None, None, "aggregate")


def test_only_people_who_are_heard_and_say_something_count_for_the_share(
    closed_one: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.share.OVER_S", 0.0)
    monkeypatch.setattr("host.share.EVERY_S", 1e-9)
    people = [attentive("a"), attentive("b"), attentive("c"), live("quiet")]
    people.append(feel(live("paused"), Label.UNKNOWN, 0, Reason.PAUSED))
    stale = attentive("stale")
    stale.state = ParticipantState.STALE
    for _ in range(2):
        closed_one.record.sample([*people, stale])
    share = closed_one.record.share.latest
    assert share is not None
    assert (share.sharing, share.attentive) == (3, 1.0)


def test_in_individual_mode_no_share_is_made(open_one: Told) -> None:
    open_one.record.sample([attentive("a"), attentive("b"), attentive("c")])
    assert not open_one.record.share.points


async def test_timeline_and_summary_say_in_which_mode_they_are(open_one: Told, closed_one: Told) -> None:
    for one, mode, people in ((open_one, "individual", 1), (closed_one, "aggregate", 0)):
        one.record.note("joined", attentive())
        timeline, summary = await one.record.timeline(), await one.record.summary()
        assert (timeline["mode"], len(timeline["participants"])) == (mode, people)
        assert (summary["mode"], len(summary["participants"])) == (mode, people)


def test_a_listener_in_trouble_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: Event) -> None:
        raise ZeroDivisionError

    record = Record(Mode.INDIVIDUAL, fail)
    record.note("joined", attentive())
    assert list(record.history.snapshot().rows) == ["ana"]
    assert "could not tell of an event" in caplog.text


def test_the_oldest_label_is_known_and_in_aggregate_mode_none_is(open_one: Told, closed_one: Told) -> None:
    older, newer, quiet = attentive("ana"), attentive("ben"), live("chi")
    assert older.mood is not None
    people = [newer, older, quiet]
    assert open_one.record.oldest_label_s(people) == older.mood.received_s
    assert open_one.record.oldest_label_s([quiet]) is None
    assert closed_one.record.oldest_label_s(people) is None


async def test_a_meeting_is_forgotten_when_its_room_has_been_empty_for_half_an_hour(
    open_one: Told, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.install(monkeypatch, "host.record")
    ana = attentive()
    open_one.record.note("label", ana)

    async def remembered(people: list[Participant], seconds: float) -> bool:
        open_one.record.sample(people)
        clock.advance(seconds)
        open_one.record.sample(people)
        return "attentive" in await open_one.record.csv()

    assert await remembered([ana], 10 * FORGET_AFTER_S)
    assert await remembered([], FORGET_AFTER_S - 1)
    assert await remembered([ana], 1)  # somebody came back: it goes on
    assert await remembered([], FORGET_AFTER_S - 1)
    assert not await remembered([], 2)
