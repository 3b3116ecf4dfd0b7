"""`/r/{room}`: the clean grid by WHEP, in a real browser over real ICE, DTLS and VP8."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, Response, expect

from signaling.tokens import Role
from tests.browser.conftest import OpenPage
from tests.browser.meeting import ATTENTIVE, NO_FACE, NOT_ATTENTIVE, Meeting, Rgb, eventually
from tests.browser.page_reading import (
    decoded_frames,
    middle,
    tiles,
    wait_for_colours,
    wait_for_frames,
    wait_for_state,
)

RED: Rgb = (190, 50, 50)
GREEN: Rgb = (40, 160, 70)
BLUE: Rgb = (50, 70, 190)
GREY: Rgb = (120, 120, 120)
LOST_SERVER = "Failed to load resource"
"""What Chromium itself writes when a request fails: expected where the test ends the server."""


async def test_viewer_decodes_the_grid_with_everybody_in_their_tile(meeting: Meeting, open_page: OpenPage) -> None:
    colours = {"Red": RED, "Green": GREEN, "Blue": BLUE, "Grey": GREY}
    for name, colour in colours.items():
        await meeting.join(name, colour)
    page = await open_page(meeting.links.viewer_url)
    await wait_for_state(page, "live")
    await wait_for_frames(page, 15)
    await wait_for_colours(page, "#grid", [middle(tile) for tile in tiles(4)], list(colours.values()), tolerance=10)
    await expect(page.locator("#people")).to_have_text("4 participants")
    await expect(page.locator("#list .person-name")).to_have_text(list(colours))
    await expect(page.locator("#stats")).to_have_text(re.compile(r"1280 × 720 · 1\d frames/s · \d+ kbit/s"))


async def test_viewer_comes_back_when_the_server_ends_its_session(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page("about:blank")
    sessions: list[str] = []

    def remember(response: Response) -> None:
        if "/whep/" in response.url and response.status == 201:
            sessions.append(response.headers["location"])

    page.on("response", remember)
    await page.goto(meeting.links.viewer_url)
    await wait_for_state(page, "live")
    origin = meeting.links.viewer_url.split("/r/")[0]
    assert await meeting.end_session(origin + sessions[0]) == 200
    await wait_for_state(page, "reconnecting")
    await wait_for_state(page, "live")
    await wait_for_moving_picture(page)
    assert len(sessions) == 2
    assert meeting.room.fanout.viewers == 1


async def test_viewer_comes_back_when_the_server_restarts(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.viewer_url, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await meeting.stop()
    await wait_for_state(page, "reconnecting")
    await expect(page.locator("#veil-note")).to_have_text("The server cannot be reached. Trying again.")
    await meeting.start()
    await meeting.join("Red", RED)
    await wait_for_state(page, "live")
    await wait_for_moving_picture(page)
    await wait_for_colours(page, "#grid", [middle(tiles(1)[0])], [RED], tolerance=10)
    await expect(page.locator("#list .person-name")).to_have_text(["Red"])


async def test_viewer_connects_anew_when_no_more_frames_come(
    meeting: Meeting, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page(meeting.links.viewer_url)
    await wait_for_state(page, "live")
    with monkeypatch.context() as patch:
        patch.setattr(meeting.room.fanout, "publish", lambda _: None)
        await wait_for_state(page, "reconnecting")
    await wait_for_state(page, "live")
    await wait_for_moving_picture(page)


async def test_viewer_stops_with_a_clear_word_when_the_link_is_not_valid_any_more(
    meeting: Meeting, open_page: OpenPage
) -> None:
    page = await open_page(meeting.links.viewer_url, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await meeting.stop()
    await meeting.start(secret="another secret, and so no old link is valid")
    await wait_for_state(page, "ended")
    await expect(page.locator("#veil-note")).to_have_text("This link is not valid here. Ask for a new one.")


async def test_a_closed_page_leaves_no_session_behind(
    meeting: Meeting, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []
    directory = meeting.running.directory
    find = directory.room_of_session
    monkeypatch.setattr(directory, "room_of_session", lambda session: left.append(session) or find(session))
    page = await open_page(meeting.links.viewer_url)
    await wait_for_state(page, "live")
    assert meeting.room.fanout.viewers == 1
    await page.goto("about:blank")

    async def nobody_watches() -> bool:
        return meeting.room.fanout.viewers == 0

    await eventually(nobody_watches, "the session to end", timeout_s=5.0)
    await eventually(lambda: asyncio.sleep(0, len(left) == 1), "the page's own good-bye", timeout_s=5.0)


async def test_viewer_is_never_told_a_mood(meeting: Meeting, open_page: OpenPage) -> None:
    for name, mood in (("Ana", ATTENTIVE), ("Ben", NOT_ATTENTIVE), ("Chi", NO_FACE)):
        await meeting.join(name, mood=mood)
    page = await open_page("about:blank")
    answers = record_answers(page)
    await page.goto(meeting.links.participant_url + "&watch=1")
    await wait_for_state(page, "live")

    async def asked_often() -> bool:
        return sum("/status" in url for url, _ in answers) >= 2

    await eventually(asked_often, "two answers about the room")
    about_the_room = [body for url, body in answers if "/static/" not in url and not body.startswith("<!doctype html>")]
    assert any('"Ben"' in body for body in about_the_room)
    for body in about_the_room:
        assert "mood" not in body
        assert "attentive" not in body
        assert "m=application" not in body  # nor a data channel that could bring one
    assert "attentive" not in (await page.locator("#list").inner_text()).lower()


async def test_viewer_is_not_invited_to_join(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.viewer_url)
    await expect(page.locator("#people")).to_have_text("0 participants")
    await expect(page.locator("#join")).to_be_hidden()
    await expect(page.locator("#dashboard")).to_be_hidden()


async def test_host_finds_the_way_from_the_meeting_to_the_dashboard_and_back(
    meeting: Meeting, open_page: OpenPage
) -> None:
    page = await open_page(meeting.links.host_url)
    await page.get_by_role("link", name="Clean view").click()
    await expect(page.get_by_role("heading", name="People")).to_be_visible()
    await page.get_by_role("link", name="Dashboard").click()
    await expect(page.get_by_role("heading", name="Attention")).to_be_visible()


async def test_full_screen_is_reached_by_keyboard_and_left_again(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.viewer_url)
    await page.get_by_role("button", name="Full screen").focus()
    await page.keyboard.press("Enter")
    await page.wait_for_function("document.fullscreenElement?.id === 'stage'")
    await page.evaluate("document.exitFullscreen()")
    await expect(page.get_by_role("button", name="Full screen")).to_be_visible()


async def test_a_token_that_expires_while_watching_does_not_end_the_picture(
    meeting: Meeting, open_page: OpenPage
) -> None:
    token = meeting.token(Role.VIEWER, ttl_s=2.5)
    url = meeting.links.viewer_url.split("?")[0] + f"?token={token}"
    page = await open_page(url, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await page.wait_for_selector("#list.out-of-date", state="attached")
    await wait_for_moving_picture(page)
    await wait_for_state(page, "live")


async def test_a_script_is_asked_about_each_time_so_that_no_page_meets_an_old_one(
    meeting: Meeting, open_page: OpenPage
) -> None:
    page = await open_page("about:blank")
    async with page.expect_response("**/static/room.js") as script:
        await page.goto(meeting.links.viewer_url)
    assert (await script.value).headers["cache-control"] == "no-cache"


def record_answers(page: Page) -> list[tuple[str, str]]:
    """URL and text of every answer that the page gets from now on."""
    answers: list[tuple[str, str]] = []

    async def keep(response: Response) -> None:
        answers.append((response.url, await response.text()))

    page.on("response", keep)
    return answers


async def wait_for_moving_picture(page: Page) -> None:
    """Until five more frames have come."""
    before: Any = await decoded_frames(page)

    async def moves() -> bool:
        now = await decoded_frames(page)
        return now < before or now >= before + 5

    await eventually(moves, "five more frames")
