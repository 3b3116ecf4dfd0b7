from __future__ import annotations

from peer.bitrate import BitrateGovernor


def run(governor: BitrateGovernor, *, sent_kbps: float, estimate_kbps: float, start: float, seconds: float) -> float:
    """Send and hear estimates ten times a second; returns the time after it."""
    for step in range(int(seconds * 10)):
        now = start + step / 10
        governor.sent(int(sent_kbps * 1000 / 8 / 10), now)
        governor.estimate(int(estimate_kbps * 1000), now)
    return start + seconds


def test_what_the_host_asks_for_is_taken_up_at_once() -> None:
    governor = BitrateGovernor(500)
    assert governor.current(0) == 500
    governor.ask(300, 0.1)
    assert governor.current(0.1) == 300


def test_a_network_that_carries_less_than_is_sent_lowers_the_rate() -> None:
    governor = BitrateGovernor(500)
    now = run(governor, sent_kbps=500, estimate_kbps=240, start=10, seconds=4)
    assert governor.current(now) == 240


def test_a_still_picture_that_is_estimated_low_keeps_its_rate() -> None:
    governor = BitrateGovernor(500)
    now = run(governor, sent_kbps=60, estimate_kbps=60, start=10, seconds=5)
    assert governor.current(now) == 500


def test_one_low_estimate_changes_nothing() -> None:
    governor = BitrateGovernor(500)
    now = run(governor, sent_kbps=500, estimate_kbps=600, start=10, seconds=3)
    governor.estimate(100_000, now)
    now = run(governor, sent_kbps=500, estimate_kbps=600, start=now + 0.1, seconds=3)
    assert governor.current(now) == 500


def test_the_rate_never_falls_below_what_shows_a_face() -> None:
    governor = BitrateGovernor(500)
    now = run(governor, sent_kbps=500, estimate_kbps=5, start=10, seconds=4)
    assert governor.current(now) == 100


def test_a_host_that_asks_for_less_than_that_gets_less() -> None:
    governor = BitrateGovernor(50)
    now = run(governor, sent_kbps=50, estimate_kbps=5, start=10, seconds=4)
    assert governor.current(now) == 50


def test_the_rate_recovers_with_the_network() -> None:
    governor = BitrateGovernor(500)
    now = run(governor, sent_kbps=500, estimate_kbps=200, start=10, seconds=4)
    assert governor.current(now) == 200
    now = run(governor, sent_kbps=200, estimate_kbps=300, start=now, seconds=3)
    assert governor.current(now) == 300
    now = run(governor, sent_kbps=300, estimate_kbps=900, start=now, seconds=3)
    assert governor.current(now) == 500


def test_changes_are_neither_small_nor_frequent() -> None:
    governor = BitrateGovernor(500)
    now = run(governor, sent_kbps=500, estimate_kbps=200, start=10, seconds=4)
    assert governor.current(now) == 200
    governor.estimate(215_000, now + 3)
    assert governor.current(now + 3) == 200
    governor.estimate(300_000, now + 4)
    assert governor.current(now + 4) == 300
    governor.estimate(150_000, now + 5)
    assert governor.current(now + 5) == 300
    assert governor.current(now + 6.1) == 150
