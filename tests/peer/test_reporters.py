from __future__ import annotations

import io
import json

from peer.events import JsonReporter, Reporter
from peer.grid import GridMeter, GridState
from peer.perception.window import Verdict
from peer.sender import to_planes
from peer.source import SourceState
from peer.terminal import TerminalReporter
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
