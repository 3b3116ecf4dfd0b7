"""What Prometheus scrapes."""

from __future__ import annotations

import dataclasses

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from host.mode import Mode
from signaling.protocol import Label
from tests.fake_peer import FakePeer, until
from tests.signaling.conftest import Client


async def scrape(client: Client) -> tuple[str, dict[str, Metric]]:
    async with client.request("GET", "/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    return text, {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], name: str, suffix: str = "", **labels: str | None) -> float:
    """Of the room `main`, or with `room=None` of the process."""
    asked = {key: label for key, label in ({"room": "main"} | labels).items() if label is not None}
    samples = [sample for sample in families[name].samples if sample.labels == asked]
    (sample,) = [sample for sample in samples if sample.name.removesuffix("_total") == name + suffix]
    return float(sample.value)


async def test_every_room_has_every_metric_from_the_beginning(client: Client) -> None:
    _, families = await scrape(client)
    assert len(families) > 35
    for name, family in families.items():
        assert name.startswith(("edgeattend_", "process_"))
        assert family.documentation
        rooms = {sample.labels.get("room") for sample in family.samples}
        assert rooms in ({"main", "other"}, {None}), name
    assert value(families, "edgeattend_joins") == 0
    assert value(families, "edgeattend_refusals", room=None, code="overloaded") == 0
    assert value(families, "edgeattend_headroom_level", room=None) == 0


async def test_metrics_count_what_happens(client: Client) -> None:
    peer, response = await client.join("?name=Ana")
    await client.watch()
    peer.send("nonsense")
    peer.mood(Label.ATTENTIVE)
    await until(lambda: client.room.totals().messages_rejected and client.room.participants()[0].mood)
    _, families = await scrape(client)
    assert value(families, "edgeattend_participants", state="live") == 1
    assert value(families, "edgeattend_joins") == 1
    assert value(families, "edgeattend_messages_rejected") == 1
    assert value(families, "edgeattend_grid_viewers") == 2
    assert value(families, "edgeattend_grid_frames") > 0
    assert value(families, "edgeattend_key_frames") >= 1
    assert value(families, "edgeattend_half_open_sessions") == 0
    assert value(families, "edgeattend_grid_rate") == 15
    composed = value(families, "edgeattend_compose_seconds", "_bucket", le="+Inf")
    assert composed == value(families, "edgeattend_compose_seconds", "_count") > 0
    assert value(families, "edgeattend_compose_seconds", "_sum") > 0
    async with client.request("DELETE", response.headers["Location"], "host"):
        pass
    _, families = await scrape(client)
    assert value(families, "edgeattend_participants", state="live") == 0
    assert value(families, "edgeattend_removals") == 1
    assert value(families, "edgeattend_messages_rejected") == 1


async def test_metrics_tell_nothing_of_anybody(client: Client) -> None:
    peer, response = await client.join("?name=Zuri")
    peer.mood(Label.NOT_ATTENTIVE)
    await until(lambda: client.room.participants()[0].mood)
    text, families = await scrape(client)
    for secret in ("Zuri", "attentive{", "not_attentive", client.room.participants()[0].id):
        assert secret not in text
    assert response.headers["Location"].removeprefix("/sessions/") not in text
    labels = {key for family in families.values() for sample in family.samples for key in sample.labels}
    assert labels == {"room", "state", "code", "le"}


async def test_frames_are_counted_on_their_way_in_and_out(client: Client) -> None:
    peer, _ = await client.join()
    viewer, _ = await client.watch()
    await until(lambda: len(peer.grid) > 2 and len(viewer.grid) > 2 and client.room.totals().frames > 2)
    _, families = await scrape(client)
    assert value(families, "edgeattend_video_in_frames") > 2
    assert value(families, "edgeattend_grid_frames_sent") >= len(peer.grid[:3]) + len(viewer.grid[:3])
    assert value(families, "edgeattend_encode_seconds", "_count") > 2


async def test_refusals_are_counted_by_their_code_and_nothing_else(client: Client) -> None:
    for _ in range(2):
        await client.error("GET", "/r/main/status")
    await client.error("GET", "/r/main/history.csv", "viewer")
    _, families = await scrape(client)
    assert value(families, "edgeattend_refusals", room=None, code="token_missing") == 2
    assert value(families, "edgeattend_refusals", room=None, code="role_forbidden") == 1
    assert {sample.labels["code"] for sample in families["edgeattend_refusals"].samples} == {
        *("room_full", "overloaded", "draining", "token_missing", "role_forbidden")
    }


async def test_a_session_that_never_connects_is_half_open(client: Client) -> None:
    peer = FakePeer(None)
    client.peers.append(peer)
    assert (await client.post_offer("/whep/main", await peer.offer())).status == 201
    _, families = await scrape(client)
    assert value(families, "edgeattend_half_open_sessions") == 1


async def test_the_age_of_labels_shows_in_steps_that_hide_their_changes(client: Client) -> None:
    peer, _ = await client.join()
    _, families = await scrape(client)
    assert value(families, "edgeattend_label_age_seconds") == 0
    for label in (Label.ATTENTIVE, Label.NOT_ATTENTIVE):
        peer.mood(label)
        await until(lambda label=label: (m := client.room.participants()[0].mood) and m.mood.label is label)
        _, families = await scrape(client)
        assert value(families, "edgeattend_label_age_seconds") == 1
    mood = client.room.participants()[0].mood
    assert mood is not None
    client.room.participants()[0].mood = dataclasses.replace(mood, received_s=mood.received_s - 3)
    _, families = await scrape(client)
    assert value(families, "edgeattend_label_age_seconds") in (3, 4)


async def test_in_aggregate_mode_no_age_of_a_label_is_told(client: Client) -> None:
    client.room.set_mode(Mode.AGGREGATE)
    peer, _ = await client.join()
    peer.mood(Label.ATTENTIVE)
    await until(lambda: client.room.participants()[0].mood)
    _, families = await scrape(client)
    assert value(families, "edgeattend_label_age_seconds") == 0


async def test_the_process_tells_what_it_uses(client: Client) -> None:
    _, families = await scrape(client)
    assert value(families, "edgeattend_tasks", room=None) > 1
    assert value(families, "edgeattend_threads", room=None) >= 3  # two rooms
    assert value(families, "process_resident_memory_bytes", room=None) > 1e7
    assert value(families, "process_open_fds", room=None) > 3
