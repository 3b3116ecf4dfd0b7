from __future__ import annotations

import io
import json
import re

import pytest

from peer.events import JsonReporter, Reporter
from peer.grid import GridMeter, GridState
from peer.perception.calibration import Offset, Progress, Stage
from peer.perception.verdict import Verdict
from peer.sender import to_planes
from peer.source import SourceState
from peer.terminal import TerminalReporter, describe
from signaling.codec import Vp8Encoder
from signaling.output import Output
from signaling.protocol import Label, Reason
from signaling.rtc import EncodedFrame
from tests.peer.test_sender import picture


class Terminal(io.StringIO):
    def __init__(self, *, tty: bool) -> None:
        super().__init__()
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty


class BrokenPipe(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def tell(reporter: Reporter) -> None:
    reporter.source(SourceState.LIVE, "")
    reporter.connected("p1")
    reporter.label(Verdict(Label.ATTENTIVE, 0.912345, Reason.FACE))
    reporter.label(Verdict(Label.ATTENTIVE, 0.9, Reason.FACE))
    reporter.grid(GridState(1280, 720, 14.9, 30))
    reporter.grid(GridState(1280, 720, 15.1, 45))
    reporter.error("room_full", "no room\x1b[31m")
    reporter.label(Verdict(Label.NOT_ATTENTIVE, 0.0, Reason.NO_FACE))
    reporter.disconnected("host silent")
    reporter.close()


def test_every_event_is_one_line_of_json() -> None:
    stream = io.StringIO()
    tell(JsonReporter(Output(stream)))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "source", "state": "live", "reason": ""},
        {"event": "connected", "participant": "p1"},
        {"event": "label", "label": "attentive", "score": 0.9123, "reason": "face"},
        {"event": "label", "label": "attentive", "score": 0.9, "reason": "face"},
        {"event": "grid", "width": 1280, "height": 720, "fps": 14.9, "frames": 30},
        {"event": "grid", "width": 1280, "height": 720, "fps": 15.1, "frames": 45},
        {"event": "error", "code": "room_full", "message": "no room\x1b[31m"},
        {"event": "label", "label": "not_attentive", "score": 0.0, "reason": "no_face"},
        {"event": "disconnected", "reason": "host silent"},
    ]


def test_without_a_terminal_each_change_is_a_line() -> None:
    stream = Terminal(tty=False)
    tell(TerminalReporter(Output(stream), labels=True))
    assert stream.getvalue().splitlines() == [
        "picture live",
        "in the meeting",
        "✓ attentive 0.91",
        "grid 1280x720",
        "no room [31m [room_full]",
        "✗ not attentive (no face in the picture)",
        "not in the meeting any more: host silent",
    ]


def test_on_a_terminal_one_line_is_rewritten() -> None:
    stream = Terminal(tty=True)
    tell(TerminalReporter(Output(stream), labels=True))
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3  # the error has a line of its own
    assert lines[1].split("\r")[-1].endswith("reconnecting (host silent) · ✗ not attentive (no face in the picture)")


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_words_for_the_person(reason: Reason) -> None:
    words = describe(Verdict(Label.NOT_ATTENTIVE, 0.1, reason))
    assert (
        words == "✗ not attentive 0.10"
        if reason is Reason.FACE
        else re.fullmatch(r"✗ not attentive \([a-z ]+\)", words)
    )


def test_the_angle_is_for_the_persons_eyes_alone() -> None:
    verdict = Verdict(Label.NOT_ATTENTIVE, 0.1, Reason.TURNED, "head turned 48°")
    assert describe(verdict) == "✗ not attentive (head turned 48°)"
    stream = io.StringIO()
    reporter = JsonReporter(Output(stream))
    reporter.label(verdict)
    reporter.close()
    assert "48" not in stream.getvalue()


def calibrate(reporter: Reporter) -> None:
    for left_s in (10, 9):
        reporter.calibration(Progress(Stage.RUNNING, left_s=left_s))
    reporter.calibration(Progress(Stage.DONE, offset=Offset(yaw=12.25, pitch=-3.5)))
    reporter.calibration(Progress(Stage.RUNNING, left_s=10))
    reporter.calibration(Progress(Stage.REFUSED, message="expected open eyes"))
    reporter.calibration(Progress(Stage.SKIPPED))
    reporter.close()


def test_a_calibration_is_told_and_what_it_found_is_not() -> None:
    stream = io.StringIO()
    calibrate(JsonReporter(Output(stream)))
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {"event": "calibration", "stage": "running", "left_s": 10},
        {"event": "calibration", "stage": "running", "left_s": 9},
        {"event": "calibration", "stage": "done"},
        {"event": "calibration", "stage": "running", "left_s": 10},
        {"event": "calibration", "stage": "refused", "message": "expected open eyes"},
        {"event": "calibration", "stage": "skipped"},
    ]
    plain = Terminal(tty=False)
    calibrate(TerminalReporter(Output(plain), labels=True))
    assert plain.getvalue().splitlines() == [
        "look at the screen for 10 s",
        "calibrated to you, on this device only",
        "look at the screen for 10 s",
        "not calibrated: expected open eyes",
        "calibration skipped",
    ]
    assert "12" not in stream.getvalue() + plain.getvalue()


def test_a_terminal_counts_the_calibration_down() -> None:
    stream = Terminal(tty=True)
    calibrate(TerminalReporter(Output(stream), labels=True))
    shown = stream.getvalue().split("\r")
    assert "look at the screen: 9 s (Enter skips)" in shown[2]
    assert "calibrated to you" in shown[3]
    assert "look at the screen" not in shown[4]


def test_a_reader_that_went_away_ends_the_command() -> None:
    broken: list[bool] = []
    for reporter in (
        JsonReporter(Output(BrokenPipe(), lambda: broken.append(True))),
        TerminalReporter(Output(BrokenPipe(), lambda: broken.append(True)), labels=False),
    ):
        reporter.connected("p1")
        reporter.close()
    assert broken == [True, True]


def encoded(pts: int, arrived_s: float, encoder: Vp8Encoder) -> EncodedFrame:
    packet = encoder.encode(to_planes(picture(64, 48), 64, 48), pts)
    assert packet is not None
    return EncodedFrame("VP8", bytes(packet), pts, arrived_s, pts == 0)


def test_the_grid_meter_counts_without_decoding() -> None:
    meter, encoder = GridMeter(), Vp8Encoder(64, 48, 10, 200)
    assert meter.state(0.0) is None
    for number in range(50):
        meter.add(encoded(number, 100 + number / 10, encoder))
    state = meter.state(104.95)
    assert state is not None
    assert (state.width, state.height, state.fps, state.frames) == (64, 48, 10.0, 50)
    assert meter.state(110.0) == GridState(64, 48, 0.0, 50)
