"""A meeting in aggregate mode: no route, message, event or picture tells one person's mood, to whichever token."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from typing import Any

import aiohttp
import cv2
import numpy as np
import pytest

from host.labels import GREEN, GREY, ORANGE
from host.mode import Mode
from host.record import Event
from signaling.protocol import Label, Reason, encode
from signaling.removals import Removals
from signaling.server import make_app, running
from tests.fake_peer import FakePeer, until
from tests.signaling.conftest import AUTHORITY, CONFIG, Client
from tests.signaling.test_views import next_jpeg

TELLING = ("mood", "not_attentive", "score", "reason", "eyes_closed", "looking_off", "0.123", "0.877", "label")
"""Words and numbers of moods; `attentive` alone is also the key of the room's share."""

SAID = [
    (Label.ATTENTIVE, 0.877, Reason.FACE),
    (Label.NOT_ATTENTIVE, 0.123, Reason.EYES_CLOSED),
    (Label.NOT_ATTENTIVE, 0.123, Reason.LOOKING_OFF),
]


class Watched:
    """A meeting in aggregate mode of three who share, and everything it told."""

    def __init__(self, client: Client, events: list[tuple[str, Event]]) -> None:
        self.client = client
        self.events = events
        self.peers: list[FakePeer] = []
        self.personal: list[str] = []

    async def fill(self) -> None:
        for name in ("Ana", "Ben", "Chi"):
            peer, response = await self.client.join(f"?name={name}")
            self.peers.append(peer)
            self.personal.append(response.headers["X-EdgeAttend-Resume"])

    async def share(self) -> None:
        """Until the room has a share of everybody's moods."""
        for peer, said in zip(self.peers, SAID, strict=True):
            peer.mood(*said)
        await until(lambda: self.client.room.record.share.latest)


@pytest.fixture
async def watched(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("host.share.OVER_S", 0.5)
    monkeypatch.setattr("host.share.EVERY_S", 0.25)
    events: list[tuple[str, Event]] = []
    config = dataclasses.replace(CONFIG, mode=Mode.AGGREGATE)
    async with (
        running(config, lambda room, event: events.append((room, event))) as server,
        aiohttp.ClientSession() as http,
    ):
        watched = Watched(Client(server, http), events)
        await watched.fill()
        yield watched
        await asyncio.gather(*(peer.close() for peer in watched.peers))


def routes(client: Client) -> list[str]:
    """Every address of the room that can be read."""
    app = make_app(client.server.directory, AUTHORITY, CONFIG, Removals())
    paths = {route.resource.canonical for route in app.router.routes() if route.method == "GET" and route.resource}
    return sorted(path.replace("{room}", "main") for path in paths if "static" not in path and "mjpg" not in path)


async def test_no_route_tells_a_mood_to_any_token(watched: Watched) -> None:
    client = watched.client
    await watched.share()
    paths = routes(client)
    assert {"/r/main/status", "/r/main/timeline", "/r/main/summary", "/r/main/me", "/metrics"} <= set(paths)
    answered = 0
    for path in paths:
        for token in ("host", "participant", "viewer", *watched.personal):
            async with client.request("GET", path, token) as response:
                text = (await response.text()).lower()
                if "html" in response.content_type or response.status in (401, 403):
                    continue
                answered += 1
                text = text.replace('"mood":null', "")  # to a participant: that the host sees none
                if path.endswith("summary"):
                    text = json.dumps({key: value for key, value in json.loads(text).items() if key != "limits"})
                for word in TELLING:
                    if not (path == "/metrics" and word == "label"):
                        # 0.877 is a score, 0.8776 the milliseconds of something.
                        assert re.search(re.escape(word) + r"(?!\d)", text) is None, (path, token, word)
    assert answered > len(paths)


async def test_what_a_host_gets_is_the_share_alone(watched: Watched) -> None:
    await watched.share()
    client = watched.client
    status = await client.json("/r/main/status", "host")
    assert status["share"] == {"sharing": 3, "attentive": 0.3}
    assert [set(entry) for entry in status["participants"]] == [{"id", "name", "state", "joined_s", "video"}] * 3
    assert "share" not in await client.json("/r/main/status", "viewer")
    timeline = await client.json("/r/main/timeline", "host")
    assert timeline["participants"] == []
    assert timeline["curve"]["points"][-1]["attentive"] == 0.3
    assert (await client.json("/r/main/summary", "host"))["participants"] == []
    mine = await client.json("/r/main/me", watched.personal[1])
    assert (mine["mode"], mine["participant"]["mood"], mine["timeline"]) == ("aggregate", None, None)
    async with client.request("GET", "/r/main/history.csv", "host") as response:
        lines = (await response.text()).splitlines()
    assert lines[0] == "time,sharing,attentive"
    assert lines[-1].endswith(",3,0.3")


async def test_no_event_and_no_message_tells_a_mood_or_when_one_changed(watched: Watched) -> None:
    await watched.share()
    before = len(watched.events)
    heard = [len(peer.messages) for peer in watched.peers]
    for label in (Label.ATTENTIVE, Label.NOT_ATTENTIVE, Label.UNKNOWN):
        watched.peers[0].mood(label, 0.123, Reason.EYES_CLOSED)
    await until(lambda: all(len(peer.messages) > count for peer, count in zip(watched.peers, heard, strict=True)))
    await until(lambda: watched.client.room.record.share.latest is None)
    assert len(watched.events) == before
    told = json.dumps(watched.events) + "".join(encode(one) for peer in watched.peers for one in peer.messages)
    for word in (*TELLING, "attentive"):
        assert word not in told, word


async def test_the_annotated_picture_has_no_border_in_the_colour_of_a_label(watched: Watched) -> None:
    await watched.share()
    async with watched.client.request("GET", "/r/main/annotated.mjpg", "host") as response:
        picture = cv2.imdecode(np.frombuffer(await next_jpeg(response), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    tiles = watched.client.room.renderer.scene.tiles
    assert len(tiles) == 3
    for rect in (tile.rect for tile in tiles):
        edge = picture[rect.y + rect.height // 2, rect.x : rect.x + 4, ::-1].astype(int)
        for colour in (GREEN, ORANGE, GREY):
            assert np.abs(edge - colour).max(axis=1).min() > 40, (edge, colour)


async def test_a_label_is_kept_nowhere_but_with_the_person_while_it_holds(watched: Watched) -> None:
    await watched.share()
    record = watched.client.room.record
    assert record.history.snapshot().rows == {}
    assert not hasattr(record.share.points[-1], "group")
    watched.client.room.remove(watched.client.room.participants()[0].id)
    await until(lambda: record.share.latest is None)
