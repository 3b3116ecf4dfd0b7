"""STUN and TURN servers in the browser: asked for only where there are some, and never what keeps anybody out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Route

from signaling.ice import IceConfig, IceServer, to_link
from tests.browser.conftest import OpenPage
from tests.browser.meeting import Meeting, eventually
from tests.browser.page_reading import wait_for_state
from tests.browser.participant_page import KEEP_CONNECTIONS, enter
from tests.turn_server import TURNSERVER, WHY_NOT, TurnServer, turn_server

SERVERS = [
    IceServer("stun:stun.example.net:3478"),
    IceServer("turn:turn.example.net:3478?transport=udp", "1700000000:abc", "a+b/c=="),
]
SECRET = "a secret that nobody checks in this test"
SAYS_NO = "Failed to load resource"
"""What Chromium itself writes of an answer that is an error."""

RELAY_ONLY = """
window.connections = [];
window.failures = [];
window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(settings) {
        super({ ...settings, iceTransportPolicy: "relay" });
        window.connections.push(this);
        this.addEventListener("icecandidateerror", ({ errorCode }) => window.failures.push(errorCode));
    }
};
"""
# The kind of our candidate that media goes through.
PATH = """async () => {
    const report = await window.connections.at(-1).getStats();
    const transport = [...report.values()].find(({ type }) => type === "transport");
    const pair = report.get(transport?.selectedCandidatePairId);
    return pair ? report.get(pair.localCandidateId).candidateType : null;
}"""


@asynccontextmanager
async def opened(ice: IceConfig) -> AsyncIterator[Meeting]:
    """A meeting whose server knows of these."""
    meeting = Meeting(ice)
    await meeting.start()
    try:
        yield meeting
    finally:
        await meeting.close()


@pytest_asyncio.fixture(loop_scope="session")
async def relayed(tmp_path: Path) -> AsyncIterator[tuple[TurnServer, Meeting]]:
    """A meeting with coturn beside it."""
    if TURNSERVER is None:
        pytest.skip(WHY_NOT)
    async with turn_server(tmp_path) as server, opened(server.config()) as meeting:
        yield server, meeting


def asked(page: Page) -> list[str]:
    """The URLs of all OPTIONS from now on."""
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url) if request.method == "OPTIONS" else None)
    return urls


async def read(page: Page, links: str) -> Any:
    """What the page's own parser makes of a header."""
    return await page.evaluate("async (links) => (await import('/static/ice.js')).readIceServers(links)", links)


async def test_links_are_read_as_the_server_writes_them(meeting: Meeting, open_page: OpenPage) -> None:
    page = await open_page(meeting.links.viewer_url)
    stun, turn = SERVERS
    found = await read(page, ", ".join(map(to_link, SERVERS)))
    assert found == [
        {"urls": stun.url},
        {"urls": turn.url, "username": turn.username, "credential": turn.credential},
    ]
    other = (
        '<https://a/>; rel=next, <turn:a>;REL=ice-server ; username=u;credential="p\\"\\\\q;,<x>" '
        ", <x:1>; rel=ice-server"
    )
    assert await read(page, other) == [{"urls": "turn:a", "username": "u", "credential": 'p"\\q;,<x>'}]
    assert await read(page, "") == []
    assert len(await read(page, ", ".join(['<stun:a>; rel="ice-server"'] * 100))) == 8


async def test_where_there_are_no_servers_nobody_asks(meeting: Meeting, open_as: OpenPage) -> None:
    page = await open_as(meeting.links.participant_url)
    urls = asked(page)
    await enter(page, "Ana")
    assert urls == []


@pytest.mark.parametrize("answer", ["error", "nothing", "nonsense"])
async def test_whatever_comes_of_asking_everybody_gets_in(open_as: OpenPage, answer: str) -> None:
    async def reply(route: Route) -> None:
        if route.request.method != "OPTIONS":
            await route.continue_()
        elif answer == "error":
            await route.fulfill(status=500)
        elif answer == "nothing":
            await route.abort()
        else:  # a URL that no browser takes
            await route.fulfill(status=204, headers={"Link": '<turn:a:b:c>; rel="ice-server"; username="u"'})

    async with opened(IceConfig(turn=(SERVERS[1].url,), turn_secret=SECRET)) as meeting:
        page = await open_as(meeting.links.participant_url, allow=SAYS_NO)
        urls = asked(page)
        await page.route("**/whip/**", reply)
        await enter(page, "Ana")
        assert len(urls) == 1


async def test_a_server_that_is_not_there_keeps_nobody_out(open_as: OpenPage) -> None:
    async with opened(IceConfig(turn=("turn:192.0.2.1:3478",), turn_secret=SECRET)) as meeting:
        page = await open_as(meeting.links.participant_url, script=KEEP_CONNECTIONS)
        await enter(page, "Ana")
        (server,) = await page.evaluate("window.connections[0].getConfiguration().iceServers")
        assert server["urls"] == ["turn:192.0.2.1:3478"]
        assert server["username"]
        assert server["credential"]


async def test_a_browser_with_no_way_but_a_relay_takes_part(
    relayed: tuple[TurnServer, Meeting], open_as: OpenPage
) -> None:
    _, meeting = relayed
    page = await open_as(meeting.links.participant_url, script=RELAY_ONLY)
    await enter(page, "Ana")
    assert await page.evaluate(PATH) == "relay"

    async def live() -> bool:
        entry = meeting.room.status(labels=False)["participants"][0]
        return bool(entry["state"] == "live" and entry["video"] and entry["video"]["fps"] > 5)

    await eventually(live, "Ana's video")


async def test_a_viewer_with_no_way_but_a_relay_sees_the_grid(
    relayed: tuple[TurnServer, Meeting], open_as: OpenPage
) -> None:
    _, meeting = relayed
    page = await open_as(meeting.links.viewer_url, clip=None, script=RELAY_ONLY)
    await wait_for_state(page, "live")
    assert await page.evaluate(PATH) == "relay"


async def test_without_credentials_that_coturn_takes_there_is_no_relay(tmp_path: Path, open_as: OpenPage) -> None:
    if TURNSERVER is None:
        pytest.skip(WHY_NOT)
    async with turn_server(tmp_path) as server:
        wrong = IceConfig(turn=(server.turn(),), turn_secret=SECRET)
        async with opened(wrong) as meeting:
            page = await open_as(meeting.links.viewer_url, clip=None, script=RELAY_ONLY)
            await wait_for_state(page, "waiting", timeout_s=30.0)
            assert 401 in await page.evaluate("window.failures")
            assert await page.evaluate(PATH) is None
