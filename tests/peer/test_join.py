from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from peer.join import EXIT_FAILED, EXIT_FINE, EXIT_USAGE, JoinConfig, join
from peer.leave import Leave
from signaling.protocol import Label, Mood
from tests.peer.clips import CLIPS
from tests.peer.fake_host import running_host


def config(url: str, **options: Any) -> JoinConfig:
    return JoinConfig(**({"url": url, "name": "Ana", "source": "test", "json": True} | options))


def events(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = capsys.readouterr()
    assert not err
    return [json.loads(line) for line in out.splitlines()]


async def test_a_participant_reports_connection_label_and_grid_and_leaves_when_asked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave = Leave()
    async with running_host() as host:
        joining = asyncio.create_task(join(config(host.url, source=str(CLIPS / "ana.mp4")), leave=leave))
        session = await host.session(0)
        await host.until(lambda: any(isinstance(message, Mood) for message in session.messages))
        await host.until(lambda: len(session.frames) > 20)
        leave.ask()
        assert await joining == EXIT_FINE
        assert session.deleted
    heard = events(capsys)
    assert {"event": "connected", "participant": "p0"} in heard
    assert {"attentive"} == {event["label"] for event in heard if event["event"] == "label"}
    grid = next(event for event in heard if event["event"] == "grid")
    assert (grid["width"], grid["height"]) == (320, 180)
    assert grid["fps"] > 5
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("edgeattend")]


async def test_a_broken_model_is_told_and_the_meeting_goes_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    leave = Leave()
    async with running_host() as host:
        joining = asyncio.create_task(join(config(host.url, model=tmp_path / "none.onnx"), leave=leave))
        session = await host.session(0)
        await host.until(lambda: bool(session.frames) and any(isinstance(one, Mood) for one in session.messages))
        assert {one.label for one in session.messages if isinstance(one, Mood)} == {Label.UNKNOWN}
        leave.ask()
        assert await joining == EXIT_FINE
    heard = events(capsys)
    assert [event["code"] for event in heard if event["event"] == "error"] == ["model_unavailable"]
    assert {"event": "label", "label": "unknown", "score": 0.0, "reason": "no_model"} in heard


async def test_without_labels_nobody_looks_and_nothing_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("perception was built")

    monkeypatch.setattr("peer.participant.PerceptionWorker", refuse)
    monkeypatch.setattr("peer.join.AttentionClassifier", refuse)
    leave = Leave()
    async with running_host() as host:
        joining = asyncio.create_task(join(config(host.url, labels=False), leave=leave))
        session = await host.session(0)
        await host.until(lambda: len(session.messages) > 12)  # pongs, over a second
        assert not any(isinstance(one, Mood) for one in session.messages)
        leave.ask()
        assert await joining == EXIT_FINE
    assert "label" not in {event["event"] for event in events(capsys)}


async def test_the_time_runs_out_and_without_a_meeting_that_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    async with running_host() as host:
        port = host.port
        assert await join(config(host.url, seconds=3.0)) == EXIT_FINE
    assert await join(config(f"http://127.0.0.1:{port}/r/main?token=t", seconds=0.3)) == EXIT_FAILED
    assert "host_unreachable" in [event.get("code") for event in events(capsys)]


async def test_a_refusal_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    async with running_host() as host:
        host.refuse = [(403, "room_forbidden")]
        assert await join(config(host.url)) == EXIT_FAILED
    assert {"event": "error", "code": "room_forbidden", "message": "refused: room_forbidden"} in events(capsys)


@pytest.mark.parametrize(
    ("options", "code", "result"),
    [
        ({"url": "http://host/r/main"}, "config_invalid", EXIT_USAGE),
        ({"name": "  "}, "name_invalid", EXIT_USAGE),
        ({"source": "camera:x"}, "config_invalid", EXIT_USAGE),
        ({"source": "/no/such/clip.mp4"}, "source_unavailable", EXIT_FAILED),
    ],
)
async def test_a_command_line_that_cannot_work_says_so(
    capsys: pytest.CaptureFixture[str], options: dict[str, Any], code: str, result: int
) -> None:
    assert await join(config(**({"url": "http://127.0.0.1:9/r/main?token=t"} | options))) == result
    assert [event["code"] for event in events(capsys)] == [code]
