"""A participant's page on the way in, on the way back, and when somebody ends it."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from host.session import Session
from signaling.errors import RoomFull
from signaling.protocol import Label
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting, eventually
from tests.browser.page_reading import ENDED_SOON, SEEMS_ENDED, wait_for_state
from tests.browser.participant_page import LOST_SERVER, enter, person, until_mood


async def test_leaving_takes_the_tile_at_once_and_leads_back_to_the_join_page(
    meeting: Meeting, open_as: OpenPage
) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await page.get_by_role("button", name="Leave").click()
    await expect(page.get_by_role("heading", name="You left the meeting")).to_be_visible()
    await expect(page.get_by_role("switch")).not_to_be_checked()

    async def gone() -> bool:
        return meeting.room.participants() == []

    await eventually(gone, "the tile to be gone")
    await enter(page, "Ana")
    assert [one.name for one in meeting.room.participants()] == ["Ana"]


async def test_whoever_finds_the_meeting_full_waits_to_get_in(
    meeting: Meeting, open_as: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_as(meeting.links.participant_url, clip=None, allow=LOST_SERVER)
    monkeypatch.setattr(RoomFull, "retry_after_s", 1)
    words = "The meeting is full. Trying again in about a second."
    with monkeypatch.context() as patch:
        patch.setattr("host.room.MAX_PARTICIPANTS", 0)
        await page.get_by_label("Your name").fill("Ana")
        await page.get_by_role("button", name="Join without camera").click()
        await wait_for_state(page, "waiting")
        await expect(page.locator("#connection-text")).to_have_text("Waiting to get in")
        await expect(page.locator("#veil-title")).to_have_text("Waiting to get in")
        await expect(page.locator("#veil-note")).to_have_text(words)
        await expect(page.locator("#announcement")).to_have_text(f"Waiting to get in. {words}")
        await expect(page.get_by_role("heading", name="People")).to_be_hidden()
    await wait_for_state(page, "live")
    await expect(page.get_by_role("heading", name="People")).to_be_visible()


async def test_whoever_is_removed_is_told_and_stays_out(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as("about:blank")
    sessions: list[str] = []
    page.on(
        "response",
        lambda response: sessions.append(response.headers["location"]) if response.status == 201 else None,
    )
    await page.goto(meeting.links.participant_url)
    await enter(page, "Ana")
    origin = meeting.links.participant_url.split("/r/")[0]
    assert await meeting.end_session(origin + sessions[0]) == 200
    await expect(page.get_by_role("heading", name="The host removed you")).to_be_visible()
    await expect(page.locator("#notice-text")).to_contain_text("Ask whoever invited you whether you may come back.")
    assert meeting.room.participants() == []


async def test_whoever_was_removed_without_hearing_of_it_is_told_on_the_way_back(
    meeting: Meeting, open_as: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_as(meeting.links.participant_url, allow=LOST_SERVER)
    await enter(page, "Ana")
    monkeypatch.setattr(Session, "send", lambda *_: None)
    meeting.room.remove(person(meeting, "Ana").id)
    await expect(page.get_by_role("heading", name="The host removed you")).to_be_visible(timeout=20_000)
    assert meeting.room.participants() == []


async def test_the_same_person_is_back_after_a_restart_of_the_server(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, allow=LOST_SERVER)
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE)
    before = person(meeting, "Ana").id
    await meeting.stop()
    await wait_for_state(page, "reconnecting")
    words = "The host's server has shut down. Trying again, in case it comes back."
    await expect(page.locator("#veil-note")).to_have_text(words)
    await expect(page.locator("#announcement")).to_have_text(words)
    await expect(page.locator("#list")).to_have_css("opacity", "0.55")
    await expect(page.locator("#own-mood")).to_have_css("opacity", "0.55")
    await meeting.start()
    await wait_for_state(page, "live")
    await expect(page.locator("#announcement")).to_have_text("You are back in the meeting")
    await expect(page.locator("#list")).to_have_css("opacity", "1")
    await expect(page.locator("#own-mood")).to_have_css("opacity", "1")
    assert [(one.id, one.name) for one in meeting.room.participants()] == [(before, "Ana")]
    await until_mood(meeting, "Ana", Label.ATTENTIVE)


async def test_a_server_that_stays_away_seems_to_have_ended_and_may_still_come_back(
    meeting: Meeting, open_as: OpenPage
) -> None:
    page = await open_as(meeting.links.participant_url, clip=None, script=ENDED_SOON, allow=LOST_SERVER)
    viewer = await open_as(meeting.links.viewer_url, clip=None, script=ENDED_SOON, allow=LOST_SERVER)
    await enter(page, "Ana")
    await wait_for_state(viewer, "live")
    await meeting.stop()
    for one in (page, viewer):
        await wait_for_state(one, "reconnecting")
        await expect(one.locator("#veil-note")).to_have_text(SEEMS_ENDED)
    await expect(page.locator("#announcement")).to_have_text(SEEMS_ENDED)
    await meeting.start()
    for one in (page, viewer):
        await wait_for_state(one, "live")


async def test_a_reloaded_page_takes_its_tile_back(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana")
    before = person(meeting, "Ana").id
    await page.reload()
    await enter(page, "Ana")
    assert [one.id for one in meeting.room.participants()] == [before]
