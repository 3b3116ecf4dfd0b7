"""Detector, crop, classifier and reader together, on the demo clips."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from peer.join import DEFAULT_MODEL
from peer.perception.calibration import Offset, Progress, Stage
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Box
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from peer.perception.reader import ReaderKind
from peer.perception.worker import PERIOD_S, Decision, PerceptionConfig, PerceptionWorker
from peer.source import Frame, Pixels
from peer.testpattern import TestPatternSource
from signaling.protocol import Label, Reason
from tests.peer import clips
from tests.peer.fake_classifier import FakeClassifier, FindingDetector
from tests.peer.fake_source import FakeSource
from tests.peer.people import LOOKING, seen

EVERY = 3
"""Of 15 frames/s: the five a second of a meeting."""
ON_THE_WAY_S = 1.0
"""Who leaves the picture or enters it is partly in it for this long, whatever the truth calls it."""


@pytest.fixture(scope="module")
def classifier() -> AttentionClassifier:
    return AttentionClassifier(DEFAULT_MODEL)


@pytest.fixture
def detector() -> FaceDetector:
    return FaceDetector(FaceModel())


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize("clip", clips.NAMES)
def test_a_face_is_found_in_nearly_every_frame_and_an_empty_picture_has_none(clip: str, detector: FaceDetector) -> None:
    truth = clips.truth(clip).frames
    frontal: list[bool] = []
    empty: list[bool] = []
    for index, bgr in clips.frames(clip, EVERY):
        found = detector.detect(bgr) is not None
        frame = truth[index]
        if not frame.face:
            near = [other.face for other in truth if abs(other.time_s - frame.time_s) < ON_THE_WAY_S]
            if not any(near):
                empty.append(found)
        elif frame.yaw is not None and frame.pitch is not None and abs(frame.yaw) < 20 and frame.pitch > -12:
            frontal.append(found)
    assert np.mean(frontal) >= 0.97
    assert not any(empty)
    assert bool(empty) == (clip == "omar")


def next_decision(decisions: queue.Queue[Decision], label: Label, reason: Reason) -> Decision:
    while True:
        decision = decisions.get(timeout=20)
        if (decision.verdict.label, decision.verdict.reason) == (label, reason):
            return decision


class FeedingSource(FakeSource):
    """Shows `faces` pictures and `empties` black ones, taken 0.2 s apart whenever they are asked for."""

    def __init__(self, faces: int, empties: int = 0, face: Pixels | None = None) -> None:
        super().__init__()
        face = np.full((48, 64, 3), 128, np.uint8) if face is None else face
        self._pictures = [face] * faces + [np.zeros_like(face)] * empties
        self._count = 0

    def wait_newer(self, seq: int, timeout_s: float) -> Frame | None:
        if self._count >= len(self._pictures):
            return super().wait_newer(seq, timeout_s)
        self._count += 1
        return Frame(self._pictures[self._count - 1], self._count, captured_s=self._count * PERIOD_S)


def heard_from(
    source: FeedingSource, classifier: AttentionClassifier, config: PerceptionConfig | None = None, skip: bool = False
) -> tuple[list[Decision], list[Progress]]:
    """All decisions on what `source` shows, and how the calibration went."""
    decisions: queue.Queue[Decision] = queue.Queue()
    progress: list[Progress] = []
    worker = PerceptionWorker(
        source,
        classifier,
        FindingDetector(),
        decisions.put,
        config=config,
        on_calibration=progress.append,
        period_s=0.001,
    )
    if skip:
        worker.skip_calibration()
    worker.start()
    found: list[Decision] = []
    try:
        while not found or found[-1].verdict.reason is not Reason.PAUSED:
            found.append(decisions.get(timeout=20))
    finally:
        worker.close()
    return found[:-1], progress


def test_the_worker_decides_on_the_latest_frames(classifier: AttentionClassifier, detector: FaceDetector) -> None:
    _, face = next(clips.frames("zuri", 1))
    decisions: queue.Queue[Decision] = queue.Queue()
    worker = PerceptionWorker(FeedingSource(8, 8, face), classifier, detector, decisions.put, period_s=0.01)
    worker.start()
    try:
        attentive = next_decision(decisions, Label.ATTENTIVE, Reason.FACE)
        assert attentive.box is not None
        assert attentive.verdict.score > 0.5
        assert next_decision(decisions, Label.NOT_ATTENTIVE, Reason.AWAY).verdict.score == 0.0
        next_decision(decisions, Label.UNKNOWN, Reason.PAUSED)  # nothing comes any more
    finally:
        worker.close()


def test_the_worker_reads_as_it_is_told_to() -> None:
    steady, _ = heard_from(FeedingSource(8, 8), FakeClassifier(LOOKING))
    assert [one.verdict.reason for one in steady][-1] is Reason.AWAY
    plain, _ = heard_from(FeedingSource(8, 8), FakeClassifier(LOOKING), PerceptionConfig(ReaderKind.WINDOW))
    assert [one.verdict.reason for one in plain][-1] is Reason.NO_FACE


def test_a_calibrated_person_is_read_relative_to_themself() -> None:
    beside = FakeClassifier(seen(yaw=35.0))
    plain, _ = heard_from(FeedingSource(8), beside)
    assert plain[-1].verdict.reason is Reason.TURNED
    for kind in ReaderKind:
        personal, _ = heard_from(FeedingSource(8), beside, PerceptionConfig(kind, Offset(yaw=30.0)))
        assert personal[-1].verdict.label is Label.ATTENTIVE


def test_a_calibrated_score_is_held_against_the_limits_and_not_the_models_threshold() -> None:
    strict = FakeClassifier(seen(yaw=35.0), threshold=0.99)
    plain, _ = heard_from(FeedingSource(8), FakeClassifier(LOOKING, threshold=0.99))
    assert plain[-1].verdict.label is Label.NOT_ATTENTIVE
    personal, _ = heard_from(FeedingSource(8), strict, PerceptionConfig(offset=Offset(yaw=30.0)))
    assert personal[-1].verdict.label is Label.ATTENTIVE


def test_a_calibration_counts_down_and_holds_from_its_end_on() -> None:
    beside = FakeClassifier(seen(yaw=35.0))
    decisions, progress = heard_from(FeedingSource(70), beside, PerceptionConfig(calibrate=True))
    assert [one.left_s for one in progress[:-1]] == list(range(10, 0, -1))
    assert progress[-1].stage is Stage.DONE
    assert progress[-1].offset is not None
    assert progress[-1].offset.yaw == 35.0
    assert decisions[0].verdict.reason is Reason.TURNED  # the meeting goes on meanwhile
    assert decisions[-1].verdict.label is Label.ATTENTIVE


def test_a_calibration_that_is_skipped_or_refused_leaves_what_was() -> None:
    before = PerceptionConfig(offset=Offset(yaw=30.0), calibrate=True)
    decisions, progress = heard_from(FeedingSource(10), FakeClassifier(seen(yaw=35.0)), before, skip=True)
    assert [one.stage for one in progress] == [Stage.SKIPPED]
    assert decisions[-1].verdict.label is Label.ATTENTIVE
    decisions, progress = heard_from(FeedingSource(25, 35), FakeClassifier(seen(yaw=35.0)), before)
    assert progress[-1].stage is Stage.REFUSED
    assert decisions[0].verdict.label is Label.ATTENTIVE


def test_a_calibration_before_a_camera_that_gives_no_picture_can_be_skipped() -> None:
    _, progress = heard_from(
        FeedingSource(0), FakeClassifier(seen(yaw=0.0)), PerceptionConfig(calibrate=True), skip=True
    )
    assert [one.stage for one in progress] == [Stage.SKIPPED]


@pytest.mark.parametrize("missing", ["classifier", "detector"])
def test_without_a_model_the_label_is_unknown(missing: str) -> None:
    decisions: queue.Queue[Decision] = queue.Queue()
    classifier = None if missing == "classifier" else FakeClassifier(LOOKING)
    detector = None if missing == "detector" else FindingDetector()
    worker = PerceptionWorker(FakeSource(), classifier, detector, decisions.put)
    worker.start()
    next_decision(decisions, Label.UNKNOWN, Reason.NO_MODEL)
    worker.close()


def test_a_failure_is_logged_once_and_the_worker_lives_on(
    classifier: AttentionClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    class BrittleDetector(FindingDetector):
        calls = 0

        def detect(self, bgr: Pixels) -> Box | None:
            self.calls += 1
            if self.calls <= 3:
                raise RuntimeError("out of order")
            return None

    decisions: queue.Queue[Decision] = queue.Queue()
    source = TestPatternSource()
    source.start()
    worker = PerceptionWorker(source, classifier, BrittleDetector(), decisions.put, period_s=0.01)
    worker.start()
    try:
        next_decision(decisions, Label.UNKNOWN, Reason.NO_MODEL)
        next_decision(decisions, Label.NOT_ATTENTIVE, Reason.NO_FACE)
        assert caplog.text.count("perception failed") == 1
    finally:
        worker.close()
        source.close()
