"""What rendered people do: every image from its number alone, within the limits that give it its label."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from training.faces.behaviour import GROUP, HARD_FROM, MAX_EYE_PITCH, MAX_EYE_YAW, MIN_EYE_PITCH, plan
from training.faces.label import LabelRule
from training.faces.setting import make_setting
from training.faces.truth import Mode

RULE = LabelRule()
PLANS = [plan(number) for number in range(4000)]

numbers = st.integers(0, 1 << 24)


@given(numbers)
def test_a_number_always_means_the_same_image(number: int) -> None:
    assert plan(number) == plan(number)
    one, again = (make_setting(np.random.default_rng([*plan(number).scene, 4]), Mode.DOWN) for _ in range(2))
    assert (one.view, one.lamps, one.occluder) == (again.view, again.lamps, again.occluder)
    assert (one.room == again.room).all()


@given(numbers)
def test_eyes_turn_no_further_in_the_head_than_eyes_can(number: int) -> None:
    shown = plan(number)
    assert abs(shown.face.gaze_yaw - shown.pose.yaw) <= MAX_EYE_YAW + 1e-9
    assert MIN_EYE_PITCH - 1e-9 <= shown.face.gaze_pitch - shown.pose.pitch <= MAX_EYE_PITCH + 1e-9


@given(numbers)
def test_the_head_is_where_the_mode_says(number: int) -> None:
    shown = plan(number)
    turned = abs(shown.pose.yaw) >= RULE.max_yaw
    tilted = not RULE.min_pitch < shown.pose.pitch < RULE.max_pitch
    if shown.mode is Mode.AWAY:
        assert turned or shown.pose.pitch >= RULE.max_pitch
    elif shown.mode is Mode.DOWN:
        assert shown.pose.pitch <= RULE.min_pitch
    elif shown.mode is Mode.ATTENTIVE:
        assert not turned and not tilted


@given(numbers)
def test_lids_are_open_or_shut_as_the_mode_says(number: int) -> None:
    shown = plan(number)
    widest = max(shown.face.lid_left, shown.face.lid_right)
    if shown.mode in {Mode.CLOSED, Mode.HALF, Mode.YAWN}:
        assert widest < RULE.min_lid
    else:
        assert widest > RULE.min_lid


def test_twins_share_person_pose_and_setting() -> None:
    twins = [(first, PLANS[first.id + 1]) for first in PLANS if first.id % 2 == 0]
    shared = [(first, other) for first, other in twins if first.scene == other.scene]
    assert len(shared) > 0.6 * len(twins)
    assert all(first.pose == other.pose and first.person == other.person for first, other in shared)
    assert all(first.face != other.face for first, other in twins)


def test_groups_of_four_are_one_person() -> None:
    assert all(shown.person == shown.id // GROUP for shown in PLANS)


def test_averted_gaze_is_a_fifth_and_nothing_is_rare() -> None:
    share = {mode: count / len(PLANS) for mode, count in Counter(shown.mode for shown in PLANS).items()}
    assert 0.17 < share[Mode.GAZE_OFF] < 0.25
    assert 0.38 < share[Mode.ATTENTIVE] < 0.5
    assert min(share.values()) > 0.03
    assert set(share) == set(Mode)


def test_hard_images_have_profiles_and_narrow_eyes_beside_shut_ones() -> None:
    hard = [plan(HARD_FROM + number) for number in range(2000)]
    away = [abs(shown.pose.yaw) for shown in hard if shown.mode is Mode.AWAY]
    assert len(away) > 0.35 * len(hard)
    assert np.mean(np.array(away) > 60) > 0.4
    assert max(away) > 85
    lids = [max(shown.face.lid_left, shown.face.lid_right) for shown in hard if shown.mode is Mode.ATTENTIVE]
    usual = [max(shown.face.lid_left, shown.face.lid_right) for shown in PLANS if shown.mode is Mode.ATTENTIVE]
    assert np.median(lids) < np.median(usual) - 0.15
    assert min(lids) >= 0.45
    assert sum(shown.mode is Mode.CLOSED for shown in hard) > 0.12 * len(hard)
