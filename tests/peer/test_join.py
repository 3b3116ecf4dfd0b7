from __future__ import annotations

import asyncio
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from peer.calibrations import FILE_NAME, Calibrations, Entry
from peer.join import EXIT_FAILED, EXIT_FINE, EXIT_USAGE, JoinConfig, join
from peer.leave import Leave
from peer.perception import calibration
from peer.perception.calibration import Offset
from peer.perception.face_model import FaceModel
from peer.perception.reader import ReaderKind
from peer.perception.signals import SIGNAL_NAMES
from signaling.protocol import Label, Mood, Reason
from tests.peer.clips import CLIPS
from tests.peer.fake_classifier import FakeClassifier, FindingDetector
from tests.peer.fake_host import FakeSession, running_host
from tests.peer.onnx_bytes import model, write_model
from tests.peer.people import GOOD, LOOKING, seen

SHORT_S = 2.0
"""Of a calibration, for tests: as many looks as it needs at least."""


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


def reasons_of(session: FakeSession) -> list[Reason]:
    return [message.reason for message in session.messages if isinstance(message, Mood)]


async def test_the_reason_is_told_on_the_wire_and_to_the_user_and_the_angle_to_nobody(
    capsys: pytest.CaptureFixture[str],
) -> None:
    leave = Leave()
    async with running_host() as host:
        joining = asyncio.create_task(join(config(host.url, source=str(CLIPS / "ben.mp4")), leave=leave))
        session = await host.session(0)
        await host.until(lambda: Reason.DOWN in reasons_of(session), 20)
        leave.ask()
        assert await joining == EXIT_FINE
    assert set(reasons_of(session)) == {Reason.FACE, Reason.DOWN}
    labels = [event for event in events(capsys) if event["event"] == "label"]
    assert ("attentive", "face") in {(event["label"], event["reason"]) for event in labels}
    assert {event["label"] for event in labels if event["reason"] == "down"} == {"not_attentive"}
    assert all(event.keys() == {"event", "label", "score", "reason"} for event in labels)


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> FakeClassifier:
    """Stands in for the model: it sees a head that is turned by 35 degrees, in every picture."""
    found = FakeClassifier(seen(yaw=35.0, gaze_yaw=30.0))
    monkeypatch.setattr("peer.join.AttentionClassifier", lambda _: found)
    monkeypatch.setattr("peer.join.FaceDetector", lambda _: FindingDetector())
    monkeypatch.setattr(calibration, "CALIBRATION_S", SHORT_S)
    return found


async def until_said(reason: Reason, label: Label, **options: Any) -> list[Mood]:
    """Join until a mood says both; all of them."""
    leave = Leave()
    async with running_host() as host:
        joining = asyncio.create_task(join(config(host.url, **options), leave=leave))
        session = await host.session(0)

        def said() -> list[Mood]:
            return [message for message in session.messages if isinstance(message, Mood)]

        await host.until(lambda: any((mood.reason, mood.label) == (reason, label) for mood in said()), 20)
        leave.ask()
        assert await joining == EXIT_FINE
        return said()


async def test_a_calibration_is_made_kept_used_the_next_time_and_forgotten(
    beside: FakeClassifier, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await until_said(Reason.FACE, Label.ATTENTIVE, calibrate=True, calibrations=tmp_path)
    heard = events(capsys)
    stages = [event["stage"] for event in heard if event["event"] == "calibration"]
    assert stages == ["running"] * (len(stages) - 1) + ["done"]
    assert next(event["reason"] for event in heard if event["event"] == "label") == "turned"  # before it was done
    assert "35" not in str([event for event in heard if event["event"] in ("calibration", "error")])
    assert Calibrations(tmp_path).load("Ana", "test", beside.card.sha256) == Offset(yaw=35.0, gaze_yaw=30.0)

    moods = await until_said(Reason.FACE, Label.ATTENTIVE, calibrations=tmp_path)
    assert {mood.label for mood in moods} == {Label.ATTENTIVE}
    moods = await until_said(Reason.TURNED, Label.NOT_ATTENTIVE, calibrations=tmp_path, name="Ben")
    assert {mood.label for mood in moods} == {Label.NOT_ATTENTIVE}

    await until_said(Reason.TURNED, Label.NOT_ATTENTIVE, calibrations=tmp_path, forget_calibration=True)
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_calibration_that_cannot_be_used_is_told_and_the_meeting_goes_on(
    beside: FakeClassifier, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    Calibrations(tmp_path).save(Entry("Ana", "test", "another model", Offset(yaw=35.0)))
    await until_said(Reason.TURNED, Label.NOT_ATTENTIVE, calibrations=tmp_path)
    (tmp_path / FILE_NAME).write_text("{")
    await until_said(Reason.TURNED, Label.NOT_ATTENTIVE, calibrations=tmp_path)
    errors = [event for event in events(capsys) if event["event"] == "error"]
    assert [event["code"] for event in errors] == ["calibration_unusable"] * 2
    assert "another" in errors[0]["message"]
    assert "damaged" in errors[1]["message"]


async def test_a_calibration_that_is_refused_keeps_nothing(
    beside: FakeClassifier, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    beside.sees = seen(yaw=60.0)
    leave = Leave()
    async with running_host() as host:
        joining = asyncio.create_task(join(config(host.url, calibrate=True, calibrations=tmp_path), leave=leave))
        session = await host.session(0)
        heard: list[dict[str, Any]] = []

        def refused() -> bool:
            heard.extend(events(capsys))
            return any(event.get("stage") == "refused" for event in heard)

        await host.until(refused, 20)
        assert Reason.TURNED in reasons_of(session)
        leave.ask()
        assert await joining == EXIT_FINE
    assert "move it closer" in next(event["message"] for event in heard if event.get("stage") == "refused")
    assert not (tmp_path / FILE_NAME).exists()


async def test_a_calibration_that_cannot_be_kept_holds_for_this_meeting(
    beside: FakeClassifier, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    await until_said(Reason.FACE, Label.ATTENTIVE, calibrate=True, calibrations=tmp_path / "file")
    errors = [event["message"] for event in events(capsys) if event["event"] == "error"]
    assert "expected to write" in errors[-1]
    assert errors[-1].endswith("holds for this meeting only")


async def test_a_model_without_signals_cannot_be_calibrated(
    beside: FakeClassifier, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    beside.sees = GOOD
    Calibrations(tmp_path).save(Entry("Ana", "test", beside.card.sha256, Offset(yaw=35.0)))
    await until_said(Reason.FACE, Label.ATTENTIVE, calibrate=True, calibrations=tmp_path)
    heard = events(capsys)
    assert [event["code"] for event in heard if event["event"] == "error"] == ["calibration_refused"]
    assert "calibration" not in {event["event"] for event in heard}


async def test_enter_skips_the_calibration(
    beside: FakeClassifier, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside.sees = LOOKING
    monkeypatch.setattr(calibration, "CALIBRATION_S", 60.0)
    keyboard, terminal = os.openpty()
    leave = Leave()
    with open(terminal, closefd=True) as stdin:  # noqa: PTH123, ASYNC230  a descriptor has no path
        monkeypatch.setattr("sys.stdin", stdin)
        async with running_host() as host:
            joining = asyncio.create_task(join(config(host.url, calibrate=True), leave=leave))
            session = await host.session(0)
            await host.until(lambda: Reason.FACE in reasons_of(session), 20)
            os.write(keyboard, b"\n")
            heard: list[dict[str, Any]] = []

            def skipped() -> bool:
                heard.extend(events(capsys))
                return any(event.get("stage") == "skipped" for event in heard)

            await host.until(skipped, 20)
            leave.ask()
            assert await joining == EXIT_FINE
    os.close(keyboard)


async def test_the_reference_reading_can_be_chosen(beside: FakeClassifier, capsys: pytest.CaptureFixture[str]) -> None:
    moods = await until_said(Reason.FACE, Label.NOT_ATTENTIVE, reader=ReaderKind.WINDOW)
    assert {mood.reason for mood in moods} == {Reason.FACE}
    events(capsys)


async def test_a_model_whose_card_promises_too_much_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model(), signals=list(SIGNAL_NAMES))
    await until_said(Reason.NO_MODEL, Label.UNKNOWN, model=path)
    errors = [event for event in events(capsys) if event["event"] == "error"]
    assert [event["code"] for event in errors] == ["model_unavailable"]
    assert "signals" in errors[0]["message"]


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


async def test_a_missing_face_model_is_told_and_the_meeting_goes_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("peer.join.FaceModel", lambda: FaceModel(tmp_path / "face.onnx"))
    await until_said(Reason.NO_MODEL, Label.UNKNOWN)
    errors = [event for event in events(capsys) if event["event"] == "error"]
    assert [event["code"] for event in errors] == ["model_unavailable"]
    assert "face.onnx" in errors[0]["message"]


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
        ({"calibrate": True, "labels": False}, "config_invalid", EXIT_USAGE),
        ({"source": "camera:x"}, "config_invalid", EXIT_USAGE),
        ({"source": "/no/such/clip.mp4"}, "source_unavailable", EXIT_FAILED),
    ],
)
async def test_a_command_line_that_cannot_work_says_so(
    capsys: pytest.CaptureFixture[str], options: dict[str, Any], code: str, result: int
) -> None:
    assert await join(config(**({"url": "http://127.0.0.1:9/r/main?token=t"} | options))) == result
    assert [event["code"] for event in events(capsys)] == [code]
