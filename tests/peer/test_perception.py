"""Detector, crop, classifier and window together, on the demo clips."""

from __future__ import annotations

import queue
from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from peer.join import DEFAULT_MODEL
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Box, crop_face
from peer.perception.detector import FaceDetector
from peer.perception.window import ScoreWindow
from peer.perception.worker import Decision, PerceptionWorker
from peer.source import Frame, Pixels
from peer.testpattern import TestPatternSource
from signaling.protocol import Label, Reason
from tests.peer import clips
from tests.peer.fake_source import FakeSource

EVERY = 3
"""Of 16 frames/s: about the five a second of a meeting."""


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
def test_the_label_follows_the_person(classifier: AttentionClassifier, clip: str) -> None:
    """At least 85 % of decisions are right a second away from any change of the truth."""
    truth, fps = clips.truth(clip)
    attends = clips.without_blinks([bool(frame["attentive"]) for frame in truth], fps)
    detector, window = FaceDetector(), ScoreWindow(classifier.card.threshold)
    right: list[bool] = []
    for index, bgr in clips.frames(clip, EVERY):
        box = detector.detect(bgr)
        score = None if box is None else classifier.score(crop_face(bgr, box, classifier.card.crop_scale))
        verdict = window.push(score)
        if verdict is not None and clips.settled(attends, index, round(fps)):
            right.append((verdict.label is Label.ATTENTIVE) == attends[index])
    print(f"{clip}: {np.mean(right):.3f} of {len(right)} decisions right")
    assert len(right) >= 20
    assert np.mean(right) >= 0.85


@pytest.mark.parametrize("clip", ["ana", "ben", "zuri"])
def test_a_frontal_face_is_found_in_nearly_every_frame_and_an_empty_picture_has_none(clip: str) -> None:
    truth, _ = clips.truth(clip)
    detector = FaceDetector()
    frontal: list[bool] = []
    empty: list[bool] = []
    for index, bgr in clips.frames(clip, EVERY):
        found = detector.detect(bgr) is not None
        frame = truth[index]
        if not frame.get("face", True):
            if frame["shift"] > 400:
                empty.append(found)
        elif abs(frame["yaw"]) < 20 and frame["pitch"] > -12:
            frontal.append(found)
    assert np.mean(frontal) >= 0.97
    assert not any(empty)


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


def test_the_worker_decides_on_the_latest_frames(classifier: AttentionClassifier) -> None:
    _, face = next(clips.frames("zuri", 1))
    decisions: queue.Queue[Decision] = queue.Queue()
    worker = PerceptionWorker(FeedingSource(face, 8), classifier, decisions.put, period_s=0.01)
    worker.start()
    try:
        attentive = next_decision(decisions, Label.ATTENTIVE, Reason.FACE)
        assert attentive.box is not None
        assert attentive.verdict.score > 0.5
        assert next_decision(decisions, Label.NOT_ATTENTIVE, Reason.NO_FACE).verdict.score == 0.0
        next_decision(decisions, Label.UNKNOWN, Reason.PAUSED)  # nothing comes any more
    finally:
        worker.close()


class FeedingSource(FakeSource):
    """Shows `count` faces and as many empty pictures, one whenever somebody waits for a newer one."""

    def __init__(self, face: Pixels, count: int) -> None:
        super().__init__()
        self._pictures = [face] * count + [np.zeros_like(face)] * count

    def wait_newer(self, seq: int, timeout_s: float) -> Frame | None:
        if self._pictures:
            self.show(self._pictures.pop(0))
        return super().wait_newer(seq, timeout_s)


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
