"""What a test reads off a page: the connection's state, decoded frames, colours of the picture."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page

from host.layout import Rect, layout
from tests.browser.meeting import HEIGHT, WIDTH, Rgb, eventually

GRID = (1280, 720)

# The mean colour of each rectangle of the <video> or <img>, in pixels of the picture itself.
MEAN_COLOURS = """
([selector, rects]) => {
    const picture = document.querySelector(selector);
    const width = picture.videoWidth ?? picture.naturalWidth, height = picture.videoHeight ?? picture.naturalHeight;
    if (!width) return null;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(picture, 0, 0);
    return rects.map(([x, y, w, h]) => {
        const { data } = context.getImageData(x, y, w, h), sum = [0, 0, 0];
        data.forEach((value, index) => { if (index % 4 < 3) sum[index % 4] += value; });
        return sum.map((value) => Math.round(value / (w * h)));
    });
}
"""

# A page takes a meeting for ended after 15 s: here at once. It counts how often it began to wait for that.
ENDED_SOON = """
window.endings = 0;
{
    const wait = window.setTimeout;
    window.setTimeout = (act, ms, ...rest) => {
        window.endings += ms === 15000;
        return wait(act, ms === 15000 ? 100 : ms, ...rest);
    };
    Object.defineProperty(navigator, "onLine", { get: () => true }); // also on a machine without a network
}
"""
SEEMS_ENDED = "The meeting seems to have ended. Trying again, in case it comes back."


async def wait_for_state(page: Page, state: str, timeout_s: float = 20.0) -> None:
    """Until the pill says so."""
    await page.wait_for_selector(f"#connection[data-state={state}]", timeout=timeout_s * 1000)


async def decoded_frames(page: Page) -> int:
    """How many frames the grid's <video> has got of the connection it shows now."""
    frames: int = await page.evaluate("document.querySelector('#grid').getVideoPlaybackQuality().totalVideoFrames")
    return frames


async def wait_for_frames(page: Page, count: int) -> None:
    """Until the grid has come whole and moves."""
    script = """(count) => {
        const video = document.querySelector("#grid");
        return video.videoWidth === 1280 && video.videoHeight === 720
            && video.getVideoPlaybackQuality().totalVideoFrames >= count;
    }"""
    await page.wait_for_function(script, arg=count, timeout=20_000)


def tiles(count: int) -> list[Rect]:
    """Where the tiles of `count` peers are."""
    return layout(*GRID, [WIDTH / HEIGHT] * count)


def middle(tile: Rect) -> list[int]:
    """The middle of a tile, clear of its name, label and border."""
    return [tile.x + tile.width // 3, tile.y + tile.height // 3, tile.width // 3, tile.height // 3]


def border(tile: Rect) -> list[int]:
    """A piece of the border at a tile's right edge: the middle two of its four pixels."""
    return [tile.x + tile.width - 3, tile.y + tile.height // 2 - 10, 2, 20]


async def wait_for_colours(
    page: Page, selector: str, rects: list[list[int]], colours: list[Rgb], tolerance: int
) -> None:
    """Until the mean of each rectangle of the picture is its colour, each channel within `tolerance`."""
    seen: list[Any] = []

    async def right() -> bool:
        means = await page.evaluate(MEAN_COLOURS, [selector, rects])
        seen[:] = means or []
        return means is not None and all(
            abs(got - wanted) <= tolerance
            for mean, colour in zip(means, colours, strict=True)
            for got, wanted in zip(mean, colour, strict=True)
        )

    try:
        await eventually(right, "colours", timeout_s=15.0)
    except AssertionError:
        raise AssertionError(f"expected the colours {colours} within {tolerance}, got {seen}") from None
