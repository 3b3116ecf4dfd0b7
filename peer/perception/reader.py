"""What turns single looks at a face into a label over time, and the choice between two ways of doing it."""

from __future__ import annotations

import enum
from typing import Protocol

from peer.perception.attention import SteadyReader
from peer.perception.signals import Reading
from peer.perception.verdict import Verdict
from peer.perception.window import ScoreWindow


class ReaderKind(enum.StrEnum):
    """How looks become a label: `steady` is ours, `window` is the reference's plain mean of five."""

    STEADY = "steady"
    WINDOW = "window"


class Reader(Protocol):
    """Reads a person over time."""

    def push(self, time_s: float, reading: Reading | None) -> Verdict | None:
        """Add one look, at `time_s` of a clock that never goes back; None for no face.

        The verdict now, or None while too little was seen.
        """

    def clear(self) -> None:
        """Begin anew: what comes next has nothing to do with what was."""


def make_reader(kind: ReaderKind, threshold: float) -> Reader:
    """A fresh reader for scores of which those from `threshold` on are attentive."""
    return SteadyReader(threshold) if kind is ReaderKind.STEADY else ScoreWindow(threshold)
