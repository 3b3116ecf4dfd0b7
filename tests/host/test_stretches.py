"""Time cut into stretches."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.history import Row
from host.stretches import Doing, Stretch, doing, stretches
from signaling.protocol import Label, Reason

A, N = Doing.ATTENTIVE, Doing.NOT_ATTENTIVE


@pytest.mark.parametrize(
    ("state", "label", "reason", "what"),
    [
        ("live", "attentive", "face", Doing.ATTENTIVE),
        ("live", "not_attentive", "down", Doing.NOT_ATTENTIVE),
        ("live", "not_attentive", "away", Doing.AWAY),
        ("live", "not_attentive", "no_face", Doing.AWAY),
        ("live", "unknown", "paused", Doing.UNKNOWN),
        ("live", "not_shared", "", Doing.NOT_SHARED),
        ("connecting", "not_shared", "", Doing.ABSENT),
        ("stale", "attentive", "face", Doing.ABSENT),
        ("gone", "attentive", "face", Doing.ABSENT),
    ],
)
def test_a_row_says_what_holds(state: str, label: str, reason: str, what: Doing) -> None:
    assert doing(Row(0.0, "p1", "Ana", state, label, None, reason)) is what


def test_every_label_with_every_reason_is_something() -> None:
    for label in Label:
        for reason in Reason:
            assert doing(Row(0.0, "p1", "Ana", "live", label, 0.5, reason)) is not Doing.ABSENT


def test_a_stretch_lasts_until_something_else_holds() -> None:
    assert stretches([(0.0, A), (4.0, A), (10.0, N)], 12.0) == [Stretch(A, 0.0, 10.0), Stretch(N, 10.0, 12.0)]
    assert stretches([], 12.0) == []


def test_what_lasted_no_time_is_not_there() -> None:
    assert stretches([(0.0, A), (5.0, N), (5.0, A)], 9.0) == [Stretch(A, 0.0, 9.0)]
    assert stretches([(0.0, A), (9.0, N)], 9.0) == [Stretch(A, 0.0, 9.0)]


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(list(Doing))), max_size=40))
def test_stretches_follow_one_another_without_a_gap_and_all_differ(changes: list[tuple[int, Doing]]) -> None:
    changes.sort(key=lambda change: change[0])
    found = stretches(changes, 40.0)
    assert all(one.length_s > 0 for one in found)
    for one, following in pairwise(found):
        assert one.to_s == following.from_s
        assert one.doing is not following.doing
    if changes:
        assert (found[0].from_s, found[-1].to_s) == (changes[0][0], 40.0)
        assert found[-1].doing is changes[-1][1]
