"""A browser that takes part: its picture, its label, and what leaves it only by choice."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from playwright.async_api import expect

from host.member import Member
from host.mode import Mode
from signaling.protocol import Label, Mood, Reason, decode_from_participant
from tests.browser.cameras import HEIGHT, MARK, WIDTH, truth_of
from tests.browser.conftest import OpenPage
from tests.browser.meeting import NOT_ATTENTIVE, Meeting, eventually
from tests.browser.page_reading import (
    MEAN_COLOURS,
    decoded_frames,
    tiles,
    wait_for_state,
)
from tests.browser.participant_page import KEEP_CONNECTIONS, LOST_SERVER, enter, person, until_mood

HOSTILE = "<img src=x onerror=\"document.title='owned'\">"

ENCODING = """() => {
    const [sender] = window.connections.at(-1).getSenders();
    return sender.getParameters().encodings[0] ?? null;
}"""
SAY_HIDDEN = """(hidden) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


@pytest.fixture
def moods(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that reached the host's ears and reads as a mood, also one it would not take."""
    heard: list[str] = []
    take = Member.session_message

    def listen(self: Member, session: Any, data: str | bytes) -> None:
        if b"mood" in (data.encode() if isinstance(data, str) else data):
            heard.append(str(data))
        take(self, session, data)

    monkeypatch.setattr(Member, "session_message", listen)
    return heard


async def test_the_label_follows_the_clip_and_the_host_hears_it(
    meeting: Meeting, open_as: OpenPage, moods: list[str]
) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE, Reason.FACE)
    mark = [MARK // 4, MARK // 4, MARK // 2, MARK // 2]
    agreed: list[bool] = []
    truth: list[bool] = []

    async def a_whole_loop() -> bool:
        (colour,) = await page.evaluate(MEAN_COLOURS, ["#camera-picture", [mark]])
        truth.append(colour[0] > 128)
        recent = truth[-12:]
        timed = person(meeting, "Ana").mood
        if len(recent) == 12 and len(set(recent)) == 1 and timed is not None:  # beyond half a second from a change
            agreed.append((timed.mood.label is Label.ATTENTIVE) == truth[-1])
        return len(truth) > 20 and {True, False} <= set(truth) and len(agreed) >= 100

    await eventually(a_whole_loop, "both sides of a change in the clip", timeout_s=60.0)
    assert sum(agreed) / len(agreed) >= 0.75, f"agreed in {sum(agreed)} of {len(agreed)} looks"
    said = [decode_from_participant(text) for text in moods]
    reasons = {mood.reason for mood in said if isinstance(mood, Mood) and mood.label is Label.NOT_ATTENTIVE}
    assert reasons & {Reason.TURNED, Reason.DOWN, Reason.EYES_CLOSED, Reason.AWAY}
    assert not all(frame["attentive"] for frame in truth_of("ana"))


async def test_own_badge_says_what_the_host_reads_and_nobody_else_can(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE)
    badge = page.locator("#own-mood")
    words = {Label.ATTENTIVE: "Attentive", Label.NOT_ATTENTIVE: "", Label.UNKNOWN: ""}

    async def the_same() -> bool:
        timed = person(meeting, "Ana").mood
        assert timed is not None
        return words[timed.mood.label] in await badge.inner_text()

    await eventually(the_same, "the same word on both sides")
    other = await open_as(meeting.links.participant_url, clip=None)
    await other.get_by_label("Your name").fill("Ben")
    await other.get_by_role("button", name="Join without camera").click()
    await wait_for_state(other, "live")
    await expect(other.locator("#list .person-name")).to_have_text(["Ana", "Ben"])
    assert "ttentive" not in await other.locator("#list").inner_text()


async def test_without_consent_no_mood_leaves_and_nothing_looks(
    meeting: Meeting, open_as: OpenPage, moods: list[str]
) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana")

    async def ten_more_frames() -> bool:
        return await decoded_frames(page) >= 45

    await eventually(ten_more_frames, "three seconds of the meeting")
    await page.keyboard.press("p")
    await expect(page.locator("#announcement")).to_have_text("You do not share a label")
    await page.keyboard.press("v")
    await page.keyboard.press("v")
    await eventually(lambda: video_of(meeting, "Ana"), "the camera to be back")
    assert moods == []
    assert person(meeting, "Ana").mood is None
    assert page.workers == []
    await expect(page.locator("#own-mood")).to_be_hidden()


async def video_of(meeting: Meeting, name: str) -> bool:
    """Whether frames come from them."""
    return person(meeting, name).has_video(asyncio.get_running_loop().time())


async def test_the_picture_is_in_the_grid(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana")
    (tile,) = tiles(1)
    middle = [tile.x + tile.width // 3, tile.y + tile.height // 3, tile.width // 3, tile.height // 3]
    own = [WIDTH // 3, HEIGHT // 3, WIDTH // 3, HEIGHT // 3]

    async def alike() -> bool:
        seen = await page.evaluate(MEAN_COLOURS, ["#grid", [middle]])
        shown = await page.evaluate(MEAN_COLOURS, ["#camera-picture", [own]])
        pairs = zip(seen[0], shown[0], strict=True) if seen and shown else [(0, 255)]
        return all(abs(a - b) <= 14 for a, b in pairs)

    await eventually(alike, "own picture in the grid")


async def test_p_pauses_the_label_and_resumes_it(meeting: Meeting, open_as: OpenPage, moods: list[str]) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE)
    button = page.locator("#pause")
    await page.keyboard.press("p")
    await until_mood(meeting, "Ana", Label.UNKNOWN, Reason.PAUSED)
    await expect(button).to_have_attribute("aria-pressed", "true")
    await expect(page.locator("#own-mood .mood-text")).to_have_text("Paused")
    assert page.workers == []
    moods.clear()

    async def said_again() -> bool:
        return len(moods) >= 3

    await eventually(said_again, "the same mood again and again, or the host would forget it")
    await page.keyboard.press("p")
    await expect(button).to_have_attribute("aria-pressed", "false")
    await until_mood(meeting, "Ana", Label.ATTENTIVE)


async def test_whoever_stops_sharing_is_forgotten(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE)
    await page.get_by_role("button", name="What I share").click()
    await page.get_by_role("dialog").get_by_role("switch").uncheck()
    await until_mood(meeting, "Ana", None)
    await expect(page.locator("#pause")).to_be_hidden()


async def test_the_camera_goes_off_with_its_light_and_on_again(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await eventually(lambda: video_of(meeting, "Ana"), "the picture")
    await page.keyboard.press("v")
    await expect(page.get_by_role("button", name="Camera")).to_have_attribute("aria-pressed", "false")
    assert await page.evaluate("document.querySelector('#camera-picture').srcObject") is None

    async def dark() -> bool:
        return not await video_of(meeting, "Ana")

    await eventually(dark, "no picture")
    await until_mood(meeting, "Ana", Label.UNKNOWN, Reason.PAUSED)
    assert person(meeting, "Ana").state == "live"
    await page.get_by_role("button", name="Camera").click()
    await eventually(lambda: video_of(meeting, "Ana"), "the picture again")
    await until_mood(meeting, "Ana", Label.ATTENTIVE)


async def test_keys_do_nothing_while_typing_or_when_switched_off(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await page.get_by_label("Your name").press_sequentially("Pov?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Join", exact=True).click()
    await wait_for_state(page, "live")
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    await expect(dialog).to_contain_text("Pause or resume your label")
    await dialog.get_by_label("Use these keys").uncheck()
    await page.keyboard.press("Escape")
    await page.keyboard.press("v")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("button", name="Camera")).to_have_attribute("aria-pressed", "true")


async def test_the_join_page_tells_of_a_change_of_what_the_host_sees(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    share = page.get_by_role("switch", name="Share my attention label")
    await share.check()
    meeting.room.set_mode(Mode.AGGREGATE)
    await expect(page.get_by_role("heading", name="The host changed what is shown")).to_be_visible()
    await expect(share).not_to_be_checked()
    await expect(page.locator("#share-who")).to_contain_text("shows nobody’s label")


async def test_nobody_joins_under_other_terms_than_they_were_told(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, allow=LOST_SERVER)
    await page.context.route("**/status", lambda route: route.abort())
    meeting.room.set_mode(Mode.AGGREGATE)
    await page.get_by_label("Your name").fill("Ana")
    await page.get_by_role("button", name="Join", exact=True).click()
    await expect(page.get_by_role("heading", name="The host sees something else now")).to_be_visible()
    assert meeting.room.participants() == []


async def test_everybody_sees_their_card_as_the_host_sees_it(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await until_mood(meeting, "Ana", Label.ATTENTIVE)
    await page.keyboard.press("p")
    await until_mood(meeting, "Ana", Label.UNKNOWN, Reason.PAUSED)
    await page.get_by_role("button", name="What the host sees").click()
    card = page.get_by_role("dialog", name="What the host sees of you").locator("li").first
    await expect(card).to_contain_text("Paused")
    dashboard = await open_as(meeting.links.host_url, clip=None)
    theirs = dashboard.locator("#roster > li")
    await expect(theirs).to_contain_text("Paused")
    for part in (".person-name", ".person-reading", ".person-why"):
        assert await card.locator(part).inner_text() == await theirs.locator(part).inner_text()


async def test_in_aggregate_mode_the_host_sees_nothing_of_one_alone(meeting: Meeting, open_as: OpenPage) -> None:
    meeting.room.set_mode(Mode.AGGREGATE)
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await expect(page.locator("#own-mood .mood-text")).to_have_text("Attentive", timeout=20_000)
    await page.get_by_role("button", name="What the host sees").click()
    dialog = page.get_by_role("dialog", name="What the host sees of you")
    await expect(dialog).to_contain_text("No label of yours")
    await expect(dialog.locator("li")).to_have_count(0)


async def test_the_picture_is_sent_as_large_as_its_tile_and_slower_while_nobody_looks(
    meeting: Meeting, open_as: OpenPage
) -> None:
    page = await open_as(meeting.links.participant_url, script=KEEP_CONNECTIONS)
    await enter(page, "Ana")
    for number in range(8):
        await meeting.join(f"Guest {number}")

    async def small() -> bool:
        slot = person(meeting, "Ana").slot
        tile = meeting.room.renderer.scene.tiles[0].rect
        return slot is not None and slot.size is not None and slot.size[0] <= tile.width + 2 < WIDTH

    await eventually(small, "a picture that fits its tile", timeout_s=30.0)
    encoding = await page.evaluate(ENCODING)
    assert encoding["maxFramerate"] == 15
    assert encoding["scaleResolutionDownBy"] > 1
    assert 120_000 <= encoding["maxBitrate"] <= 1_500_000
    await page.evaluate(SAY_HIDDEN, True)
    await page.wait_for_function(f"() => ({ENCODING})().maxFramerate === 5")
    await page.evaluate(SAY_HIDDEN, False)
    await page.wait_for_function(f"() => ({ENCODING})().maxFramerate === 15")


async def test_joining_and_leaving_are_announced_and_moods_are_not(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    await enter(page, "Ana", share=True)
    await meeting.join(HOSTILE, mood=NOT_ATTENTIVE)
    await expect(page.locator("#announcement")).to_have_text(f"{HOSTILE} joined")
    await expect(page.locator("#list .person-name")).to_have_text(["Ana", HOSTILE])
    assert await page.locator("#list img, #announcement img").count() == 0
    assert await page.title() != "owned"
    live = "[aria-live], [role=status], [role=alert], [role=log]"
    around_the_mood = await page.locator("#own-mood").evaluate("(one, live) => one.closest(live) !== null", live)
    assert not around_the_mood


async def test_without_npms_files_people_join_without_a_label_and_are_told(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as("about:blank", allow=LOST_SERVER)
    await page.context.route("**/ort/**", lambda route: route.fulfill(status=404, body=""))
    await page.goto(meeting.links.participant_url)
    await page.get_by_role("switch").check()
    await expect(page.locator("#share-trouble")).not_to_be_empty()
    await enter(page, "Ana")
    await until_mood(meeting, "Ana", Label.UNKNOWN, Reason.NO_MODEL)
    await expect(page.locator("#own-mood .mood-text")).to_have_text("No model")


@pytest.mark.parametrize(
    "data",
    [
        '{"t":"send","width":1e9,"height":240,"fps":15,"kbps":300}',
        '{"t":"send","width":320,"height":240,"fps":0,"kbps":300}',
        '{"t":"send","width":"320","height":240,"fps":15,"kbps":300}',
        '{"t":"send","width":320.5,"height":240,"fps":15,"kbps":300}',
        '{"t":"send"}',
        '{"t":"roster","participants":[{"id":"a","name":{},"state":"live"}]}',
        '{"t":"roster","participants":[null]}',
        '{"t":"roster","participants":{}}',
        '{"t":"ping","id":-1}',
        '{"t":"ping"}',
        '{"t":"welcome","participant":1,"room":"main","resume":"x"}',
        '{"t":"bye","reason":7}',
        '{"t":"constructor"}',
        '{"t":"__proto__"}',
        '{"t":["send"]}',
        "null",
        "[]",
        "{",
        "",
        " " * 70_000,
    ],
)
async def test_what_is_no_message_is_not_taken_for_one(meeting: Meeting, open_page: OpenPage, data: str) -> None:
    page = await open_page(meeting.links.viewer_url)
    read = "async (data) => (await import('/static/protocol.js')).readMessage(data)"
    assert await page.evaluate(read, data) is None


async def test_nonsense_from_the_host_changes_nothing(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url, script=KEEP_CONNECTIONS)
    await enter(page, "Ana")
    await page.wait_for_function(f"() => ({ENCODING})()?.maxFramerate === 15")
    before = await page.evaluate(ENCODING)
    member = next(iter(meeting.room._members))
    assert member.session is not None
    assert member.session._channel is not None
    for nonsense in ('{"t":"send","width":0,"height":0,"fps":0,"kbps":0}', "\x00", '{"t":"roster","participants":7}'):
        member.session._channel.send(nonsense)
    member.session._channel.send(b"\x00\x01")
    await meeting.join("Ben")
    await expect(page.locator("#list .person-name")).to_have_text(["Ana", "Ben"])
    assert await page.evaluate(ENCODING) | {"maxBitrate": 0} == before | {"maxBitrate": 0}
    await expect(page.locator("#connection")).to_have_attribute("data-state", "live")
