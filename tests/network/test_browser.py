"""A browser on a bad network: Chromium in a namespace of its own, with a demo clip for a camera."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

from tests.browser.cameras import camera_arguments, write_camera
from tests.browser.conftest import ARGUMENTS, CHROMIUM
from tests.browser.page_reading import decoded_frames, wait_for_frames, wait_for_state
from tests.browser.participant_page import enter
from tests.meeting.processes import Meeting
from tests.network.link import Condition
from tests.network.meeting import meeting
from tests.network.network import Network
from tests.network.test_faults import BACK_S, CUT_S, SLACK_S

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium), found none")

ANA = 2
"""The browser's namespace."""


@pytest.fixture
async def room(net: Network, tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(net, tmp_path / "secret", "tests.network.calm") as current:
        yield current


@pytest.fixture
async def page(net: Network, room: Meeting, tmp_path: Path) -> AsyncIterator[Page]:
    """Ana's page in the meeting, with her picture at the host."""
    chromium = tmp_path / "chromium"
    chromium.write_text(f'#!/bin/sh\nexec {shlex.join(net[ANA].prefix)} {CHROMIUM} "$@"\n')
    chromium.chmod(0o755)
    camera = camera_arguments(write_camera("ana", tmp_path / "ana.y4m"))
    # A camera is for secure pages alone, and plain HTTP from elsewhere is not one.
    secure = f"--unsafely-treat-insecure-origin-as-secure={room.origin}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=[*ARGUMENTS, *camera, secure])
        context = await browser.new_context(permissions=["camera"])
        page = await context.new_page()
        await page.goto(room.ready["participant_url"])
        await enter(page, "Ana")
        await room.person("Ana", sends)
        yield page
        await browser.close()


def sends(person: dict[str, Any]) -> bool:
    return person["state"] == "live" and person["video"] is not None and person["video"]["fps"] > 0


async def is_back(room: Meeting, page: Page, participant: str) -> None:
    """Wait until Ana has her own tile again, and sees the grid."""
    async with asyncio.timeout(BACK_S + SLACK_S):
        await wait_for_state(page, "live")
        person = await room.person("Ana", sends)
    assert person["id"] == participant


async def test_a_browser_is_back_after_a_cut_of_ten_seconds(net: Network, room: Meeting, page: Page) -> None:
    participant = (await room.person("Ana", sends))["id"]
    await net.set(ANA, Condition(cut=True))
    end_s = time.monotonic() + CUT_S
    await wait_for_state(page, "reconnecting")
    await asyncio.sleep(end_s - time.monotonic())
    await net.set(ANA, Condition())
    await is_back(room, page, participant)
    # What it sent into the cut may arrive only now, and must not push it out of the meeting.
    frames = await decoded_frames(page)
    await wait_for_frames(page, frames + 60)
    await is_back(room, page, participant)


async def test_a_browser_whose_address_changes_comes_back(net: Network, room: Meeting, page: Page) -> None:
    participant = (await room.person("Ana", sends))["id"]
    net[ANA].move(2)
    await wait_for_state(page, "reconnecting")
    await is_back(room, page, participant)
