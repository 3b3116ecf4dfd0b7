"""`/r/{room}/host`: the annotated grid, and the roster beside it as real HTML."""

from __future__ import annotations

from itertools import product

import pytest
from playwright.async_api import Locator, Page, expect

from host.labels import reading_of
from signaling.protocol import Label, Reason
from tests.browser.conftest import OpenPage
from tests.browser.meeting import ATTENTIVE, DOWN, NO_FACE, NOT_ATTENTIVE, PAUSED, Meeting, Rgb
from tests.browser.page_reading import border, middle, tiles, wait_for_colours, wait_for_state
from tests.host.people import feel, live, show
from tests.media import flat_vp8

BLUE: Rgb = (50, 70, 190)
SAND: Rgb = (180, 150, 110)
LOST_SERVER = "Failed to load resource"
GREEN, ORANGE, GREY = (72, 199, 142), (255, 149, 64), (150, 160, 178)
"""Of the labels, as in the dashboard's style sheet: #48c78e, #ff9540, and a grey."""
JPEG_TOLERANCE = 26
"""Of a border four pixels wide: JPEG halves the resolution of colour."""

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"
RIGHT_TO_LEFT = "محمد الأمين"


def row(page: Page, name: str) -> Locator:
    """Somebody's row in the roster."""
    return page.locator("#roster > li").filter(has=page.get_by_text(name, exact=True))


async def test_each_row_follows_what_the_device_says(meeting: Meeting, open_page: OpenPage) -> None:
    ana = await meeting.join("Ana", mood=ATTENTIVE)
    await meeting.join("Ben", mood=NOT_ATTENTIVE)
    await meeting.join("Chi", mood=PAUSED)
    await meeting.join("Dee")
    page = await open_page(meeting.links.host_url)
    await expect(row(page, "Ana").locator(".person-reading")).to_have_text("Attentive")
    await expect(row(page, "Ana").locator(".score-number")).to_have_text("0.91")
    await expect(row(page, "Ana").locator(".person-age")).to_have_text("now")
    await expect(row(page, "Ben").locator(".person-reading")).to_have_text("Not attentive")
    await expect(row(page, "Chi").locator(".person-reading")).to_have_text("Paused")
    await expect(row(page, "Chi").locator(".score")).to_be_hidden()
    await expect(row(page, "Dee").locator(".person-reading")).to_have_text("Not shared")
    await expect(page.locator("#attentive")).to_have_text("1 of 2 attentive")
    await expect(page.locator("#people")).to_have_text("4 participants")

    ana.mood = DOWN
    await expect(row(page, "Ana").locator(".person-reading")).to_have_text("Looking down")
    await expect(row(page, "Ana").locator(".score-number")).to_have_text("0.08")
    ana.mood = NO_FACE
    await expect(row(page, "Ana").locator(".person-reading")).to_have_text("No face")
    await expect(row(page, "Ana").locator(".person-why")).to_have_text("nobody in the picture")
    await expect(page.locator("#attentive")).to_have_text("0 of 2 attentive")
    ana.mood = ATTENTIVE
    await expect(row(page, "Ana").locator(".person-reading")).to_have_text("Attentive")
    await expect(page.locator("#attentive")).to_have_text("1 of 2 attentive")


async def test_the_page_reads_every_mood_in_the_words_of_the_picture(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.host_url)
    for label, reason in product(Label, Reason):
        mood = {"label": label, "score": 0.5, "reason": reason, "age_s": 0.1}
        participant = {"state": "live", "video": {"width": 1, "height": 1, "fps": 1}, "mood": mood}
        reading = await page.evaluate(
            "async (participant) => (await import('/static/readings.js')).readingOf(participant)", participant
        )
        there = feel(live(), label, 0.5, reason)
        show(there, flat_vp8(64, 48, BLUE))
        assert (reading["text"], reading["icon"]) == (reading_of(there).text, reading_of(there).icon.value)


async def test_the_picture_has_everybody_in_a_border_of_their_labels_colour(
    meeting: Meeting, open_page: OpenPage
) -> None:
    await meeting.join("Ana", BLUE, ATTENTIVE)
    await meeting.join("Ben", SAND, NOT_ATTENTIVE)
    await meeting.join("Chi", BLUE)
    page = await open_page(meeting.links.host_url)
    await wait_for_state(page, "live")
    places = tiles(3)
    await wait_for_colours(
        page, "#picture", [border(place) for place in places], [GREEN, ORANGE, GREY], tolerance=JPEG_TOLERANCE
    )
    await wait_for_colours(page, "#picture", [middle(place) for place in places], [BLUE, SAND, BLUE], tolerance=10)


async def test_an_empty_room_says_what_to_do(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.host_url)
    await wait_for_state(page, "live")
    await expect(page.get_by_text("Waiting for participants")).to_be_visible()
    await expect(page.locator("#people")).to_have_text("0 participants")
    await meeting.join("Ana")
    await expect(page.get_by_text("Waiting for participants")).to_be_hidden()
    await expect(row(page, "Ana")).to_be_visible()


async def test_names_are_text_whatever_they_hold(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join(HOSTILE)
    await meeting.join(RIGHT_TO_LEFT)
    for url, names in ((meeting.links.host_url, "#roster"), (meeting.links.viewer_url, "#list")):
        page = await open_page(url)
        await expect(page.locator(f"{names} .person-name")).to_have_text([HOSTILE, RIGHT_TO_LEFT])
        assert await page.locator(f"{names} img").count() == 0
        assert await page.title() != "owned"
        name = page.locator(f"{names} .person-name").nth(1)
        assert await name.evaluate("element => element.matches(':dir(rtl)')")


async def test_dashboard_recovers_by_itself_when_the_server_is_back(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana", BLUE, ATTENTIVE)
    page = await open_page(meeting.links.host_url, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await expect(row(page, "Ana")).to_be_visible()
    await meeting.stop()
    await wait_for_state(page, "reconnecting")
    await expect(page.locator("#veil-note")).to_have_text("The server cannot be reached. Trying again.")
    await meeting.start()
    await meeting.join("Ben", SAND, NOT_ATTENTIVE)
    await wait_for_state(page, "live")
    await expect(page.locator("#roster .person-name")).to_have_text(["Ben"])
    await wait_for_colours(page, "#picture", [border(tiles(1)[0])], [ORANGE], tolerance=JPEG_TOLERANCE)


async def test_a_picture_that_stands_still_is_loaded_again(
    meeting: Meeting, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await open_page(meeting.links.host_url)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "annotated.mjpg" in request.url else None)
    await wait_for_state(page, "live")
    with monkeypatch.context() as patch:
        patch.setattr(meeting.room.annotated, "publish", lambda _: None)
        await wait_for_state(page, "reconnecting")
        await expect(page.locator("#veil-note")).to_have_text("The picture stopped. Starting it again.")
    await wait_for_state(page, "live")
    assert asked


async def test_history_is_downloaded_with_the_pages_token(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    page = await open_page(meeting.links.host_url)
    await expect(row(page, "Ana").locator(".person-reading")).to_have_text("Attentive")
    async with page.expect_download() as download:
        await page.get_by_role("button", name="Download history").click()
    file = await download.value
    assert file.suggested_filename == "main-history.csv"
    rows = (await file.path()).read_text().splitlines()
    assert rows[0] == "time,participant,name,state,label,score,reason"
    assert any(",Ana,live,attentive,0.910,face" in one for one in rows)


async def test_only_the_connection_is_announced_never_a_label(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    page = await open_page(meeting.links.host_url)
    await expect(row(page, "Ana").locator(".person-reading")).to_have_text("Attentive")
    live = "[aria-live], [role=status], [role=alert], [role=log]"
    assert await page.locator(live).evaluate_all("all => all.map(({ id }) => id)") == ["connection", "download-note"]
    assert await page.locator("#connection").inner_text() in ("Connecting", "Live")
