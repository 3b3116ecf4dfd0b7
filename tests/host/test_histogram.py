"""Counts in buckets."""

from __future__ import annotations

import pytest

from host.histogram import Histogram


def test_buckets_are_cumulative_and_their_bounds_inclusive() -> None:
    histogram = Histogram((0.01, 0.1))
    for seconds in (0.0, 0.01, 0.011, 0.1, 5.0):
        histogram.observe(seconds)
    assert histogram.buckets() == [("0.01", 2), ("0.1", 4), ("+Inf", 5)]
    assert histogram.sum_s == pytest.approx(5.121)


def test_an_empty_one_has_all_its_buckets() -> None:
    assert Histogram((1.0,)).buckets() == [("1.0", 0), ("+Inf", 0)]
