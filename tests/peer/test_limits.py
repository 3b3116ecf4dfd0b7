from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from peer.perception import limits
from peer.perception.signals import Signals
from signaling.protocol import Reason
from tests.peer.people import signals
from training.faces.label import LabelRule


def test_the_limits_are_those_of_the_label_that_the_model_learnt() -> None:
    rule = LabelRule()
    assert rule.version == 1
    assert rule.max_yaw == limits.MAX_YAW_DEG
    assert (rule.min_pitch, rule.max_pitch) == (limits.MIN_PITCH_DEG, limits.MAX_PITCH_DEG)
    assert rule.max_gaze_yaw == limits.MAX_GAZE_YAW_DEG
    assert (rule.min_gaze_pitch, rule.max_gaze_pitch) == (limits.MIN_GAZE_PITCH_DEG, limits.MAX_GAZE_PITCH_DEG)
    assert rule.min_lid == limits.MIN_LID


@given(
    st.floats(-90, 90),
    st.floats(-60, 60),
    st.floats(0, 1.15),
    st.floats(-60, 60),
    st.floats(-60, 60),
)
def test_the_score_is_above_a_half_just_where_the_label_says_attentive(
    yaw: float, pitch: float, lid: float, gaze_yaw: float, gaze_pitch: float
) -> None:
    rule, found = LabelRule(), signals(yaw, pitch, lid, gaze_yaw, gaze_pitch)
    score = limits.score(found)
    assume(abs(score - limits.THRESHOLD) > 1e-6)
    # The rule reads nothing of a truth but what signals have, and whether the eyes are visible.
    inside = (
        abs(yaw) < rule.max_yaw
        and rule.min_pitch < pitch < rule.max_pitch
        and lid >= rule.min_lid
        and abs(gaze_yaw) < rule.max_gaze_yaw
        and rule.min_gaze_pitch < gaze_pitch < rule.max_gaze_pitch
    )
    assert (score > limits.THRESHOLD) == inside


def test_the_score_falls_steadily_and_is_a_half_at_a_limit() -> None:
    scores = [limits.score(signals(yaw=yaw)) for yaw in (0, 15, 22, 25, 28, 40, 90)]
    assert scores == sorted(scores, reverse=True)
    assert scores[3] == pytest.approx(0.5)
    assert scores[-1] > 0.0


def test_one_open_eye_is_open() -> None:
    wink = Signals(0, 0, 0.05, 1.0, 0, 0, 0, closed=0.02)
    assert limits.eyes_margin(wink) > 0


def test_the_lids_and_the_word_on_shut_eyes_are_weighed_against_each_other() -> None:
    assert limits.eyes_margin(Signals(0, 0, 0.40, 0.40, 0, 0, 0, closed=0.05)) > 0
    assert limits.eyes_margin(Signals(0, 0, 0.45, 0.45, 0, 0, 0, closed=0.95)) < 0
    for certain in (0.0, 1.0):
        assert abs(limits.eyes_margin(Signals(0, 0, 0.42, 0.42, 0, 0, 0, closed=certain))) <= limits.MAX_LOGIT


def test_where_shut_eyes_look_is_nothing_to_go_by() -> None:
    shut = limits.margins(signals(lid=0.0, gaze_yaw=90.0))
    assert min(shut, key=lambda reason: shut[reason]) is Reason.EYES_CLOSED
    off = limits.margins(signals(gaze_yaw=90.0))
    assert min(off, key=lambda reason: off[reason]) is Reason.LOOKING_OFF


def test_the_head_alone_is_asked_where_the_eyes_do_not_matter() -> None:
    assert limits.head_margin(signals(lid=0.0, gaze_yaw=90.0)) == limits.head_margin(signals())
    assert limits.head_margin(signals(pitch=-30.0)) < 0 < limits.head_margin(signals(pitch=-10.0))
