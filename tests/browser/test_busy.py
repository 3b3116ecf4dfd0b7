"""Pages that were told to come back later: they say so, in words, and do."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Request, Route, expect

from signaling.errors import RoomFull
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting
from tests.browser.page_reading import wait_for_state
from tests.browser.test_perception_vectors import open_bare

TABLE: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "peer" / "retry_after.json").read_text(encoding="utf-8")
)
READ = """
async (rows) => {
    const { retryAfterMs } = await import("/static/retryafter.js");
    return rows.map(({ retry_after }) => {
        const headers = new Headers({ Date: "Sun, 06 Nov 1994 08:49:37 GMT" });
        if (retry_after !== null) headers.set("Retry-After", retry_after);
        return retryAfterMs(headers) / 1000;
    });
}
"""
REFUSED = "Failed to load resource"
"""What Chromium itself writes of a request that was answered with an error."""

WAITED_S = 1.3
"""The second that was asked for, and most of the half that a page waits by itself: it may well be longer."""


async def test_the_browser_reads_retry_after_as_the_table_says(meeting: Meeting, open_as: OpenPage) -> None:
    async def open_far_away(url: str) -> Page:
        return await open_as(url, clip=None, camera=False, timezone_id="Asia/Tokyo")

    page = await open_bare(meeting, open_far_away)
    assert await page.evaluate(READ, TABLE) == [row["wait_s"] for row in TABLE]


def times_of(page: Page, is_it: Callable[[Request], bool]) -> list[float]:
    """When the page made such requests (monotonic s), from now on."""
    times: list[float] = []
    page.on("request", lambda request: times.append(time.monotonic()) if is_it(request) else None)
    return times


def refusal(status: int, text: str) -> Callable[[Route], Awaitable[None]]:
    """Answers a request in the server's stead."""

    async def answer(route: Route) -> None:
        await route.fulfill(status=status, body=text, headers={"Retry-After": "1"})

    return answer


async def test_a_participants_page_says_what_it_waits_for_and_waits(
    meeting: Meeting, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page("about:blank", allow=REFUSED)
    asked = times_of(page, lambda request: request.url.endswith("/status"))
    offers = times_of(page, lambda request: request.method == "POST")
    too_often = json.dumps({"error": {"code": "too_many_requests", "message": "expected fewer requests"}})
    await page.route("**/status", refusal(429, too_often))
    await page.goto(meeting.links.participant_url)
    people = page.locator("#people")
    await expect(people).to_have_text(
        "The server gets too many requests from your network. Trying again in about a second."
    )
    await page.unroute("**/status")
    await expect(people).to_have_text("Nobody is here yet")
    assert asked[1] - asked[0] >= WAITED_S
    monkeypatch.setattr(RoomFull, "retry_after_s", 1)
    with monkeypatch.context() as patch:
        patch.setattr("host.room.MAX_PARTICIPANTS", 0)
        await page.get_by_label("Your name").fill("Ana")
        await page.get_by_role("button", name="Join without camera").click()
        await expect(page.locator("#veil-note")).to_have_text("The meeting is full. Trying again in about a second.")
    await wait_for_state(page, "live")
    assert offers[1] - offers[0] >= WAITED_S


async def test_a_viewers_page_waits_for_a_proxy_too(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page("about:blank", allow=REFUSED)
    offers = times_of(page, lambda request: request.method == "POST")
    await page.route("**/whep/*", refusal(503, "<h1>503</h1>"))
    await page.goto(meeting.links.viewer_url)
    note = page.locator("#veil-note")
    await expect(note).to_have_text("The server is busy. Trying again in about a second.")
    await page.unroute("**/whep/*")
    await wait_for_state(page, "live")
    assert offers[1] - offers[0] >= WAITED_S
