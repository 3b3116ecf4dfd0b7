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
from peer.perception.detector import FaceDetector, lifted
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


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize("clip", clips.NAMES)
def test_a_frontal_face_is_found_in_nearly_every_frame_and_an_empty_picture_has_none(clip: str) -> None:
    truth = clips.truth(clip).frames
    detector = FaceDetector()
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


def test_the_face_is_found_wherever_it_went() -> None:
    _, bgr = next(clips.frames("zuri", 1))
    detector = FaceDetector()
    here = detector.detect(bgr)
    moved = np.roll(bgr, 120, axis=1)
    there = detector.detect(moved)
    assert here is not None
    assert there is not None
    assert there.left - here.left == pytest.approx(120, abs=0.1 * here.side)


def test_a_far_and_dark_face_is_found_by_the_thorough_search() -> None:
    _, bgr = next(clips.frames("mei", 1))
    far = np.full((480, 640, 3), 30, np.uint8)
    small = cv2.resize(bgr, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    far[100:220, 200:360] = (small * 0.3).astype(np.uint8)
    detector = FaceDetector()
    boxes = [detector.detect(far) for _ in range(6)]
    assert any(boxes)
    assert detector.detect_still(far) is not None


def test_the_box_is_in_pixels_of_the_frame_whatever_its_size() -> None:
    _, bgr = next(clips.frames("mei", 1))
    here = FaceDetector().detect(bgr)
    large = FaceDetector().detect(np.asarray(cv2.resize(bgr, (1280, 960)), np.uint8))
    assert here is not None
    assert large is not None
    assert large.side == pytest.approx(2 * here.side, rel=0.15)


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
        decisions.put,
        config=config,
        on_calibration=progress.append,
        detector=FindingDetector(),
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


def test_the_worker_decides_on_the_latest_frames(classifier: AttentionClassifier) -> None:
    _, face = next(clips.frames("zuri", 1))
    decisions: queue.Queue[Decision] = queue.Queue()
    worker = PerceptionWorker(FeedingSource(8, 8, face), classifier, decisions.put, period_s=0.01)
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


def test_without_a_model_the_label_is_unknown() -> None:
    decisions: queue.Queue[Decision] = queue.Queue()
    worker = PerceptionWorker(FakeSource(), None, decisions.put)
    worker.start()
    next_decision(decisions, Label.UNKNOWN, Reason.NO_MODEL)
    worker.close()


def test_a_failure_is_logged_once_and_the_worker_lives_on(
    classifier: AttentionClassifier, caplog: pytest.LogCaptureFixture
) -> None:
    class BrittleDetector(FaceDetector):
        calls = 0

        def detect(self, bgr: Pixels) -> Box | None:
            self.calls += 1
            if self.calls <= 3:
                raise RuntimeError("out of order")
            return None

    decisions: queue.Queue[Decision] = queue.Queue()
    source = TestPatternSource()
    source.start()
    worker = PerceptionWorker(source, classifier, decisions.put, detector=BrittleDetector(), period_s=0.01)
    worker.start()
    try:
        next_decision(decisions, Label.UNKNOWN, Reason.NO_MODEL)
        next_decision(decisions, Label.NOT_ATTENTIVE, Reason.NO_FACE)
        assert caplog.text.count("perception failed") == 1
    finally:
        worker.close()
        source.close()


def test_faces_in_the_dark_are_found_like_those_in_the_light() -> None:
    found: list[bool] = []
    for clip in clips.NAMES:
        truth = clips.truth(clip).frames
        for index, bgr in clips.frames(clip, 4 * EVERY):
            if truth[index].attentive:
                dark = (np.square(bgr / 255) * 0.3 * 255).astype(np.uint8)
                found.append(FaceDetector().detect(dark) is not None)
    assert np.mean(found) > 0.95
    assert len(found) > 20


def test_only_dark_pictures_are_lifted() -> None:
    light, dark = np.full((80, 60), 140, np.uint8), np.full((80, 60), 40, np.uint8)
    assert lifted(light) is light
    assert 120 <= int(lifted(dark)[0, 0]) <= 128
    black = lifted(np.zeros((80, 60), np.uint8))
    assert black.max() == 0
    assert lifted(np.full((2, 2), 30, np.uint8)).shape == (2, 2)
