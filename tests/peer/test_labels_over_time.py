"""How labels are held against the truth, and that the product's hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import pytest

from benchmarks.labels_over_time import (
    GOAL_DELAY_S,
    GOAL_RIGHT,
    GOAL_UNCAUSED,
    Look,
    Outcome,
    Said,
    judge,
    look_at,
    read,
    together,
)
from peer.join import DEFAULT_MODEL
from peer.perception.calibration import Offset
from peer.perception.classifier import AttentionClassifier
from peer.perception.limits import THRESHOLD
from peer.perception.reader import ReaderKind, make_reader
from peer.perception.verdict import Verdict
from signaling.protocol import Label, Reason
from tests.peer import clips
from tests.peer.clip_truth import Change, ClipTruth, TruthFrame, read_truth


def truth(*runs: tuple[float, bool], fps: float = 10.0) -> ClipTruth:
    attends = [attentive for seconds, attentive in runs for _ in range(round(seconds * fps))]
    return ClipTruth([TruthFrame(index / fps, one, True, 0.0, 0.0) for index, one in enumerate(attends)], fps)


def said(*runs: tuple[float, bool]) -> list[Said]:
    """One word each 0.2 s."""
    labels = [attentive for seconds, attentive in runs for _ in range(round(seconds * 5))]
    return [
        Said(index / 5, Verdict(Label.ATTENTIVE if one else Label.NOT_ATTENTIVE, 0.5, Reason.FACE))
        for index, one in enumerate(labels)
    ]


THERE_AND_BACK = truth((4.0, True), (3.0, False), (3.0, True))


def test_blinks_are_no_changes_and_the_clip_is_a_loop() -> None:
    blinking = truth((2.0, True), (0.3, False), (2.0, True), (1.0, False), (2.0, True), (0.4, False))
    assert blinking.changes(7.7 * 2) == [
        Change(4.3, False), Change(5.3, True), Change(7.7 + 4.3, False), Change(7.7 + 5.3, True),
    ]  # fmt: skip
    assert blinking.at(2.1)
    assert not blinking.at(4.5)
    assert not blinking.at(7.7 + 4.5)
    assert blinking.settled(2.1, 1.0)
    assert [blinking.settled(time_s, 1.0) for time_s in (3.2, 3.3, 6.3, 6.4)] == [True, False, False, True]


def test_two_blinks_in_a_row_are_no_changes_nor_is_one_at_the_end_of_a_lapse() -> None:
    assert truth((2.0, True), (0.2, False), (0.2, True), (0.2, False), (2.0, True)).changes(9.0) == []
    returning = truth((2.0, True), (1.0, False), (0.2, True), (0.2, False), (2.0, True))
    assert returning.changes(5.4) == [Change(2.0, False), Change(3.0, True)]


@pytest.mark.parametrize("clip", clips.NAMES)
def test_in_the_clips_everybody_blinks_and_has_one_lapse_but_for_zuri(clip: str) -> None:
    true = clips.truth(clip)
    blinks = [one.time_s for one, attends in zip(true.frames, true.attends, strict=True) if attends > one.attentive]
    assert len(blinks) >= 3
    assert len(true.changes(true.length_s)) == (0 if clip == "zuri" else 2)


def test_labels_that_follow_at_once_are_right() -> None:
    outcome = judge(THERE_AND_BACK, said((4.0, True), (3.0, False), (3.0, True)))
    assert outcome.right_share == 1.0
    assert outcome.delays_s == (0.0, 0.0)
    assert (outcome.missed, outcome.uncaused) == (0, 0)


def test_a_late_label_is_late_by_so_much_and_wrong_only_after_a_second() -> None:
    outcome = judge(THERE_AND_BACK, said((4.8, True), (3.6, False), (1.6, True)))
    assert outcome.delays_s == (pytest.approx(0.8), pytest.approx(1.4))
    assert outcome.delay_s == pytest.approx(1.1)
    assert outcome.right == outcome.settled - 1  # at 8.2 s, more than a second after 7.0
    assert outcome.uncaused == 0


def test_a_change_that_is_not_followed_is_missed_and_a_label_that_flickers_has_no_cause() -> None:
    deaf = judge(THERE_AND_BACK, said((10.0, True)))
    assert deaf.missed == 1
    assert deaf.delays_s == (0.0,)  # "attentive" was right again at the second change
    assert deaf.right_share < 0.9
    nervous = judge(truth((30.0, True)), said((5.0, True), (1.0, False), (24.0, True)))
    assert nervous.uncaused == 2
    assert nervous.uncaused_per_min == pytest.approx(4.0, rel=0.01)


def test_one_cause_explains_one_change() -> None:
    trembling = said((4.2, True), (0.2, False), (0.2, True), (2.4, False), (3.0, True))
    assert judge(THERE_AND_BACK, trembling).uncaused == 2


def test_nothing_to_judge_is_no_number() -> None:
    empty = judge(truth((1.0, True), (1.0, False)), said((2.0, True)))
    assert empty.settled == 0
    assert math.isnan(empty.right_share)


def test_clips_count_by_what_they_hold() -> None:
    one = judge(THERE_AND_BACK, said((4.0, True), (3.0, False), (3.0, True)))
    two = judge(THERE_AND_BACK, said((10.0, True)))
    both = together([one, two])
    assert (both.settled, both.right) == (one.settled + two.settled, one.right + two.right)
    assert both.delays_s == one.delays_s + two.delays_s
    assert both.missed == 1


BEFORE = {
    "clip": "a.mp4",
    "fps": 10,
    "frames": [
        {"frame": 0, "t": 0.0, "attentive": True, "yaw": 1.0, "pitch": 2.0, "open": 1.0},
        {"frame": 1, "t": 0.1, "attentive": False, "face": False, "shift": 500},
    ],
}
NOW = [
    {"time_s": 0.0, "attentive": True, "yaw": 1.0, "pitch": 2.0, "gaze_yaw": 0.0, "gaze_pitch": 0.0, "lid": 1.0},
    {"time_s": 0.1, "attentive": False, "yaw": None, "pitch": None},
]


@pytest.mark.parametrize("form", [BEFORE, NOW, {"version": 1, "frames": NOW}])
def test_the_truth_is_read_in_every_form_it_has_had(tmp_path: Path, form: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(form))
    found = read_truth(path)
    assert found.fps == pytest.approx(10.0)
    assert found.frames == [TruthFrame(0.0, True, True, 1.0, 2.0), TruthFrame(0.1, False, False, None, None)]


@pytest.mark.parametrize("form", [{}, [], {"frames": 3}, [{"t": 0.0}, {"t": 0.1}], [1, 2]])
def test_a_truth_of_no_form_is_named(tmp_path: Path, form: object) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(form))
    with pytest.raises(ValueError, match=r"expected .*a\.json"):
        read_truth(path)


def look_at_all(classifier: AttentionClassifier) -> list[tuple[ClipTruth, list[Look]]]:
    cv2.setNumThreads(1)
    found = []
    for clip in sorted(clips.CLIPS.glob("*.mp4")):
        true = clips.truth(clip.stem)
        found.append((true, look_at(clip, true.length_s, classifier)))
    return found


@pytest.fixture(scope="module")
def shipped() -> list[tuple[ClipTruth, list[Look]]]:
    """What the shipped model sees in the demo clips, and what is true in them."""
    return look_at_all(AttentionClassifier(DEFAULT_MODEL))


def follow_all(
    seen: list[tuple[ClipTruth, list[Look]]], kind: ReaderKind, threshold: float, offset: Offset | None = None
) -> tuple[Outcome, set[Reason]]:
    """How labels follow the people, and the reasons that were given."""
    heard = [(true, read(looks, make_reader(kind, threshold), offset)) for true, looks in seen]
    outcome = together([judge(true, one) for true, one in heard])
    return outcome, {one.verdict.reason for _, words in heard for one in words}


def check(outcome: Outcome) -> None:
    assert outcome.settled >= 150
    assert outcome.right_share >= GOAL_RIGHT
    assert outcome.delay_s <= GOAL_DELAY_S
    assert outcome.uncaused_per_min < GOAL_UNCAUSED
    assert outcome.missed == 0


@pytest.mark.parametrize("offset", [None, Offset()], ids=["by the score", "by the limits"])
def test_the_products_labels_follow_the_people_in_the_clips_and_say_why(
    shipped: list[tuple[ClipTruth, list[Look]]], offset: Offset | None
) -> None:
    threshold = AttentionClassifier(DEFAULT_MODEL).card.threshold if offset is None else THRESHOLD
    outcome, reasons = follow_all(shipped, ReaderKind.STEADY, threshold, offset)
    check(outcome)
    assert reasons >= {Reason.FACE, Reason.TURNED, Reason.DOWN, Reason.EYES_CLOSED, Reason.AWAY}
    assert Reason.NO_FACE not in reasons


def test_so_do_those_of_the_references_window(shipped: list[tuple[ClipTruth, list[Look]]]) -> None:
    outcome, reasons = follow_all(shipped, ReaderKind.WINDOW, AttentionClassifier(DEFAULT_MODEL).card.threshold)
    check(outcome)
    assert reasons == {Reason.FACE, Reason.NO_FACE}
