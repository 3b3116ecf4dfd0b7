"""The page of somebody whose link does not work."""

from __future__ import annotations

from playwright.async_api import expect

from signaling.tokens import Role
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting

REFUSED = "Failed to load resource: the server responded with a status of"
"""Chromium's own line about the page that was refused."""


async def test_a_wrong_token_is_told_so_in_plain_words(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.viewer_url[:-4] + "XXXX", allow=REFUSED)
    await expect(page.get_by_role("heading")).to_have_text("This link does not open the meeting")
    await page.get_by_text("What the server said").click()
    await expect(page.get_by_text("401 · token_invalid")).to_be_visible()


async def test_an_expired_link_says_that_it_has_expired(meeting: Meeting, open_page: OpenPage) -> None:
    url = meeting.links.viewer_url.split("?")[0] + f"?token={meeting.token(Role.VIEWER, ttl_s=-1.0)}"
    page = await open_page(url, allow=REFUSED)
    await expect(page.get_by_role("heading")).to_have_text("This link has expired")


async def test_a_viewers_link_does_not_open_the_dashboard(meeting: Meeting, open_page: OpenPage) -> None:
    url = meeting.links.viewer_url.replace("/r/main?", "/r/main/host?")
    page = await open_page(url, allow=REFUSED)
    await expect(page.get_by_role("heading")).to_have_text("This link does not open this page")


async def test_an_address_that_is_nothing_says_so(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.viewer_url.split("/r/")[0] + "/nothing", allow=REFUSED)
    await expect(page.get_by_role("heading")).to_have_text("There is nothing at this address")
