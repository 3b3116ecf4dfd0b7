"""What `edgeattend join` tells its user, as one JSON object per line on standard output (`--json`)."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from peer.grid import GridState
from peer.perception.calibration import Progress, Stage
from peer.perception.verdict import Verdict
from peer.source import SourceState
from signaling.output import Output


class Reporter(Protocol):
    """Everything that happens to a participant; called on the event loop."""

    def connected(self, participant: str) -> None:
        """In the meeting, with this id ("": the host did not say)."""

    def disconnected(self, reason: str) -> None:
        """Not in the meeting any more."""

    def label(self, verdict: Verdict) -> None:
        """The label now: at every change and once a second."""

    def grid(self, grid: GridState) -> None:
        """The shared grid now: once a second."""

    def calibration(self, progress: Progress) -> None:
        """How a calibration goes: once a second while it runs, and at its end."""

    def source(self, state: SourceState, reason: str) -> None:
        """The source changed its state."""

    def error(self, code: str, message: str) -> None:
        """Something that the user should know of."""

    def close(self) -> None:
        """Nothing more will come."""


class JsonReporter:
    """One line per event, flushed, so that whoever reads the pipe sees it at once."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def connected(self, participant: str) -> None:
        """`participant`: id."""
        self._write(event="connected", participant=participant)

    def disconnected(self, reason: str) -> None:
        """`reason`: a word or two."""
        self._write(event="disconnected", reason=reason)

    def label(self, verdict: Verdict) -> None:
        """`label`, `score`, `reason` as on the wire."""
        self._write(event="label", label=verdict.label, score=round(verdict.score, 4), reason=verdict.reason)

    def grid(self, grid: GridState) -> None:
        """`width`, `height` in pixels, `fps` as received, `frames` in all."""
        self._write(event="grid", width=grid.width, height=grid.height, fps=grid.fps, frames=grid.frames)

    def calibration(self, progress: Progress) -> None:
        """`stage`, with `left_s` while it runs, and a `message` where it was refused; never what was measured."""
        more: dict[str, Any] = {"left_s": progress.left_s} if progress.stage is Stage.RUNNING else {}
        if progress.message:
            more["message"] = progress.message
        self._write(event="calibration", stage=progress.stage, **more)

    def source(self, state: SourceState, reason: str) -> None:
        """`state`: opening, live or lost."""
        self._write(event="source", state=state, reason=reason)

    def error(self, code: str, message: str) -> None:
        """`code`: stable; `message`: for people."""
        self._write(event="error", code=code, message=message)

    def close(self) -> None:
        """Each line is complete; the last ones may still be on their way."""
        self._output.close()

    def _write(self, **event: Any) -> None:
        self._output.write(msgspec.json.encode(event).decode() + "\n")
