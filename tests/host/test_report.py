"""What a room tells of itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from host.report import Counters, describe
from host.slot import VideoSlot
from signaling.protocol import ParticipantState
from tests.host.people import live


def test_an_entry_has_a_mood_only_where_labels_may_be_seen() -> None:
    ana = live("ana")
    assert "mood" not in describe(ana, ana.joined_s, labels=False)
    assert describe(ana, ana.joined_s, labels=True)["mood"] is None


def test_an_entry_without_frames_has_no_video() -> None:
    ana = live("ana")
    ana.slot = VideoSlot(lambda: None)
    ana.slot.size = (640, 480)
    entry = describe(ana, ana.joined_s, labels=False)
    assert (entry["video"], entry["state"]) == (None, ParticipantState.LIVE)


def test_counters_add_a_session_and_leave_the_original_alone() -> None:
    member: Any = SimpleNamespace(
        frames=7, losses=3, inbox=SimpleNamespace(rejected=2), participant=live("ana"), count_received=lambda: None
    )
    counters = Counters(joins=1)
    totals = counters.plus([member])
    assert (totals.joins, totals.messages_rejected, totals.losses) == (1, 2, 3)
    assert counters.losses == 0
