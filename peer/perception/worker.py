"""Looks at the source five times a second in a thread of its own, and says what it sees; never slows the video."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from peer.perception.calibration import Calibrator, Offset, Progress, Stage
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Box, crop_face
from peer.perception.detector import FaceDetector
from peer.perception.limits import THRESHOLD
from peer.perception.reader import Reader, ReaderKind, make_reader
from peer.perception.signals import Reading
from peer.perception.verdict import Verdict
from peer.source import Frame, Source
from signaling.protocol import Label, Reason

logger = logging.getLogger(__name__)

PERIOD_S = 0.2
"""Five decisions a second: a label follows the person within a second."""

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


@dataclass(frozen=True)
class PerceptionConfig:
    """How a person is read: `offset` is their calibration, `calibrate` makes a new one from the first seconds."""

    reader: ReaderKind = ReaderKind.STEADY
    offset: Offset | None = None
    calibrate: bool = False


class PerceptionWorker:
    """Source -> detector -> classifier -> reader -> `publish`, until closed.

    `classifier` or `detector` None means that its model is missing: the label is `unknown`, reason `no_model`, and goes
    on being said. A failure while looking says the same, is logged once, and the next frame is looked at again.
    """

    def __init__(
        self,
        source: Source,
        classifier: AttentionClassifier | None,
        detector: FaceDetector | None,
        publish: Callable[[Decision], None],
        *,
        config: PerceptionConfig | None = None,
        on_calibration: Callable[[Progress], None] = lambda _: None,
        period_s: float = PERIOD_S,
    ) -> None:
        """Both callbacks are called from the worker's thread, `publish` with every decision, `on_calibration` once
        a second while there is one and at its end; both must return at once."""
        self._source = source
        self._classifier = classifier
        self._publish = publish
        self._on_calibration = on_calibration
        self._detector = detector
        self._config = config or PerceptionConfig()
        self._offset = self._config.offset
        self._reader = self._make_reader()
        self._calibrator = Calibrator() if self._config.calibrate else None
        self._progress: Progress | None = None
        self._skipped = threading.Event()
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

    def skip_calibration(self) -> None:
        """End a calibration that runs, without its result."""
        self._skipped.set()

    def _make_reader(self) -> Reader:
        """A calibrated score is made by the limits, whose threshold isn't the model's."""
        threshold = THRESHOLD if self._offset or self._classifier is None else self._classifier.card.threshold
        return make_reader(self._config.reader, threshold)

    def _run(self) -> None:
        classifier, detector = self._classifier, self._detector
        if classifier is None or detector is None:
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
                self._look(classifier, detector, frame)
            elif now - seen_s > BLIND_AFTER_S:
                self._calibrate(now, None)
                self._forget(detector)
                self._publish(Decision(NO_PICTURE, None, seq))
            # A machine too slow for this decides less often, instead of never pausing.
            due_s = max(due_s + self._period_s, time.monotonic() + self._period_s / 2)

    def _look(self, classifier: AttentionClassifier, detector: FaceDetector, frame: Frame) -> None:
        try:
            box = detector.detect(frame.bgr)
            reading = None
            if box is not None:
                reading = classifier.look(crop_face(frame.bgr, box, classifier.card.crop_scale))
            self._calibrate(frame.captured_s, reading)
            if reading is not None and self._offset is not None:
                reading = self._offset.seen_from_screen(reading)
            verdict = self._reader.push(frame.captured_s, reading)
        except Exception:  # whatever it is, the meeting is worth more than the label
            if not self._failed:
                logger.exception("perception failed; the label is unknown until it works again")
            self._failed = True
            self._forget(detector)
            self._publish(Decision(NO_MODEL, None, frame.seq))
            return
        self._failed = False
        if verdict is not None:
            self._publish(Decision(verdict, box, frame.seq))

    def _calibrate(self, time_s: float, reading: Reading | None) -> None:
        """Let a calibration that runs see this look; its end changes how all later ones are read."""
        if self._calibrator is None:
            return
        progress = Progress(Stage.SKIPPED) if self._skipped.is_set() else self._calibrator.add(time_s, reading)
        if progress.stage is not Stage.RUNNING:
            self._calibrator = None
        if progress.offset is not None:
            self._offset = progress.offset
            self._reader = self._make_reader()
        if progress != self._progress:
            self._progress = progress
            self._on_calibration(progress)

    def _forget(self, detector: FaceDetector) -> None:
        detector.reset()
        self._reader.clear()
