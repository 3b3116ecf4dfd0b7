"""A link carries its token in its address: no request of a page may say which address that was."""

from __future__ import annotations

import pytest
from playwright.async_api import Request, expect

from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting
from tests.browser.test_error_page import REFUSED


@pytest.mark.parametrize("link", ["participant_url", "viewer_url", "host_url"])
async def test_no_request_of_a_page_says_where_it_came_from(meeting: Meeting, open_page: OpenPage, link: str) -> None:
    page = await open_page("about:blank", allow=REFUSED)
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))  # noqa: PLW0108  Playwright marks its handlers
    url = getattr(meeting.links, link)
    await page.goto(url, wait_until="load")
    await page.evaluate("() => { location.href = '/nothing'; }")  # as a link on the page would
    await expect(page.get_by_role("heading")).to_have_text("There is nothing at this address")
    answered = [request for request in requests if (await request.response()) is not None]
    assert len(answered) > 10
    for request in answered:
        assert "referer" not in await request.all_headers(), request.url
