"""axe-core (WCAG 2.2 A and AA) finds nothing serious on any page, in light or dark, wide or on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.meeting import ATTENTIVE, DOWN, Meeting
from tests.browser.page_reading import wait_for_state
from tests.browser.participant_page import enter

AXE = Path(__file__).parent.parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, nodes }) => [id, impact, nodes.map(({ html }) => html.slice(0, 160))]);
}"""
PHONE = {"width": 390, "height": 844}
LOOKS = [
    pytest.param({"color_scheme": "light"}, id="light"),
    pytest.param({"color_scheme": "dark"}, id="dark"),
    pytest.param({"color_scheme": "light", "viewport": PHONE}, id="phone"),
]

pytestmark = pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core (npm ci), found none")


async def assert_accessible(page: Page) -> None:
    """No violation that axe calls serious or critical, and no content wider than the screen."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    violations: list[Any] = await page.evaluate(RUN)
    assert [one for one in violations if one[1] in ("serious", "critical")] == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("look", LOOKS)
async def test_join_page_and_meeting(meeting: Meeting, open_as: OpenPage, look: dict[str, Any]) -> None:
    page = await open_as(meeting.links.participant_url, **look)
    await page.get_by_text("What this means").click()
    await assert_accessible(page)
    await meeting.join("Ben", mood=ATTENTIVE)
    await enter(page, "Ana", share=True)
    await page.locator("#own-mood .mood-text").wait_for()
    await assert_accessible(page)
    for button in ("What I share", "What the host sees", "Keys"):
        await page.get_by_role("button", name=button, exact=True).click()
        await page.get_by_role("dialog").wait_for()
        await assert_accessible(page)
        await page.keyboard.press("Escape")


@pytest.mark.parametrize("look", LOOKS)
async def test_join_page_with_everything_wrong(meeting: Meeting, open_as: OpenPage, look: dict[str, Any]) -> None:
    page = await open_as(meeting.links.participant_url, clip=None, **look)
    await page.get_by_text("No camera was found").wait_for()
    await page.get_by_role("button", name="Join", exact=True).click()
    await page.get_by_text("Others need a name").wait_for()
    await assert_accessible(page)


@pytest.mark.parametrize("look", LOOKS)
async def test_dashboard(meeting: Meeting, open_as: OpenPage, look: dict[str, Any]) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    await meeting.join("Ben", mood=DOWN)
    page = await open_as(meeting.links.host_url, clip=None, **look)
    await wait_for_state(page, "live")
    await page.get_by_text("Looking down").first.wait_for()
    await assert_accessible(page)


@pytest.mark.parametrize("look", LOOKS)
async def test_viewer_and_error_page(meeting: Meeting, open_as: OpenPage, look: dict[str, Any]) -> None:
    await meeting.join("Ana")
    page = await open_as(meeting.links.viewer_url, clip=None, **look)
    await wait_for_state(page, "live")
    await assert_accessible(page)
    wrong = await open_as(meeting.links.viewer_url + "x", clip=None, allow="Failed to load resource", **look)
    await assert_accessible(wrong)
