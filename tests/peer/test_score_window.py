from __future__ import annotations

import pytest

from peer.perception.signals import Reading
from peer.perception.verdict import Verdict
from peer.perception.window import WINDOW_FRAMES, ScoreWindow
from signaling.protocol import Label, Reason

ATTENTIVE, NOT = Label.ATTENTIVE, Label.NOT_ATTENTIVE
FACE, NO_FACE = Reason.FACE, Reason.NO_FACE


def last_verdict(scores: list[float | None], threshold: float = 0.5) -> Verdict | None:
    window = ScoreWindow(threshold)
    verdict = None
    for number, score in enumerate(scores):
        verdict = window.push(number * 7.0, None if score is None else Reading(score))
    return verdict


@pytest.mark.parametrize(
    ("scores", "label", "score", "reason"),
    [
        ([0.9, 0.9, 0.9, 0.9, 0.9], ATTENTIVE, 0.9, FACE),
        ([0.5, 0.5, 0.5, 0.5, 0.5], ATTENTIVE, 0.5, FACE),
        ([0.5, 0.5, 0.5, 0.5, 0.49], NOT, 0.498, FACE),
        ([1.0, 1.0, 0.0, 1.0, 1.0], ATTENTIVE, 0.8, FACE),
        ([0.0, 0.0, 0.0, 0.0, 0.0], NOT, 0.0, FACE),
        ([None, None, 0.9, 0.9, 0.9], ATTENTIVE, 0.54, FACE),
        ([None, None, 0.8, 0.8, 0.8], NOT, 0.48, FACE),
        ([None, None, None, 1.0, 1.0], NOT, 0.0, NO_FACE),
        ([1.0, None, None, 1.0, None], NOT, 0.0, NO_FACE),
        ([None] * 5, NOT, 0.0, NO_FACE),
    ],
)
def test_the_mean_of_five_scores_decides_and_a_frame_without_a_face_counts_zero(
    scores: list[float | None], label: Label, score: float, reason: Reason
) -> None:
    verdict = last_verdict(scores)
    assert verdict is not None
    assert (verdict.label, verdict.reason) == (label, reason)
    assert verdict.score == pytest.approx(score)


def test_there_is_no_verdict_before_the_window_is_full() -> None:
    assert last_verdict([1.0] * (WINDOW_FRAMES - 1)) is None


def test_only_the_last_five_frames_count() -> None:
    verdict = last_verdict([0.0] * 7 + [0.9] * 5)
    assert verdict is not None
    assert verdict.score == pytest.approx(0.9)


def test_the_models_own_threshold_decides() -> None:
    verdict = last_verdict([0.6] * 5, threshold=0.7)
    assert verdict is not None
    assert verdict.label is NOT


def test_a_cleared_window_fills_anew() -> None:
    window = ScoreWindow(0.5)
    for _ in range(WINDOW_FRAMES):
        window.push(0.0, Reading(1.0))
    window.clear()
    assert window.push(0.0, Reading(1.0)) is None
