"""What every test of a participant's page needs: the way in, and what the host knows of who came."""

from __future__ import annotations

from playwright.async_api import Page

from host.participant import Participant
from signaling.protocol import Label, Reason
from tests.browser.meeting import Meeting, eventually
from tests.browser.page_reading import wait_for_state

LOST_SERVER = "Failed to load resource"
"""What Chromium itself says when nobody answers."""

# Every connection of the page, for what only the browser knows of it.
KEEP_CONNECTIONS = """
window.connections = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...all) { super(...all); window.connections.push(this); }
};
"""


async def enter(page: Page, name: str, *, share: bool = False) -> None:
    """Through the join page into the meeting."""
    await page.get_by_label("Your name").fill(name)
    if share:
        await page.get_by_role("switch", name="Share my attention label").check()
    await page.get_by_role("button", name="Join", exact=True).click()
    await wait_for_state(page, "live", timeout_s=30.0)


def person(meeting: Meeting, name: str) -> Participant:
    """Whom the host knows by this name."""
    return next(one for one in meeting.room.participants() if one.name == name)


async def until_mood(meeting: Meeting, name: str, label: Label | None, reason: Reason | None = None) -> None:
    """Until the host has heard that."""

    async def said() -> bool:
        timed = person(meeting, name).mood
        if timed is None or label is None:
            return timed is None and label is None
        return timed.mood.label is label and reason in (None, timed.mood.reason)

    await eventually(said, f"{label} ({reason})", timeout_s=30.0)
