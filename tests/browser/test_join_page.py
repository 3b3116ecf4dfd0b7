"""The join page: own picture, consent that is off until chosen, and a word of advice for whatever goes wrong."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from signaling.protocol import STALE_AFTER_S
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting, eventually
from tests.browser.page_reading import wait_for_state

OWN_PICTURE_RUNS = "() => document.querySelector('#camera-picture').videoWidth > 0"
BUSY = """
navigator.mediaDevices.getUserMedia = async () => {
    if (!window.free) throw new DOMException("Could not start video source", "NotReadableError");
    return document.createElement("canvas").captureStream();
};
"""
NO_WEBRTC = "delete window.RTCPeerConnection"


async def test_own_picture_is_shown_mirrored_and_the_choice_is_remembered(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await page.wait_for_function(OWN_PICTURE_RUNS)
    await expect(page.locator("#trouble")).to_be_hidden()
    await expect(page.locator("#camera option")).to_have_count(1)
    picture = page.locator("#camera-picture")
    assert await picture.evaluate("one => getComputedStyle(one).transform") == "matrix(-1, 0, 0, 1, 0, 0)"
    await page.get_by_label("Mirror my picture").uncheck()
    await page.reload()
    assert await picture.evaluate("one => getComputedStyle(one).transform") == "none"
    await expect(page.get_by_label("Mirror my picture")).not_to_be_checked()


async def test_consent_is_off_until_chosen_and_asked_anew_after_a_reload(meeting: Meeting, open_as: OpenPage) -> None:
    asked: list[str] = []
    page = await open_as("about:blank")
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(meeting.links.participant_url)
    share = page.get_by_role("switch", name="Share my attention label")
    await expect(share).not_to_be_checked()
    await page.wait_for_function(OWN_PICTURE_RUNS)
    assert not any("/ort/" in url or "/models/" in url for url in asked), "perception is loaded by who wants it"
    assert page.workers == []
    await share.check()
    await expect(page.locator("#share-state")).to_have_text("On")
    await page.reload()
    await expect(share).not_to_be_checked()


async def test_what_would_be_shared_is_shown_before_anybody_else_sees_it(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    mood = page.locator("#own-mood")
    await expect(mood).to_be_hidden()
    await page.get_by_role("switch").check()
    await expect(mood.locator(".mood-text")).to_have_text("Attentive", timeout=20_000)
    assert meeting.room.participants() == []
    await page.get_by_role("switch").uncheck()
    await expect(mood).to_be_hidden()


async def test_a_name_is_needed_and_remembered(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    name = page.get_by_label("Your name")
    await page.get_by_role("button", name="Join", exact=True).click()
    await expect(page.locator("#name-problem")).to_have_text("Others need a name to call you by.")
    await expect(name).to_be_focused()
    await name.fill("  Ana  ")
    await expect(page.locator("#name-problem")).to_have_text("")
    await page.get_by_role("button", name="Join", exact=True).click()
    await wait_for_state(page, "live")
    await page.get_by_role("button", name="Leave").click()
    await page.reload()
    await expect(name).to_have_value("Ana")


async def test_a_name_that_the_server_refuses_comes_back_with_its_words(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, allow="Failed to load resource")
    await page.get_by_label("Your name").fill("\u202eanA")
    await page.get_by_role("button", name="Join", exact=True).click()
    await expect(page.locator("#name-problem")).to_have_text("expected a name without control characters, got U+202E")
    await expect(page.get_by_label("Your name")).to_be_focused()


async def test_a_camera_that_is_refused_gives_advice_and_joining_works_without(
    meeting: Meeting, open_as: OpenPage
) -> None:
    page = await open_as(meeting.links.participant_url, camera=False)
    await expect(page.locator("#trouble")).to_contain_text("The camera was not allowed")
    await expect(page.locator("#trouble")).to_contain_text("address bar")
    await page.context.grant_permissions(["camera"])
    await page.get_by_role("button", name="Try again").click()
    await page.wait_for_function(OWN_PICTURE_RUNS)
    await expect(page.locator("#trouble")).to_be_hidden()


async def test_without_any_camera_people_join_as_a_dark_tile(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, clip=None)
    await expect(page.locator("#trouble")).to_contain_text("No camera was found")
    await page.get_by_label("Your name").fill("Ana")
    await page.get_by_role("button", name="Join without camera").click()
    await wait_for_state(page, "live")
    (ana,) = meeting.room.participants()
    assert (ana.name, ana.state, ana.mood) == ("Ana", "live", None)
    assert ana.slot is not None
    assert ana.slot.size is None

    async def answered() -> bool:
        return ana.heard_s - ana.joined_s > 2 * STALE_AFTER_S

    await eventually(answered, "answers to the host's pings, with nothing else to say")
    assert ana.state == "live"


async def test_a_busy_camera_says_so_and_is_tried_again(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, script=BUSY)
    await expect(page.locator("#trouble")).to_contain_text("The camera is busy")
    await page.evaluate("window.free = true")
    await page.get_by_role("button", name="Try again").click()
    await expect(page.locator("#trouble")).to_be_hidden()


async def test_a_page_that_is_not_secure_says_what_to_ask_for(meeting: Meeting, open_as: OpenPage) -> None:
    url = meeting.links.participant_url.replace("127.0.0.1", "meeting.test")
    page = await open_as(url, camera=False, allow="Cross-Origin-Opener-Policy header has been ignored")
    await expect(page.locator("#trouble")).to_contain_text("This address is not secure")
    await expect(page.locator("#trouble")).to_contain_text("https")
    await expect(page.get_by_role("button", name="Try again")).to_be_hidden()


async def test_a_browser_without_webrtc_says_so_instead_of_failing_later(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, script=NO_WEBRTC)
    await expect(page.locator("#join-problem")).to_contain_text("WebRTC is switched off here")
    await expect(page.get_by_role("button", name="Join", exact=True)).to_be_disabled()


async def test_an_unplugged_camera_is_taken_again_when_it_is_back(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await page.wait_for_function(OWN_PICTURE_RUNS)
    track = "document.querySelector('#camera-picture').srcObject.getVideoTracks()[0]"
    await page.evaluate(f"{track}.dispatchEvent(new Event('ended'))")
    await expect(page.locator("#trouble")).to_contain_text("The camera has gone")
    await page.evaluate("navigator.mediaDevices.dispatchEvent(new Event('devicechange'))")
    await expect(page.locator("#trouble")).to_be_hidden()
    await page.wait_for_function(OWN_PICTURE_RUNS)


async def test_participants_may_only_watch_and_take_part_later(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await page.get_by_role("link", name="Only watch").click()
    await wait_for_state(page, "live")
    assert meeting.room.participants() == []
    await page.get_by_role("link", name="Take part").click()
    await expect(page.get_by_role("heading", name="Join the meeting")).to_be_visible()


async def test_the_command_for_a_device_is_there_to_copy(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await page.get_by_role("button", name="join from a device with Python").click()
    dialog = page.get_by_role("dialog", name="Join from a device with Python")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await dialog.get_by_role("button", name="Copy the command").click()
    await expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    command = f"edgeattend join '{meeting.links.participant_url}' --name NAME"
    assert await page.evaluate("navigator.clipboard.readText()") == command


@pytest.mark.parametrize("mode", ["individual", "aggregate"])
async def test_the_words_of_consent_say_who_sees_the_label(meeting: Meeting, open_as: OpenPage, mode: str) -> None:
    page = await open_as("about:blank")

    async def as_told(route: object) -> None:
        response = await route.fetch()  # type: ignore[attr-defined]
        told = await response.json()
        await route.fulfill(response=response, json=told | {"mode": mode})  # type: ignore[attr-defined]

    await page.route("**/status", as_told)
    await page.goto(meeting.links.participant_url)
    words = {"individual": "The host sees it with your name", "aggregate": "only how many of everybody are attentive"}
    await expect(page.locator("#share-who")).to_contain_text(words[mode])
