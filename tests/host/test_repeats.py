"""What is said again, and how often."""

from __future__ import annotations

import pytest

from host.repeats import RENEW_EVERY_S, Repeats
from signaling.protocol import PING_EVERY_S, REPEAT_S
from tests.fake_clock import FakeClock


def test_everything_is_due_once_per_interval(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.install(monkeypatch, "host.repeats")
    repeats = Repeats()
    due = {"ping": 0, "repeat": 0, "renew": 0}
    ticks = round(2 * RENEW_EVERY_S / 0.25)
    for _ in range(ticks):
        clock.advance(0.25)
        for kind in due:
            due[kind] += getattr(repeats, f"{kind}_due")(clock.now_s)
    assert due["ping"] == repeats.pings == pytest.approx(2 * RENEW_EVERY_S / PING_EVERY_S, abs=1)
    assert due["repeat"] == pytest.approx(2 * RENEW_EVERY_S / REPEAT_S, abs=1)
    assert due["renew"] == 2
