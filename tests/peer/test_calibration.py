from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from peer.perception.attention import SteadyReader
from peer.perception.calibration import (
    CALIBRATION_S,
    MIN_READINGS,
    CalibrationRefused,
    Calibrator,
    Offset,
    Progress,
    Stage,
    offset_of,
)
from peer.perception.signals import Reading
from tests.peer.people import GOOD, LOOKING, SHUT, follow, kinds, seen, signals


def calibrate(look: Callable[[float], Reading | None], every_s: float = 0.2) -> Progress:
    calibrator, now_s = Calibrator(), 50.0
    while True:
        progress = calibrator.add(now_s, look(now_s - 50.0))
        if progress.stage is not Stage.RUNNING:
            return progress
        now_s += every_s


def aside(t: float, lid: float = 0.7) -> Reading:
    """Somebody whose camera stands to their right, a little high."""
    shake = random.Random(t).gauss
    return seen(yaw=21 + shake(0, 1.5), pitch=-6 + shake(0, 1.5), lid=lid, gaze_yaw=24 + shake(0, 2), gaze_pitch=-9.0)


def test_the_offset_is_what_was_seen_most_of_the_time() -> None:
    found = calibrate(aside)
    assert found.stage is Stage.DONE
    assert found.offset is not None
    assert found.offset.yaw == pytest.approx(21, abs=1)
    assert found.offset.pitch == pytest.approx(-6, abs=1)
    assert found.offset.gaze_yaw == pytest.approx(24, abs=1)
    assert found.offset.gaze_pitch == pytest.approx(-9, abs=1)
    assert found.offset.lid == pytest.approx(0.7)


def test_blinks_glances_and_lost_frames_do_not_move_it() -> None:
    def lively(t: float) -> Reading | None:
        step = round(t * 5)
        if step % 8 == 0:
            return aside(t, lid=0.02)
        if 20 <= step < 28:
            return seen(yaw=-60.0, gaze_yaw=-70.0)
        return None if step % 9 == 0 else aside(t)

    found = calibrate(lively).offset
    assert found is not None
    assert found.yaw == pytest.approx(21, abs=2)
    assert found.gaze_yaw == pytest.approx(24, abs=2)
    assert found.lid == pytest.approx(0.7, abs=0.05)


def test_it_counts_down_in_whole_seconds() -> None:
    calibrator = Calibrator()
    left = [calibrator.add(50.0 + tenth / 10, LOOKING) for tenth in range(int(CALIBRATION_S * 10) + 1)]
    assert left[0] == Progress(Stage.RUNNING, left_s=10)
    assert [one.left_s for one in left[:-1]] == sorted((one.left_s for one in left[:-1]), reverse=True)
    assert left[-2].left_s == 1
    assert left[-1].stage is Stage.DONE


def test_a_slow_machine_is_enough() -> None:
    assert calibrate(aside, every_s=1.0).stage is Stage.DONE


@pytest.mark.parametrize(
    ("look", "message"),
    [
        (lambda _: None, "expected your face in most of 10 s, found it in 0% of"),
        (lambda t: LOOKING if round(t * 5) % 2 else None, "expected your face in most"),
        (lambda _: GOOD, "expected your face in most"),
        (lambda t: seen(yaw=-30 + 6 * t), "expected a head that keeps still"),
        (lambda t: seen(pitch=-24 if round(t) % 2 else 24), "expected a head that keeps still"),
        (lambda _: SHUT, "expected open eyes"),
        (lambda _: seen(yaw=55.0), "expected a camera near the screen"),
        (lambda _: seen(gaze_yaw=60.0), "expected a camera near the screen"),
    ],
    ids=["nobody", "half the time", "no signals", "turning", "nodding", "asleep", "side", "gaze"],
)
def test_what_is_not_somebody_who_looks_at_the_screen_is_refused_with_the_reason(
    look: Callable[[float], Reading | None], message: str
) -> None:
    refused = calibrate(look)
    assert refused.stage is Stage.REFUSED
    assert refused.offset is None
    assert refused.message.startswith(message)


def test_too_few_faces_are_no_offset_however_large_their_share() -> None:
    with pytest.raises(CalibrationRefused):
        offset_of([signals()] * (MIN_READINGS - 1), MIN_READINGS - 1)
    assert offset_of([signals()] * MIN_READINGS, MIN_READINGS) == Offset()


def test_who_sits_beside_their_camera_is_attentive_once_calibrated_and_turned_the_other_way() -> None:
    offset = calibrate(aside).offset
    assert offset is not None

    def through(look: Callable[[float], Reading]) -> Callable[[float], Reading]:
        return lambda t: offset.seen_from_screen(look(t))

    assert kinds(follow(SteadyReader(0.5), [(5.0, lambda t: seen(21.0, -6.0, 0.7, gaze_yaw=24.0))])) == ["looking_off"]
    said = follow(SteadyReader(0.5), [(5.0, through(aside)), (3.0, through(lambda _: seen(yaw=-8.0, lid=0.7)))])
    assert kinds(said) == ["face", "turned"]
    assert said[-1][1] is not None
    assert said[-1][1].detail == "head turned 29°"


def test_narrow_eyes_are_open_once_calibrated_and_shut_when_they_shut() -> None:
    def look(lid: float) -> Reading:
        return Offset(lid=0.4).seen_from_screen(seen(lid=lid))

    relative = look(0.4).signals
    assert relative is not None
    assert (relative.lid_left, relative.lid_right) == (1.0, 1.0)
    assert look(0.4).score > 0.5
    assert look(0.1).score < 0.5


def test_without_signals_there_is_nothing_to_be_relative_to() -> None:
    assert Offset(yaw=30.0).seen_from_screen(GOOD) is GOOD
