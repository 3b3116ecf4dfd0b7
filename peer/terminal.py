"""What `edgeattend join` tells its user in a terminal: one line that updates itself, or a line per change."""

from __future__ import annotations

import shutil
import unicodedata

from peer.grid import GridState
from peer.perception.calibration import CALIBRATION_S, Progress, Stage
from peer.perception.verdict import Verdict
from peer.source import SourceState
from signaling.output import Output
from signaling.protocol import Label, Reason

WORDS = {Label.ATTENTIVE: "attentive", Label.NOT_ATTENTIVE: "not attentive", Label.UNKNOWN: "unknown"}
SIGNS = {Label.ATTENTIVE: "✓", Label.NOT_ATTENTIVE: "✗", Label.UNKNOWN: "?"}
REASONS = {
    Reason.FACE: "",
    Reason.NO_FACE: "no face in the picture",
    Reason.PAUSED: "no picture",
    Reason.NO_MODEL: "no model",
    Reason.AWAY: "nobody in the picture",
    Reason.TURNED: "head turned away",
    Reason.DOWN: "looking down",
    Reason.EYES_CLOSED: "eyes closed",
    Reason.LOOKING_OFF: "looking off",
}
CALIBRATIONS = {
    Stage.DONE: "calibrated to you, on this device only",
    Stage.REFUSED: "not calibrated",
    Stage.SKIPPED: "calibration skipped",
}
"""How they end."""

CLEAR_LINE = "\r\x1b[2K"


def reason_of(verdict: Verdict) -> str:
    """Why, in words for the person themself: `head turned 48°`; "" where there is nothing to say."""
    return verdict.detail or REASONS[verdict.reason]


def describe(verdict: Verdict) -> str:
    """The label in words, never by colour: `✓ attentive 0.93`."""
    reason = reason_of(verdict)
    detail = f"({reason})" if reason else f"{verdict.score:.2f}"
    return f"{SIGNS[verdict.label]} {WORDS[verdict.label]} {detail}"


class TerminalReporter:
    """Knows the whole status; on a terminal it rewrites one line, elsewhere it appends what changed."""

    def __init__(self, output: Output, *, labels: bool) -> None:
        self._output = output
        self._tty = output.isatty()
        self._meeting = "connecting"
        self._label = "looking" if labels else "labels off"
        self._grid = ""
        self._source = ""
        self._calibration = ""
        self._kind: tuple[Label, Reason] | None = None
        self._shown = False

    def connected(self, participant: str) -> None:
        """The id is of no interest to a person."""
        del participant
        self._meeting = "in the meeting"
        self._change(self._meeting)

    def disconnected(self, reason: str) -> None:
        """The grid is gone with the meeting."""
        self._meeting, self._grid = f"reconnecting ({reason})", ""
        self._change(f"not in the meeting any more: {reason}")

    def label(self, verdict: Verdict) -> None:
        """A line only where the label or its reason changed."""
        self._label = describe(verdict)
        kind = (verdict.label, verdict.reason)
        if kind != self._kind:
            self._kind = kind
            self._change(self._label)
        else:
            self._refresh()

    def grid(self, grid: GridState) -> None:
        """A line only where the size changed."""
        size = f"grid {grid.width}x{grid.height}"
        changed = not self._grid.startswith(size)
        self._grid = f"{size} {grid.fps:.0f}/s"
        if changed:
            self._change(size)
        else:
            self._refresh()

    def calibration(self, progress: Progress) -> None:
        """A countdown on the line, and how it ended on a line of its own."""
        if progress.stage is not Stage.RUNNING:
            self._calibration = ""
            self._line(": ".join(filter(None, (CALIBRATIONS[progress.stage], progress.message))))
            self._refresh()
            return
        began = not self._calibration
        self._calibration = f"look at the screen: {progress.left_s} s (Enter skips)"
        if self._tty:
            self._refresh()
        elif began:
            self._line(f"look at the screen for {CALIBRATION_S:.0f} s")

    def source(self, state: SourceState, reason: str) -> None:
        """Only trouble is worth space on the line."""
        self._source = f"no picture: {reason}" if state is SourceState.LOST else ""
        self._change(self._source or f"picture {state}")

    def error(self, code: str, message: str) -> None:
        """Errors stay on the screen, each on a line of its own."""
        self._line(f"{message} [{code}]")
        self._refresh()

    def close(self) -> None:
        """Leave the cursor on a fresh line."""
        if self._shown:
            self._output.write("\n")
            self._shown = False
        self._output.close()

    def _change(self, text: str) -> None:
        if self._tty:
            self._refresh()
        else:
            self._line(text)

    def _refresh(self) -> None:
        if not self._tty:
            return
        parts = (self._calibration, self._meeting, self._label, self._grid, self._source)
        status = " · ".join(filter(None, parts))
        # A line that wraps cannot be rewritten.
        self._output.write(CLEAR_LINE + _printable(status)[: shutil.get_terminal_size().columns - 1])
        self._shown = True

    def _line(self, text: str) -> None:
        self._output.write((CLEAR_LINE if self._shown else "") + _printable(text) + "\n")
        self._shown = False


def _printable(text: str) -> str:
    """Without control characters: what a host says must not steer the terminal."""
    return "".join(char if unicodedata.category(char)[0] != "C" else " " for char in text)
