"""What Prometheus scrapes."""

from __future__ import annotations

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from signaling.protocol import Label
from tests.fake_peer import until
from tests.signaling.conftest import Client


async def scrape(client: Client) -> tuple[str, dict[str, Metric]]:
    async with client.request("GET", "/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = await response.text()
    return text, {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    labels = {"room": "main"} | labels
    (sample,) = [sample for sample in families[name].samples if sample.labels == labels]
    return float(sample.value)


async def test_every_room_has_every_metric_from_the_beginning(client: Client) -> None:
    _, families = await scrape(client)
    assert len(families) > 15
    for name, family in families.items():
        assert name.startswith("edgeattend_")
        assert family.documentation
        assert {sample.labels["room"] for sample in family.samples} == {"main", "other"}
    assert value(families, "edgeattend_joins") == 0


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
    assert labels == {"room", "state"}
