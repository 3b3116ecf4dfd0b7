"""What is given up when, and when it is taken back."""

from __future__ import annotations

import dataclasses

import pytest

from host.headroom import EASY_S, HICCUP_S, MOST_EASY_S, RELAPSE_S, STRAINED_S, Headroom, Level, Reading

BUSY = Reading(cpu=0.9)
EASY = Reading(cpu=0.3)
BETWEEN = Reading(cpu=0.8)


class Load:
    """A headroom that is fed once a second."""

    def __init__(self) -> None:
        self.headroom = Headroom()
        self.now_s = 100.0

    def last(self, reading: Reading, seconds: float) -> list[Level]:
        """`reading` for so long; the levels that were gone through, the first one included."""
        levels = [self.headroom.level]
        for _ in range(round(seconds)):
            self.now_s += 1
            level = self.headroom.update(reading, self.now_s)
            if level is not levels[-1]:
                levels.append(level)
        return levels

    def until(self, level: Level, reading: Reading) -> float:
        """Seconds of `reading` until `level`."""
        began_s = self.now_s
        while self.headroom.level is not level:
            self.last(reading, 1)
            assert self.now_s - began_s < 1000
        return self.now_s - began_s


@pytest.fixture
def load() -> Load:
    return Load()


def test_the_order_is_smaller_then_slower_then_refusing_and_back(load: Load) -> None:
    assert load.last(BUSY, 30) == [Level.NORMAL, Level.SMALLER, Level.SLOWER, Level.REFUSING]
    assert load.last(EASY, 60) == [Level.REFUSING, Level.SLOWER, Level.SMALLER, Level.NORMAL]


def test_each_step_up_takes_a_while_and_each_step_down_longer(load: Load) -> None:
    assert load.until(Level.SMALLER, BUSY) == STRAINED_S + 1  # since the first of these readings
    assert load.until(Level.SLOWER, BUSY) == STRAINED_S
    assert load.until(Level.SMALLER, EASY) == EASY_S + 1
    assert load.until(Level.NORMAL, EASY) == EASY_S


def test_a_load_that_passes_by_itself_changes_nothing(load: Load) -> None:
    for _ in range(20):
        assert load.last(BUSY, STRAINED_S) == [Level.NORMAL]
        load.last(BETWEEN, 1)


def test_between_the_limits_it_stays_as_it_is(load: Load) -> None:
    load.last(BUSY, 30)
    assert load.last(BETWEEN, 600) == [Level.REFUSING]


def test_a_moment_of_ease_is_not_enough(load: Load) -> None:
    load.last(BUSY, 30)
    for _ in range(20):
        assert load.last(EASY, HICCUP_S - 1) == [Level.REFUSING]
        assert load.last(BETWEEN, 1) == [Level.REFUSING]


def test_hiccups_now_and_then_do_not_keep_newcomers_out_for_good(load: Load) -> None:
    load.last(BUSY, 30)
    for _ in range(20):
        load.last(EASY, EASY_S - 1)
        load.last(BETWEEN, 1)
    assert load.headroom.level is Level.NORMAL


@pytest.mark.parametrize(
    "much", [{"cpu": 0.86}, {"loop": 0.86}, {"rate": 0.79}, {"lag_s": 0.26}], ids=["cpu", "loop", "rate", "lag"]
)
def test_each_measure_alone_is_enough_to_be_strained(much: dict[str, float]) -> None:
    reading = dataclasses.replace(EASY, **much)
    assert reading.strained
    assert not reading.easy


@pytest.mark.parametrize(
    "some", [{"cpu": 0.75}, {"loop": 0.75}, {"rate": 0.9}, {"lag_s": 0.2}], ids=["cpu", "loop", "rate", "lag"]
)
def test_each_measure_alone_keeps_it_from_being_easy(some: dict[str, float]) -> None:
    reading = dataclasses.replace(EASY, **some)
    assert not reading.strained
    assert not reading.easy


def test_a_step_down_that_was_a_mistake_makes_the_next_one_later(load: Load) -> None:
    load.until(Level.SMALLER, BUSY)
    waits = []
    for _ in range(7):
        waits.append(load.until(Level.NORMAL, EASY))
        load.until(Level.SMALLER, BUSY)
    assert waits[:3] == pytest.approx([EASY_S, 2 * EASY_S, 4 * EASY_S], abs=1)
    assert waits[-1] == pytest.approx(MOST_EASY_S, abs=1)


def test_mistakes_are_forgotten_when_all_is_well_for_long(load: Load) -> None:
    for _ in range(4):
        load.until(Level.SMALLER, BUSY)
        load.until(Level.NORMAL, EASY)
    load.last(EASY, MOST_EASY_S + RELAPSE_S)
    load.until(Level.SMALLER, BUSY)
    assert load.until(Level.NORMAL, EASY) == pytest.approx(EASY_S, abs=1)


def test_changes_are_logged_and_the_refusal_as_a_warning(load: Load, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "host.headroom")
    load.last(BUSY, 60)
    assert [(record.levelname, record.message.split(":")[1].split()[0]) for record in caplog.records] == [
        ("INFO", "smaller"),
        ("INFO", "slower"),
        ("WARNING", "refusing"),
    ]
    assert "CPU 0.90" in caplog.text
