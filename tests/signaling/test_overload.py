"""A host with too much to do: what those at the door hear."""

from __future__ import annotations

import pytest

from host.headroom import Level
from host.room import Room
from signaling.protocol import RESUME_HEADER
from tests.fake_peer import FakePeer, until
from tests.signaling.conftest import Client
from tests.signaling.test_metrics import scrape, value


@pytest.fixture(autouse=True)
def only_the_grid_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else goes on on this machine; and no step takes long."""
    monkeypatch.setattr("host.loadmeter.SAMPLE_S", 0.2)
    for name, bound in (("STRAINED_S", 0.0), ("EASY_S", 0.2), ("LEAST_RATE", 0.0), ("EASY_RATE", 0.0)):
        monkeypatch.setattr(f"host.headroom.{name}", bound)
    for name in ("MOST_BUSY", "EASY_BUSY", "MOST_LAG_S", "EASY_LAG_S"):
        monkeypatch.setattr(f"host.headroom.{name}", 100.0)


async def test_newcomers_are_told_when_to_try_again_and_who_was_here_is_let_in(client: Client) -> None:
    ana, answer = await client.join()
    for room in client.server.directory.rooms():
        room.ease(Level.REFUSING)
    for path, peer, token in (("/whip/main", FakePeer(), "participant"), ("/whep/main", FakePeer(None), "viewer")):
        client.peers.append(peer)
        refusal = await client.post_offer(path, await peer.offer(), token)
        assert (refusal.status, refusal.headers["Retry-After"]) == (503, "10")
        assert (await refusal.json())["error"]["code"] == "overloaded"
    await ana.close()
    again = FakePeer()
    client.peers.append(again)
    response = await client.post_offer("/whip/main", await again.offer(), answer.headers[RESUME_HEADER])
    assert response.status == 201
    assert len(client.room.participants()) == 1
    _, families = await scrape(client)
    assert value(families, "edgeattend_refusals", room=None, code="overloaded") == 2
    for room in client.server.directory.rooms():
        room.ease(Level.SLOWER)
    await client.join("?name=Ben")


async def test_the_load_is_measured_and_lowered_step_by_step_until_newcomers_have_to_wait(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Level] = []
    ease = Room.ease

    def note(room: Room, level: Level) -> None:
        if room is client.room:
            seen.append(level)
        ease(room, level)

    monkeypatch.setattr(Room, "ease", note)
    await client.join()
    monkeypatch.setattr("host.headroom.LEAST_RATE", 2.0)  # no grid is fast enough
    await until(lambda: seen == [Level.SMALLER, Level.SLOWER, Level.REFUSING])
    _, families = await scrape(client)
    assert value(families, "edgeattend_headroom_level", room=None) == Level.REFUSING
    assert value(families, "edgeattend_grid_rate") < 15
    viewer, other = FakePeer(None), client.server.links[1].tokens["viewer"]
    client.peers.append(viewer)
    assert (await client.post_offer("/whep/other", await viewer.offer(), other)).status == 503
    monkeypatch.setattr("host.headroom.LEAST_RATE", 0.0)
    await until(lambda: seen[-1] is Level.NORMAL)
    assert client.room.renderer.rate == 15
    await client.watch()
