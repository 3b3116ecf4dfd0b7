"""`/r/{room}/host`: the annotated grid, and the roster beside it as real HTML."""

from __future__ import annotations

import csv
import re
from itertools import product

import cv2
import numpy as np
import pytest
from playwright.async_api import Locator, Page, expect

from host.labels import reading_of
from host.mode import Mode
from signaling.protocol import Label, Reason
from tests.browser.conftest import OpenPage
from tests.browser.meeting import ATTENTIVE, DOWN, NO_FACE, NOT_ATTENTIVE, PAUSED, Meeting, Rgb
from tests.browser.page_reading import (
    ENDED_SOON,
    SEEMS_ENDED,
    border,
    middle,
    tiles,
    wait_for_colours,
    wait_for_state,
)
from tests.browser.test_busy import refusal
from tests.browser.test_viewer_page import record_answers
from tests.host.people import feel, live, show
from tests.media import flat_vp8

BLUE: Rgb = (50, 70, 190)
SAND: Rgb = (180, 150, 110)
LOST_SERVER = "Failed to load resource"
GREEN, ORANGE, GREY = (72, 199, 142), (255, 149, 64), (150, 160, 178)
"""Of the labels, as in the dashboard's style sheet: #48c78e, #ff9540, and a grey."""
JPEG_TOLERANCE = 26
"""Of a border four pixels wide: JPEG halves the resolution of colour."""

LIVE_REGIONS = [
    *("copy-participant-words", "copy-viewer-words", "connection", "mode-problem", "download-note"),
    *("rename-problem", "removal-problem"),
]
"""What is read aloud when it changes: what the host did, and whether the server answers. Never a mood."""

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
    await expect(row(page, "Ana").locator(".person-age")).to_be_hidden()
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
    assert await page.locator(live).evaluate_all("all => all.map(({ id }) => id)") == LIVE_REGIONS
    assert await page.locator("#connection").inner_text() in ("Connecting", "Live")


async def test_a_card_draws_what_held_and_says_it_in_words(meeting: Meeting, open_page: OpenPage) -> None:
    ana = await meeting.join("Ana", mood=ATTENTIVE)
    page = await open_page(meeting.links.host_url)
    strip = row(page, "Ana").get_by_role("img", name=re.compile("^Last five minutes: "))
    await expect(strip).to_have_accessible_name(re.compile(r"attentive \d+ s"))
    ana.mood = NO_FACE
    await expect(strip.locator("[data-doing=away]")).to_have_count(1)
    await expect(strip).to_have_accessible_name(re.compile(r"away \d+ s"))
    heights = await page.locator("#legend .strip-segment").evaluate_all(
        "all => Object.fromEntries(all.map((one) => [one.dataset.doing, one.getBoundingClientRect().height]))"
    )  # told apart without any colour
    assert heights["attentive"] > heights["not_attentive"] > heights["away"] > heights["not_shared"] > 0
    await expect(page.get_by_role("img", name=re.compile("^The room: between "))).to_be_visible()
    await expect(page.locator("#legend")).to_contain_text("not attentive")


async def test_who_left_is_listed_apart_with_their_time(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    await meeting.join("Ben")
    page = await open_page(meeting.links.host_url)
    await expect(row(page, "Ana")).to_be_visible()
    meeting.room.remove(next(one.id for one in meeting.room.participants() if one.name == "Ana"))
    await expect(row(page, "Ana")).to_have_count(0)
    await page.get_by_text("Left the meeting (1)").click()
    gone = page.locator("#left-list > li")
    await expect(gone.locator(".person-name")).to_have_text(["Ana"])
    await expect(gone.get_by_role("img")).to_be_visible()


async def test_the_host_renames_the_meeting_in_place(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.host_url, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await page.get_by_role("button", name="Rename the meeting").focus()
    await page.keyboard.press("Enter")
    title = page.get_by_role("textbox", name="Title")
    await expect(title).to_be_focused()
    await title.fill("   ")
    await page.keyboard.press("Enter")
    await expect(page.locator("#rename-problem")).to_contain_text("expected a name of 1 to 64 characters")
    await title.fill(HOSTILE)
    await page.keyboard.press("Enter")
    await expect(page.locator("#rename")).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    await expect(page.get_by_role("button", name="Rename the meeting")).to_be_focused()
    assert meeting.room.title == HOSTILE
    other = await open_page(meeting.links.host_url)
    await expect(other.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert "dashboard" in await other.title()


async def test_links_to_hand_out_are_copied_and_work(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.host_url)
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    for name, role in (("Participant link", "participant"), ("Viewer link", "viewer")):
        button = page.locator(f"#copy-{role}")
        await expect(button).to_have_text(name)
        await button.click()
        await expect(button).to_have_text("Copied")
        link = await page.evaluate("navigator.clipboard.readText()")
        assert link.startswith(meeting.links.viewer_url.split("?")[0])
        assert link not in (meeting.links.participant_url, meeting.links.viewer_url)
        other = await open_page(link)
        await expect(other.locator("body")).to_have_attribute("data-room", "main")
        await expect(button).to_have_text(name)


async def test_somebody_is_removed_only_after_the_host_said_so_twice(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana")
    await meeting.join("Ben")
    page = await open_page(meeting.links.host_url)
    await row(page, "Ana").get_by_role("button", name="Remove Ana").click()
    dialog = page.get_by_role("dialog", name="Remove Ana?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_be_hidden()
    assert len(meeting.room.participants()) == 2
    await row(page, "Ana").get_by_role("button", name="Remove Ana").click()
    await dialog.get_by_role("button", name="Remove").click()
    await expect(dialog).to_be_hidden()
    await expect(page.locator("#roster .person-name")).to_have_text(["Ben"])
    assert [one.name for one in meeting.room.participants()] == ["Ben"]


async def test_the_summary_tells_the_times_and_what_they_cannot_say(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("=1+1", mood=ATTENTIVE)
    await meeting.join("Ben", mood=NOT_ATTENTIVE)
    page = await open_page(meeting.links.host_url)
    await expect(row(page, "Ben").locator(".person-reading")).to_have_text("Not attentive")
    await page.get_by_role("button", name="Summary").click()
    dialog = page.get_by_role("dialog", name="Summary of main")
    await expect(dialog.get_by_role("rowheader")).to_have_text(["=1+1", "Ben"])
    await expect(dialog.get_by_role("row", name="Ben")).to_contain_text("0 %")
    await expect(dialog.get_by_text("not that somebody listened")).to_be_visible()
    async with page.expect_download() as download:
        await dialog.get_by_role("button", name="Download CSV").click()
    file = await download.value
    assert file.suggested_filename == "main-summary.csv"
    rows = list(csv.DictReader((await file.path()).read_text().splitlines()))
    assert [one["name"] for one in rows] == ["'=1+1", "Ben"]
    assert float(rows[1]["not_attentive_s"]) > 0
    await page.emulate_media(media="print")
    await expect(dialog.get_by_role("rowheader", name="Ben")).to_be_visible()
    await expect(page.locator("#stage")).to_be_hidden()
    await expect(dialog.get_by_role("button")).to_have_count(0)


async def test_the_summary_shows_by_itself_when_the_meeting_is_over(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    page = await open_page(meeting.links.host_url, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await meeting.stop()
    await meeting.start(secret="another secret, and so no old link is valid")
    await wait_for_state(page, "ended")
    dialog = page.get_by_role("dialog", name="Summary of main")
    await expect(dialog.get_by_role("rowheader")).to_have_text(["Ana"])
    await expect(dialog.get_by_text("This is what the page had last.")).to_be_visible()


async def test_the_summary_goes_again_when_the_server_only_was_away(meeting: Meeting, open_as: OpenPage) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    page = await open_as(meeting.links.host_url, clip=None, script=ENDED_SOON, allow=LOST_SERVER)
    await wait_for_state(page, "live")
    await meeting.stop()
    dialog = page.get_by_role("dialog", name="Summary of main")
    await expect(dialog.get_by_text("its server does not answer")).to_be_visible()
    await meeting.start()
    await wait_for_state(page, "live")
    await expect(dialog).to_be_hidden()


async def test_nobody_is_invited_while_the_server_does_not_answer_and_only_a_silent_one_seems_to_have_ended(
    meeting: Meeting, open_as: OpenPage
) -> None:
    page = await open_as(meeting.links.host_url, clip=None, script=ENDED_SOON, allow=LOST_SERVER)
    links, waiting = page.get_by_role("button", name=" link"), page.get_by_text("Waiting for participants")
    await wait_for_state(page, "live")
    await expect(waiting).to_be_visible()
    too_often = '{"error": {"code": "too_many_requests", "message": "expected fewer requests"}}'
    await page.route("**/status", refusal(429, too_often))
    await expect(page.locator("#veil-note")).to_contain_text("The server gets too many requests")
    assert await page.evaluate("window.endings") == 0
    await page.unroute("**/status")
    await meeting.stop()
    await expect(page.locator("#veil-note")).to_have_text(SEEMS_ENDED)
    await expect(waiting).to_be_hidden()
    for link in await links.all():
        await expect(link).to_be_disabled()
    await meeting.start()
    await wait_for_state(page, "live")
    await expect(waiting).to_be_visible()
    for link in await links.all():
        await expect(link).to_be_enabled()


async def test_the_host_settles_what_they_will_see_before_anybody_joins(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.host_url)
    choice = page.get_by_role("region", name="What you will see")
    await expect(choice.get_by_role("radio", name="Each person's label")).to_be_checked()
    await choice.get_by_role("radio", name="Only the room's share").check()
    await expect(page.get_by_role("region", name="The room's share")).to_be_visible()
    assert meeting.room.record.mode is Mode.AGGREGATE
    await meeting.join("Ana")
    await expect(choice).to_be_hidden()


async def test_in_aggregate_mode_the_page_shows_the_share_and_nobodys_label(
    meeting: Meeting, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.share.OVER_S", 1.0)
    monkeypatch.setattr("host.share.EVERY_S", 0.5)
    meeting.room.set_mode(Mode.AGGREGATE)
    page = await open_page("about:blank")
    answers = record_answers(page)
    await page.goto(meeting.links.host_url)
    panel = page.get_by_role("region", name="The room's share")
    await expect(panel.locator("#share-number")).to_have_text("No share")
    await expect(panel.locator("#share-words")).to_contain_text("at least three people")
    for name, mood in (("Ana", ATTENTIVE), ("Ben", NOT_ATTENTIVE), ("Chi", DOWN)):
        await meeting.join(name, mood=mood)
    await expect(panel.locator("#share-number")).to_have_text("30 %")
    await expect(panel.locator("#share-words")).to_have_text("of the 3 who share a label are attentive")
    await expect(page.locator("#roster .person-name")).to_have_text(["Ana", "Ben", "Chi"])
    await expect(page.locator("#roster .person-reading")).to_have_text(["Here"] * 3)
    await expect(page.locator("#curve-now")).to_have_text("30 % lately")
    for body in (body for url, body in answers if "/r/main/" in url and not body.startswith("<!doctype html>")):
        assert "not_attentive" not in body
        assert "mood" not in body
    await page.get_by_role("button", name="Summary").click()
    await expect(page.locator("#summary-room")).to_contain_text("attentive on average")
    await expect(page.locator("#summary-people")).to_be_hidden()


async def lightness(page: Page, x: int, y: int) -> float:
    """Mean of four by four pixels of the screen, 0 to 255."""
    picture = cv2.imdecode(np.frombuffer(await page.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    return float(picture[y : y + 4, x : x + 4].mean())


async def test_on_a_phone_the_summary_shows_that_it_goes_on_at_the_right(meeting: Meeting, open_as: OpenPage) -> None:
    await meeting.join("Ana", mood=ATTENTIVE)
    page = await open_as(meeting.links.host_url, clip=None, viewport={"width": 390, "height": 844})
    await expect(row(page, "Ana")).to_be_visible()
    await page.get_by_role("button", name="Summary").click()
    table = page.get_by_role("region", name="Times per person")
    box = await table.bounding_box()
    assert box is not None
    corner = int(box["x"] + box["width"]) - 5, int(box["y"]) + 2  # where no letter comes
    goes_on = await lightness(page, *corner)
    await table.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    assert goes_on < await lightness(page, *corner) - 30


@pytest.mark.parametrize(("width", "height"), [(360, 740), (820, 1180), (1280, 800), (1920, 1080)])
async def test_the_page_fits_every_screen(meeting: Meeting, open_page: OpenPage, width: int, height: int) -> None:
    await meeting.join("W" * 64, mood=DOWN)
    await meeting.join(RIGHT_TO_LEFT, mood=ATTENTIVE)
    await meeting.room.rename("M" * 64)
    page = await open_page(meeting.links.host_url)
    await page.set_viewport_size({"width": width, "height": height})
    await expect(page.locator("#roster > li")).to_have_count(2)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.get_by_role("button", name="Summary").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    if width >= 960:
        assert await page.evaluate("document.documentElement.scrollHeight") <= height


async def test_every_control_has_a_name(meeting: Meeting, open_page: OpenPage) -> None:
    await meeting.join("Ana")
    page = await open_page(meeting.links.host_url)
    await expect(row(page, "Ana")).to_be_visible()
    for control in await page.locator("button:visible, a:visible, input:visible").all():
        await expect(control).to_have_accessible_name(re.compile(r"\S"))
