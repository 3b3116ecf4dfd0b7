"""The reference's rule: the mean of five scores, a label that hardly flickers. Chosen by `--reading window`."""

from __future__ import annotations

from collections import deque

from peer.perception.signals import Reading
from peer.perception.verdict import Verdict
from signaling.protocol import Label, Reason

WINDOW_FRAMES = 5
"""One second at five frames a second: longer than a blink, shorter than a glance at a phone."""


class ScoreWindow:
    """The last `WINDOW_FRAMES` scores; None stands for a frame without a face."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._scores: deque[float | None] = deque(maxlen=WINDOW_FRAMES)

    def clear(self) -> None:
        """See `peer.perception.reader.Reader`."""
        self._scores.clear()

    def push(self, time_s: float, reading: Reading | None) -> Verdict | None:
        """Add one frame, None for no face; the verdict once the window is full, None before. It counts frames,
        whatever the time.

        A frame without a face counts 0.0 in the mean: somebody of whom two frames in five show no face must be
        clearly attentive in the other three. Without a face in more than half, nobody is there.
        """
        del time_s
        self._scores.append(None if reading is None else reading.score)
        if len(self._scores) < WINDOW_FRAMES:
            return None
        missing = sum(score is None for score in self._scores)
        if 2 * missing > WINDOW_FRAMES:
            return Verdict(Label.NOT_ATTENTIVE, 0.0, Reason.NO_FACE)
        mean = sum(score or 0.0 for score in self._scores) / WINDOW_FRAMES
        label = Label.ATTENTIVE if mean >= self._threshold else Label.NOT_ATTENTIVE
        return Verdict(label, mean, Reason.FACE)
