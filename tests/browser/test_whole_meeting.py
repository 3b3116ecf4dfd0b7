"""Two browsers and two Python participants in one room, with the host as a process of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.page_reading import wait_for_state
from tests.browser.participant_page import enter
from tests.meeting.processes import CLIPS, Meeting, meeting
from tests.meeting.test_meeting import live_with_label

BACK_S = 10.0
"""From the first moment that the host answers again, for everybody, without a click."""


@pytest_asyncio.fixture(loop_scope="session")
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as opened:
        yield opened


async def test_browsers_and_devices_meet_and_are_all_back_after_the_host_was_killed(
    room: Meeting, open_as: OpenPage
) -> None:
    pages: dict[str, Page] = {}
    for name in ("Ana", "Ben"):
        pages[name] = await open_as(room.ready["participant_url"], clip=name.lower(), allow="Failed to load resource")
        await enter(pages[name], name, share=True)
    for name in ("Mei", "Zuri"):
        await room.join(name, str(CLIPS / f"{name.lower()}.mp4"))
    everybody = ("Ana", "Ben", "Mei", "Zuri")
    before = {name: (await room.person(name, live_with_label))["id"] for name in everybody}
    for page in pages.values():
        names = page.locator("#list .person-name")
        await expect(names).to_have_count(4)
        assert set(await names.all_inner_texts()) == set(everybody)
    dashboard = await open_as(room.ready["host_url"], clip=None, allow="Failed to load resource")
    await expect(dashboard.locator("#roster > li")).to_have_count(4)

    await room.server.end(signal.SIGKILL)
    for page in (*pages.values(), dashboard):
        await wait_for_state(page, "reconnecting")
    await room.open()
    async with asyncio.timeout(BACK_S):
        after = {name: (await room.person(name, live_with_label))["id"] for name in everybody}
    assert after == before
    for page in (*pages.values(), dashboard):
        await wait_for_state(page, "live")
    await expect(dashboard.locator("#roster > li")).to_have_count(4)
