"""What a meeting leaves in a browser: the keys that docs/privacy.md names, and in no other storage anything."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from signaling.protocol import Label
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting
from tests.browser.page_reading import wait_for_state
from tests.browser.participant_page import enter, until_mood

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"

STORAGE = """
async () => ({
    local: { ...localStorage },
    session: { ...sessionStorage },
    cookies: document.cookie,
    databases: (await indexedDB.databases()).map(({ name }) => name),
    caches: await caches.keys(),
    files: await Array.fromAsync((await navigator.storage.getDirectory()).keys()),
    workers: (await navigator.serviceWorker.getRegistrations()).length,
})
"""
NOTHING = {"local": {}, "session": {}, "cookies": "", "databases": [], "caches": [], "files": [], "workers": 0}


async def stored(page: Page) -> dict[str, Any]:
    """All that a page can keep in a browser."""
    found: dict[str, Any] = await page.evaluate(STORAGE)
    assert await page.context.cookies() == []
    return found


async def test_a_participant_s_browser_keeps_preferences_and_the_way_back_and_nothing_else(
    meeting: Meeting, open_as: OpenPage
) -> None:
    page = await open_as(meeting.links.participant_url)
    await page.get_by_label("Mirror my picture").uncheck()
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE)
    during = await stored(page)
    assert during["local"] == {"edgeattend-name": "Ana", "edgeattend-mirror": "off"}
    assert during["session"].keys() == {"edgeattend-resume-main"}
    assert re.fullmatch(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", during["session"]["edgeattend-resume-main"])
    assert during | {"local": {}, "session": {}} == NOTHING
    named = PAGE.read_text(encoding="utf-8").replace("edgeattend-resume-ROOM", "edgeattend-resume-main")
    for key in (*during["local"], *during["session"]):
        assert f"`{key}`" in named
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("button", name="Leave")).to_be_hidden()
    assert await stored(page) == during


async def test_a_viewer_s_and_a_host_s_browser_keep_nothing(meeting: Meeting, open_as: OpenPage) -> None:
    await meeting.join("Ben")
    for url in (meeting.links.viewer_url, meeting.links.host_url):
        page = await open_as(url, clip=None)
        await wait_for_state(page, "live")
        await expect(page.get_by_text("Ben").first).to_be_visible()
        assert await stored(page) == NOTHING
