"""Chromium, a meeting, and pages that fail their test when they complain in the console."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

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
]

OpenPage = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One event loop for all of these, so that they can share the browser; none of them without one."""
    for item in items:
        if "tests/browser/" not in item.nodeid:
            continue
        item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
        if CHROMIUM is None:
            item.add_marker(pytest.mark.skip(reason="needs Chromium (Debian: apt install chromium), found none"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


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
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []

    async def open_it(url: str, *, allow: str | None = None) -> Page:
        page = await context.new_page()

        def complain(text: str) -> None:
            if allow is None or allow not in text:
                complaints.append(text)

        page.on("console", lambda message: complain(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complain(str(error)))
        await page.goto(url)
        return page

    yield open_it
    await context.close()
    assert complaints == []
