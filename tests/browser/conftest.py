"""Chromium, a meeting, and pages that fail their test when they complain in the console."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests.browser.cameras import camera_arguments, write_camera
from tests.browser.meeting import Meeting

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A name that is not this machine's: its pages are not secure over plain HTTP.
    "--host-resolver-rules=MAP meeting.test 127.0.0.1",
]

VIEWPORT = {"width": 1280, "height": 900}

OpenPage = Callable[..., Awaitable[Page]]
Launch = Callable[..., Awaitable[Browser]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of these, so that they can share the browser; none of them without one."""
    for item in items:
        if "tests/browser/" not in item.nodeid:
            continue
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="needs Chromium (Debian: apt install chromium), found none"))


@pytest.fixture(autouse=True)
def no_strain(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is, the host asks for what tiles need, and refuses nobody."""
    monkeypatch.setattr("host.headroom.STRAINED_S", float("inf"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def launch(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Launch]:
    """Starts Chromium with a demo clip for a camera, or with none: one process for each, shared by all tests."""
    browsers: dict[str | None, Browser] = {}
    folder = tmp_path_factory.mktemp("cameras")
    async with async_playwright() as playwright:

        async def get(clip: str | None = None) -> Browser:
            if clip not in browsers:
                camera = [] if clip is None else camera_arguments(write_camera(clip, folder / f"{clip}.y4m"))
                browsers[clip] = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS + camera)
            return browsers[clip]

        yield get
        for browser in browsers.values():
            await browser.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(launch: Launch) -> Browser:
    """Without a camera."""
    return await launch()


@pytest_asyncio.fixture(loop_scope="session")
async def meeting() -> AsyncIterator[Meeting]:
    meeting = Meeting()
    await meeting.start()
    try:
        yield meeting
    finally:
        await meeting.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[OpenPage]:
    """Opens a page; at the end none may have written errors to the console, but for what `allow` names.

    Violations of the content security policy and uncaught errors are among them.
    """
    context = await browser.new_context(viewport=VIEWPORT)
    complaints: list[str] = []

    async def open_it(url: str, *, allow: str | None = None) -> Page:
        page = await context.new_page()
        listen(page, complaints, allow)
        await page.goto(url)
        return page

    yield open_it
    await context.close()
    assert complaints == []


@pytest_asyncio.fixture(loop_scope="session")
async def open_as(launch: Launch) -> AsyncIterator[OpenPage]:
    """Opens a page as somebody of their own, whose camera shows `clip`; complaints as for `open_page`.

    `camera` False: it is there, and not allowed. `script` runs in the page before its own.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_it(
        url: str,
        *,
        clip: str | None = "ana",
        camera: bool = True,
        script: str = "",
        allow: str | None = None,
        **options: Any,
    ) -> Page:
        browser = await launch(clip)
        context = await browser.new_context(**{"viewport": VIEWPORT} | options)
        contexts.append(context)
        if camera:
            await context.grant_permissions(["camera"])
        page = await context.new_page()
        listen(page, complaints, allow)
        if script:
            await page.add_init_script(script)
        await page.goto(url)
        return page

    yield open_it
    for context in contexts:
        await context.close()
    assert complaints == []


def listen(page: Page, complaints: list[str], allow: str | None) -> None:
    """Collect what the page complains of, but for lines that hold `allow`."""

    def complain(text: str) -> None:
        if allow is None or allow not in text:
            complaints.append(text)

    page.on("console", lambda message: complain(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complain(str(error)))
