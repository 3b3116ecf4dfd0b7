"""The five-frame window that turns single scores into a label that does not flicker."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from signaling.protocol import Label, Reason

WINDOW_FRAMES = 5
"""One second at five frames a second: longer than a blink, shorter than a glance at a phone."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label, the score behind it (0..1), and why."""

    label: Label
    score: float
    reason: Reason


class ScoreWindow:
    """The last `WINDOW_FRAMES` scores; None stands for a frame without a face."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._scores: deque[float | None] = deque(maxlen=WINDOW_FRAMES)

    def clear(self) -> None:
        """Begin anew: what comes next has nothing to do with what was."""
        self._scores.clear()

    def push(self, score: float | None) -> Verdict | None:
        """Add one frame's score, 0..1, or None for no face; the verdict once the window is full, None before.

        A frame without a face counts 0.0 in the mean: somebody of whom two frames in five show no face must be
        clearly attentive in the other three. Without a face in more than half, nobody is there.
        """
        self._scores.append(score)
        if len(self._scores) < WINDOW_FRAMES:
            return None
        missing = sum(score is None for score in self._scores)
        if 2 * missing > WINDOW_FRAMES:
            return Verdict(Label.NOT_ATTENTIVE, 0.0, Reason.NO_FACE)
        mean = sum(score or 0.0 for score in self._scores) / WINDOW_FRAMES
        label = Label.ATTENTIVE if mean >= self._threshold else Label.NOT_ATTENTIVE
        return Verdict(label, mean, Reason.FACE)
