"""Pages, status, history, health, metrics and the annotated stream."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import cv2
import numpy as np
import pytest

from host.annotated import PANEL_PX
from signaling.protocol import Label, Reason
from signaling.tokens import Role
from tests.fake_peer import until
from tests.host.offers import real_offer
from tests.signaling.conftest import AUTHORITY, Client

BOUNDARY = b"--edgeattend-frame\r\n"


async def next_jpeg(response: Any) -> bytes:
    """The next part of a multipart stream, after a check of its head."""
    head = await response.content.readuntil(b"\r\n\r\n")
    fields = dict(line.split(b": ") for line in head.removeprefix(BOUNDARY).strip().split(b"\r\n"))
    assert fields[b"Content-Type"] == b"image/jpeg"
    jpeg: bytes = await response.content.readexactly(int(fields[b"Content-Length"]))
    assert await response.content.readexactly(2) == b"\r\n"
    assert await response.content.readexactly(len(BOUNDARY)) == BOUNDARY
    return jpeg


@pytest.mark.parametrize("path", ["/r/main", "/r/main/host"])
async def test_pages_name_their_room_and_are_not_cached(client: Client, path: str) -> None:
    async with client.request("GET", path, "host") as response:
        text = await response.text()
        assert response.content_type == "text/html"
        assert response.headers["Cache-Control"] == "no-store"
        assert "main" in text
        assert "{{" not in text


async def test_the_status_shows_who_is_here(client: Client) -> None:
    await client.join("?name=Ana")
    await until(lambda: client.room.status(labels=False)["participants"][0]["video"])
    status = await client.json("/r/main/status", "viewer")
    assert set(status) == {"room", "title", "mode", "uptime_s", "grid", "participants"}
    assert (status["room"], status["title"], status["mode"]) == ("main", "main", "individual")
    assert set(status["grid"]) == {"width", "height", "fps", "viewers"}
    (person,) = status["participants"]
    assert set(person) == {"id", "name", "state", "joined_s", "video"}
    assert (person["name"], person["state"]) == ("Ana", "live")
    assert (person["video"]["width"], person["video"]["height"]) == (160, 120)


async def test_moods_are_shown_to_a_host_alone(client: Client) -> None:
    peer, response = await client.join("?name=Ana")
    peer.mood(Label.NOT_ATTENTIVE, 0.25, Reason.NO_FACE)
    await until(lambda: client.room.status(labels=True)["participants"][0]["mood"])
    (person,) = (await client.json("/r/main/status", "host"))["participants"]
    assert {key: person["mood"][key] for key in ("label", "score", "reason")} == {
        "label": "not_attentive",
        "score": 0.25,
        "reason": "no_face",
    }
    for token in ("viewer", "participant", response.headers["X-EdgeAttend-Resume"]):
        text = json.dumps(await client.json("/r/main/status", token))
        assert "mood" not in text
        assert "attentive" not in text


async def test_the_timeline_and_the_summary_follow_what_happened(client: Client) -> None:
    peer, response = await client.join("?name=Ana")
    peer.mood(Label.NOT_ATTENTIVE, 0.25, Reason.AWAY)
    await until(lambda: client.room.participants()[0].mood)
    timeline = await client.json("/r/main/timeline", "host")
    (entry,) = timeline["participants"]
    assert (entry["name"], entry["left_s"], entry["segments"][-1]["state"]) == ("Ana", None, "away")
    assert entry["segments"][-1]["end_s"] == 0
    assert timeline["curve"]["step_s"] == 5
    summary = await client.json("/r/main/summary", "host")
    (person,) = summary["participants"]
    assert (person["name"], person["attentive_s"]) == ("Ana", 0)
    assert summary["limits"]
    async with client.request("DELETE", response.headers["Location"], "host"):
        pass
    (entry,) = (await client.json("/r/main/timeline", "host"))["participants"]
    assert entry["left_s"] is not None


async def test_a_participant_sees_exactly_what_the_host_sees_of_them(client: Client) -> None:
    peer, response = await client.join("?name=Ana")
    await client.join("?name=Ben")
    peer.mood(Label.NOT_ATTENTIVE, 0.25, Reason.DOWN)
    await until(lambda: client.room.participants()[0].mood)
    mine = await client.json("/r/main/me", response.headers["X-EdgeAttend-Resume"])
    status = await client.json("/r/main/status", "host")
    timeline = await client.json("/r/main/timeline", "host")
    assert mine["mode"] == "individual"
    assert mine["participant"].keys() == status["participants"][0].keys()
    for key in ("id", "name", "state"):
        assert mine["participant"][key] == status["participants"][0][key]
    assert mine["participant"]["mood"]["reason"] == "down"
    assert mine["timeline"].keys() == timeline["participants"][0].keys()
    assert mine["timeline"]["id"] == mine["participant"]["id"]


@pytest.mark.parametrize("token", ["participant", "host"])
async def test_a_token_that_stands_for_nobody_has_no_view_of_its_own(client: Client, token: str) -> None:
    assert await client.error("GET", "/r/main/me", token) == (403, "role_forbidden")


async def test_who_has_no_tile_is_not_seen(client: Client) -> None:
    token = AUTHORITY.issue(Role.PARTICIPANT, "main", participant="p7", name="Zuri")
    assert await client.error("GET", "/r/main/me", token) == (404, "participant_unknown")


async def test_a_host_sees_who_shares_no_mood(client: Client) -> None:
    await client.post_offer("/whip/main", await real_offer("sendonly"))
    (person,) = (await client.json("/r/main/status", "host"))["participants"]
    assert person["mood"] is None
    assert person["video"] is None
    assert person["state"] == "connecting"


async def test_the_history_is_a_file_to_keep(client: Client) -> None:
    peer, _ = await client.join("?name=%3D1%2B1%2C%22x%22")
    peer.mood(Label.ATTENTIVE, 0.9)
    await until(lambda: ",attentive," in client.room.record.history.csv())
    async with client.request("GET", "/r/main/history.csv", "host") as response:
        assert response.content_type == "text/csv"
        assert response.charset == "utf-8"
        assert response.headers["Content-Disposition"] == 'attachment; filename="main-history.csv"'
        rows = list(csv.DictReader(io.StringIO(await response.text(), newline="")))
    assert {row["name"] for row in rows} == {'\'=1+1,"x"'}
    assert rows[-1]["label"] == "attentive"


async def test_the_server_is_well_while_its_renderers_run(client: Client) -> None:
    assert await client.json("/healthz") == {"status": "ok", "rooms": 2}
    await client.room.renderer.close()
    async with client.request("GET", "/healthz") as response:
        assert response.status == 503
        assert await response.json() == {"status": "failing", "rooms": 2}


async def test_the_annotated_stream_is_whole_jpegs(client: Client) -> None:
    async with client.request("GET", f"/r/main/annotated.mjpg?token={client.tokens['host']}") as response:
        assert response.headers["Content-Type"] == "multipart/x-mixed-replace; boundary=edgeattend-frame"
        assert response.headers["Cache-Control"] == "no-store"
        for _ in range(3):
            picture = cv2.imdecode(np.frombuffer(await next_jpeg(response), np.uint8), cv2.IMREAD_COLOR)
            assert picture is not None
            assert picture.shape == (180, 320 + PANEL_PX, 3)


async def test_the_annotated_stream_is_drawn_only_while_somebody_watches(client: Client) -> None:
    async with client.request("GET", "/r/main/annotated.mjpg", "host") as response:
        await next_jpeg(response)
        assert client.room.annotated.watchers == 1
    await until(lambda: client.room.annotated.watchers == 0)


async def test_asking_for_the_head_of_the_annotated_stream_watches_nothing(client: Client) -> None:
    async with client.request("HEAD", "/r/main/annotated.mjpg", "host") as response:
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("multipart/x-mixed-replace")
    await until(lambda: client.room.annotated.watchers == 0, timeout_s=2)


async def test_the_annotated_stream_ends_with_the_meeting(client: Client) -> None:
    async with client.request("GET", "/r/main/annotated.mjpg", "host") as response:
        await next_jpeg(response)
        client.room.annotated.close()
        rest = await response.content.read()
        assert rest.count(b"image/jpeg") <= 2


async def test_a_label_shows_in_the_annotated_stream_and_not_in_the_grid(client: Client) -> None:
    peer, _ = await client.join("?name=Ana")
    assert peer.track is not None
    scene = client.room.renderer.scene
    rect = scene.tiles[0].rect

    async def border(response: Any) -> list[int]:
        picture = cv2.imdecode(np.frombuffer(await next_jpeg(response), np.uint8), cv2.IMREAD_COLOR)
        return picture[rect.y + rect.height // 2, rect.x + 2].tolist()  # type: ignore[no-any-return]

    async with client.request("GET", "/r/main/annotated.mjpg", "host") as response:
        grey = await border(response)
        peer.mood(Label.ATTENTIVE, 0.9)
        blue, green, red = grey
        while not green > max(blue, red) + 30:  # the test's own time limit ends this
            blue, green, red = await border(response)
    assert max(grey) - min(grey) < 50
