"""Looks at the source five times a second in a thread of its own, and says what it sees; never slows the video."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Box, crop_face
from peer.perception.detector import FaceDetector
from peer.perception.window import ScoreWindow, Verdict
from peer.source import Frame, Source
from signaling.protocol import Label, Reason

logger = logging.getLogger(__name__)

PERIOD_S = 0.2
"""Five decisions a second: with the window of five, a label follows the person within a second."""

BLIND_AFTER_S = 1.0
"""Without a new frame for this long there is nothing to judge."""

NO_MODEL = Verdict(Label.UNKNOWN, 0.0, Reason.NO_MODEL)
NO_PICTURE = Verdict(Label.UNKNOWN, 0.0, Reason.PAUSED)


@dataclass(frozen=True, slots=True)
class Decision:
    """The label now, with the face it came from in the newest frame (None: no face) and that frame's number."""

    verdict: Verdict
    box: Box | None
    frame_seq: int


class PerceptionWorker:
    """Source -> detector -> classifier -> window -> `publish`, until closed.

    `classifier` None means that the model is missing: the label is `unknown`, reason `no_model`, and goes on being
    said. A failure while looking says the same, is logged once, and the next frame is looked at again.
    """

    def __init__(
        self,
        source: Source,
        classifier: AttentionClassifier | None,
        publish: Callable[[Decision], None],
        *,
        detector: FaceDetector | None = None,
        period_s: float = PERIOD_S,
    ) -> None:
        """`publish` is called from the worker's thread with every decision and must return at once."""
        self._source = source
        self._classifier = classifier
        self._publish = publish
        self._detector = detector or FaceDetector()
        self._window = ScoreWindow(classifier.card.threshold if classifier else 0.5)
        self._period_s = period_s
        self._failed = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edgeattend-perception", daemon=True)

    def start(self) -> None:
        """Begin looking."""
        self._thread.start()

    def close(self) -> None:
        """Stop; blocks for at most one decision."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        if self._classifier is None:
            self._publish(Decision(NO_MODEL, None, 0))
            return
        seq = 0
        due_s = time.monotonic()
        seen_s = due_s
        while not self._stopping.wait(max(0.0, due_s - time.monotonic())):
            frame = self._source.wait_newer(seq, self._period_s)
            now = time.monotonic()
            if frame is not None:
                seq, seen_s = frame.seq, now
                self._look(self._classifier, frame)
            elif now - seen_s > BLIND_AFTER_S:
                self._forget()
                self._publish(Decision(NO_PICTURE, None, seq))
            # A machine too slow for this decides less often, instead of never pausing.
            due_s = max(due_s + self._period_s, time.monotonic() + self._period_s / 2)

    def _look(self, classifier: AttentionClassifier, frame: Frame) -> None:
        try:
            box = self._detector.detect(frame.bgr)
            score = None
            if box is not None:
                score = classifier.score(crop_face(frame.bgr, box, classifier.card.crop_scale))
            verdict = self._window.push(score)
        except Exception:  # whatever it is, the meeting is worth more than the label
            if not self._failed:
                logger.exception("perception failed; the label is unknown until it works again")
            self._failed = True
            self._forget()
            self._publish(Decision(NO_MODEL, None, frame.seq))
            return
        self._failed = False
        if verdict is not None:
            self._publish(Decision(verdict, box, frame.seq))

    def _forget(self) -> None:
        self._detector.reset()
        self._window.clear()
