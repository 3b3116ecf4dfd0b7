"""What `Retry-After` means, by the table that the browser's reading is held against as well."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peer.retryafter import MOST_S, retry_after_s

TABLE: list[dict[str, str | None]] = json.loads(
    (Path(__file__).parent / "retry_after.json").read_text(encoding="utf-8")
)
"""As of 6 November 1994, 08:49:37 GMT by the host's clock."""

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.fixture(autouse=True)
def far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Dates are in GMT wherever we are."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(("said", "wait_s"), [(row["retry_after"], row["wait_s"]) for row in TABLE])
def test_every_form_is_understood_and_bounded(said: str | None, wait_s: float) -> None:
    headers = {"Date": DATE} | ({} if said is None else {"Retry-After": said})
    assert retry_after_s(headers) == wait_s


@pytest.mark.parametrize("headers", [{}, {"Date": "no date"}], ids=["no Date", "nonsense for a Date"])
def test_without_the_hosts_clock_ours_will_do(headers: dict[str, str]) -> None:
    then = formatdate(time.time() + 30, usegmt=True)
    assert 25 < retry_after_s({"Retry-After": then} | headers) <= 30


@settings(max_examples=30)
@given(st.text(), st.text())
def test_nothing_that_a_host_says_makes_us_wait_for_long(said: str, date: str) -> None:
    assert 0 <= retry_after_s({"Retry-After": said, "Date": date}) <= MOST_S
