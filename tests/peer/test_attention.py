"""Made-up people who blink, glance, turn, nod, doze, leave and come back."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.perception.attention import HIDDEN_S, HOLD_S, NOBODY_S, Evidence, State, SteadyReader, following
from peer.perception.reader import ReaderKind, make_reader
from peer.perception.signals import Reading
from peer.perception.verdict import Verdict
from peer.perception.window import ScoreWindow
from signaling.protocol import Label, Reason
from tests.peer.people import BAD, DOWN, GOOD, LOOKING, SHUT, TURNED, Doing, changes, follow, kinds, seen

PHASES = (0.0, 0.05, 0.1, 0.15)
"""Seconds between what a person does and the first look at it."""


def read(
    *doings: tuple[float, Doing], every_s: float = 0.2, phase_s: float = 0.0
) -> list[tuple[float, Verdict | None]]:
    return follow(SteadyReader(0.5), doings, every_s=every_s, phase_s=phase_s)


def test_somebody_who_looks_is_attentive_within_half_a_second_and_nothing_is_said_before() -> None:
    said = read((3.0, LOOKING))
    assert said[0][1] is None
    assert changes(said) == [(pytest.approx(0.4), "attentive", "face")]


def test_a_reader_of_either_kind_can_be_had() -> None:
    assert isinstance(make_reader(ReaderKind.STEADY, 0.5), SteadyReader)
    assert isinstance(make_reader(ReaderKind.WINDOW, 0.5), ScoreWindow)


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize(("open_eyes", "shut_eyes"), [(LOOKING, SHUT), (GOOD, BAD)], ids=["signals", "score alone"])
def test_a_blink_is_not_inattention(open_eyes: Reading, shut_eyes: Reading, phase_s: float) -> None:
    said = read(
        (2.0, open_eyes), (0.4, shut_eyes), (2.0, open_eyes), (0.4, shut_eyes), (2.0, open_eyes), phase_s=phase_s
    )
    assert kinds(said) == ["face"]


def test_a_blink_does_not_even_lower_the_score_where_the_model_knows_one() -> None:
    said = read((2.0, LOOKING), (0.4, SHUT), (2.0, LOOKING))
    assert min(verdict.score for _, verdict in said if verdict) == pytest.approx(LOOKING.score)


@pytest.mark.parametrize("phase_s", PHASES)
def test_eyes_closed_for_longer_are_told_within_a_second_and_so_is_their_opening(phase_s: float) -> None:
    said = read((3.0, LOOKING), (1.5, SHUT), (3.0, LOOKING), phase_s=phase_s)
    assert kinds(said) == ["face", "eyes_closed", "face"]
    (_, closed, opened) = changes(said)
    assert closed[0] - 3.0 <= 1.0
    assert opened[0] - 4.5 <= 1.0


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize(("here", "there"), [(LOOKING, TURNED), (GOOD, BAD), (LOOKING, seen(gaze_yaw=50.0))])
def test_a_glance_of_half_a_second_is_not_inattention(here: Reading, there: Reading, phase_s: float) -> None:
    assert kinds(read((3.0, here), (0.5, there), (3.0, here), phase_s=phase_s)) == ["face"]


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (TURNED, "turned"),
        (seen(pitch=35.0), "turned"),
        (DOWN, "down"),
        (seen(gaze_yaw=-50.0), "looking_off"),
        (BAD, "unclear"),
    ],
)
def test_turning_to_something_else_and_back_is_noticed_within_a_second_each(
    there: Reading, reason: str, phase_s: float
) -> None:
    here = GOOD if there is BAD else LOOKING
    said = read((3.0, here), (3.0, there), (3.0, here), phase_s=phase_s)
    assert kinds(said) == ["face", reason, "face"]
    _, gone, back = changes(said)
    assert gone[0] - 3.0 <= 1.0
    assert back[0] - 6.0 <= 1.0


def test_a_slow_nod_changes_the_label_once_each_way() -> None:
    said = read(
        (2.0, LOOKING),
        (3.0, lambda t: seen(pitch=-12.0 * t)),
        (2.0, seen(pitch=-36.0)),
        (3.0, lambda t: seen(pitch=-36.0 + 12.0 * t)),
        (2.0, LOOKING),
    )
    assert kinds(said) == ["face", "down", "face"]


def test_the_angle_is_told_where_it_says_more() -> None:
    def detail(there: Reading) -> str:
        verdict = read((2.0, LOOKING), (2.0, there))[-1][1]
        assert verdict is not None
        return verdict.detail

    assert detail(TURNED) == "head turned 48°"
    assert detail(seen(yaw=-31.0)) == "head turned 31°"
    assert detail(seen(pitch=30.0)) == "head raised 30°"
    assert detail(DOWN) == detail(SHUT) == ""


def test_whatever_is_farthest_beyond_its_limit_is_the_reason() -> None:
    assert kinds(read((3.0, seen(yaw=30.0, pitch=-40.0)))) == ["down"]
    assert kinds(read((3.0, seen(yaw=50.0, pitch=-25.0)))) == ["turned"]
    assert kinds(read((3.0, seen(yaw=5.0, lid=0.0)))) == ["eyes_closed"]


def test_a_reason_gives_way_only_to_a_clearly_better_one_and_not_at_once() -> None:
    flickering = read((20.0, lambda t: seen(yaw=34.0 + (1 if round(t * 5) % 2 else -1), pitch=-28.0)))
    assert len(kinds(flickering)) == 1
    moved = changes(read((2.0, TURNED), (3.0, DOWN)))
    assert [reason for _, _, reason in moved] == ["turned", "down"]
    assert moved[1][0] - 2.0 <= 1.0


def test_a_reason_that_shows_late_replaces_none() -> None:
    assert kinds(read((1.0, LOOKING), (1.5, Reading(0.1, LOOKING.signals)), (2.0, TURNED))) == [
        "face", "unclear", "turned",
    ]  # fmt: skip


@pytest.mark.parametrize("phase_s", PHASES)
@pytest.mark.parametrize("here", [LOOKING, GOOD])
def test_who_leaves_is_away_within_a_second_and_back_within_one(here: Reading, phase_s: float) -> None:
    said = read((3.0, here), (4.0, None), (3.0, here), phase_s=phase_s)
    assert kinds(said) == ["face", "away", "face"]
    _, left, back = changes(said)
    assert left[0] - 3.0 <= 1.0
    assert back[0] - 7.0 <= 1.0
    assert next(verdict.score for _, verdict in said if verdict and verdict.reason is Reason.AWAY) == 0.0


def test_who_comes_back_blinking_has_no_closed_eyes_of_before() -> None:
    said = read((3.0, LOOKING), (0.4, SHUT), (6.0, None), (0.4, SHUT), (3.0, LOOKING))
    assert kinds(said) == ["face", "away", "face"]


def test_where_nobody_was_yet_there_is_no_face_and_nobody_away() -> None:
    said = read((10.0, None), (3.0, LOOKING))
    assert changes(said)[0] == (pytest.approx(NOBODY_S), "not_attentive", "no_face")
    assert kinds(said) == ["no_face", "face"]


def test_a_single_false_face_is_nobody() -> None:
    def walls(t: float) -> Reading | None:
        return LOOKING if round(t * 5) % 5 == 4 else None

    assert kinds(read((20.0, walls))) == ["no_face"]
    assert kinds(read((3.0, LOOKING), (20.0, walls))) == ["face", "away"]


def test_a_detector_that_misses_some_frames_changes_nothing() -> None:
    def flickering(t: float) -> Reading | None:
        return LOOKING if round(t * 5) % 3 == 0 else None

    assert kinds(read((2.0, LOOKING), (20.0, flickering))) == ["face"]


@pytest.mark.parametrize(
    ("way_s", "turning", "reason"),
    [
        (0.6, lambda t: seen(yaw=15 + 40 * t), "turned"),
        (0.6, lambda t: seen(pitch=-8 - 25 * t), "down"),
    ],
)
def test_a_face_lost_on_its_way_elsewhere_goes_on_being_elsewhere_for_some_seconds(
    way_s: float, turning: Doing, reason: str
) -> None:
    said = read((3.0, LOOKING), (way_s, turning), (8.0, None))
    assert kinds(said) == ["face", reason, "away"]
    _, turned, away = changes(said)
    assert turned[0] <= 3.0 + way_s + 1.0
    assert away[0] == pytest.approx(3.0 + way_s + HIDDEN_S, abs=0.5)
    assert all(verdict.detail == "" for t, verdict in said if verdict and t > 3.0 + way_s + 0.2)


def test_who_looks_back_after_the_face_was_lost_is_attentive_again() -> None:
    assert kinds(read((3.0, LOOKING), (0.6, lambda t: seen(yaw=15 + 40 * t)), (1.5, None), (2.0, LOOKING))) == [
        "face", "turned", "face",
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_noise_at_the_threshold_changes_the_label_less_than_once_a_minute(seed: int) -> None:
    chance = random.Random(seed)
    said = read((600.0, lambda _: Reading(min(1.0, max(0.0, chance.gauss(0.5, 0.12))))))
    assert len(changes(said)) - 1 < 10


def test_on_a_slow_machine_one_look_alone_changes_nothing_and_two_do() -> None:
    for every_s in (0.5, 1.0):
        assert kinds(read((6.0, GOOD), (every_s, BAD), (6.0, GOOD), every_s=every_s)) == ["face"]
        assert kinds(read((6.0, LOOKING), (every_s, SHUT), (6.0, LOOKING), every_s=every_s)) == ["face"]
        assert kinds(read((6.0, LOOKING), (every_s, None), (6.0, LOOKING), every_s=every_s)) == ["face"]
        assert kinds(read((6.0, GOOD), (3.0, BAD), (6.0, GOOD), every_s=every_s)) == ["face", "unclear", "face"]
        assert kinds(read((6.0, LOOKING), (3.0, SHUT), every_s=every_s)) == ["face", "eyes_closed"]
        assert kinds(read((6.0, LOOKING), (3.0, None), every_s=every_s)) == ["face", "away"]


def test_times_are_seconds_whatever_the_rate() -> None:
    for every_s in (0.05, 0.1, 0.2, 0.3):
        said = read((3.0, LOOKING), (3.0, TURNED), (1.5, None), every_s=every_s)
        assert kinds(said) == ["face", "turned"]
        assert 0.4 <= changes(said)[1][0] - 3.0 <= 1.0


def test_the_models_own_threshold_decides() -> None:
    for threshold, expected in ((0.9, "unclear"), (0.5, "face")):
        assert kinds(follow(SteadyReader(threshold), [(3.0, Reading(0.6))])) == [expected]


def test_a_cleared_reader_has_never_seen_anybody() -> None:
    reader = SteadyReader(0.5)
    follow(reader, [(3.0, LOOKING)])
    reader.clear()
    assert reader.push(5.0, LOOKING) is None
    reader.clear()
    assert kinds(follow(reader, [(3.0, None)])) == ["no_face"]


LOOKS = st.one_of(
    st.none(),
    st.builds(Reading, st.floats(0.0, 1.0)),
    st.builds(
        seen,
        st.floats(-90, 90),
        st.floats(-60, 60),
        st.floats(0, 1.15),
        gaze_yaw=st.floats(-60, 60),
        gaze_pitch=st.floats(-50, 40),
    ),
)


@given(st.lists(st.tuples(st.floats(0.02, 1.5), LOOKS), max_size=120), st.floats(0.05, 0.95))
def test_whatever_comes_the_label_keeps_its_rules(looks: list[tuple[float, Reading | None]], threshold: float) -> None:
    reader, now_s = SteadyReader(threshold), 100.0
    said: list[tuple[float, Verdict | None]] = []
    for wait_s, reading in looks:
        now_s += wait_s
        said.append((now_s, reader.push(now_s, reading)))
    found = changes(said)
    assert all(after[0] - before[0] >= HOLD_S - 1e-6 for before, after in pairwise(found))
    for _, verdict in said:
        if verdict is not None:
            assert 0.0 <= verdict.score <= 1.0
            assert verdict.label in (Label.ATTENTIVE, Label.NOT_ATTENTIVE)
            assert verdict.label is Label.NOT_ATTENTIVE or verdict.reason is Reason.FACE
    reasons = [reason for _, _, reason in found]
    assert "no_face" not in reasons[1:]
    assert reasons[:1] != ["away"]
    assert all(before != "no_face" or after != "away" for before, after in pairwise(reasons))


@pytest.mark.parametrize("state", list(State))
def test_nothing_leads_back_to_the_start(state: State) -> None:
    nothing = Evidence(100.0, 100.0, present=False, hidden=None, score=None, margins={})
    after = following(state, 100.0, nothing, 0.5)
    assert after in ({State.NOBODY} if state in (State.STARTING, State.NOBODY) else {State.AWAY})
