"""Choosing among the face model's answers, the views it is shown, and following a face, with the real model."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from peer.perception.crop import Box, Pixels
from peer.perception.detector import FaceDetector, View, choose, surroundings, whole
from peer.perception.face_model import FaceModel, Faces
from tests.peer import clips


@pytest.fixture(scope="module")
def model() -> FaceModel:
    return FaceModel()


def rows(*faces: tuple[float, float, float, float]) -> Faces:
    """Score, centre x, centre y, side; and one that is surely no face."""
    return np.array([*faces, (0.01, 5, 5, 150)], np.float32)


def test_the_largest_sure_face_is_chosen() -> None:
    small, large, unsure = (0.99, 30, 30, 20), (0.6, 100, 60, 40), (0.4, 80, 60, 90)
    assert choose(rows(small, large, unsure), 0.5) == Box(80, 40, 40)
    assert choose(rows(small, unsure), 0.5) == Box(20, 20, 20)
    assert choose(rows(unsure), 0.5) is None


def test_a_doubtful_large_face_beside_a_sure_one_is_none() -> None:
    assert choose(rows((0.9, 100, 60, 40), (0.5, 60, 60, 90)), 0.4) == Box(80, 40, 40)
    assert choose(rows((0.9, 100, 60, 40), (0.6, 60, 60, 90)), 0.4) == Box(15, 15, 90)


def test_answers_that_mean_the_same_face_are_averaged_by_their_scores() -> None:
    box = choose(rows((0.9, 100, 60, 40), (0.6, 105, 60, 35)), 0.5)
    assert box is not None
    assert [box.side, box.left + box.side / 2] == pytest.approx([38.0, 102.0])


@pytest.mark.parametrize("other", [(0.9, 111, 60, 40), (0.9, 100, 60, 26)], ids=["beside", "smaller"])
def test_answers_that_mean_another_face_have_no_say(other: tuple[float, float, float, float]) -> None:
    assert choose(rows((0.9, 100, 60, 40.5), other), 0.5) == Box(79.75, 39.75, 40.5)


def test_the_followed_face_stays_chosen_beside_a_larger_one() -> None:
    followed, larger = (0.9, 30, 60, 30), (0.9, 110, 60, 50)
    assert choose(rows(followed, larger), 0.5, Box(20, 40, 32)) == Box(15, 45, 30)
    for gone in (Box(60, 40, 32), Box(20, 50, 16)):  # too far from it, and of another size
        assert choose(rows(followed, larger), 0.5, gone) == Box(85, 35, 50)


def test_a_followed_face_needs_less_than_a_new_one() -> None:
    doubtful = rows((0.46, 30, 60, 30))
    assert choose(doubtful, 0.5) is None
    assert choose(doubtful, 0.5, Box(20, 40, 32)) == Box(15, 45, 30)
    assert choose(doubtful, 0.5, Box(60, 40, 32)) is None
    assert choose(rows((0.44, 30, 60, 30)), 0.5, Box(20, 40, 32)) is None


def marked(width: int, height: int, x: int, y: int) -> Pixels:
    """A grey picture with a blue (BGR) mark of 16 pixels round x, y."""
    bgr = np.full((height, width, 3), 90, np.uint8)
    bgr[y - 8 : y + 8, x - 8 : x + 8] = (255, 0, 0)
    return bgr


@pytest.mark.parametrize(("width", "height"), [(640, 480), (1280, 720), (480, 640), (160, 120), (100, 30), (3000, 9)])
def test_a_whole_frame_keeps_its_aspect_between_bars(width: int, height: int) -> None:
    view = whole(np.full((height, width, 3), 90, np.uint8))
    lit = np.argwhere(view.rgb[..., 0] > 0)
    (top, left), (bottom, right) = lit.min(axis=0), lit.max(axis=0) + 1
    assert view.rgb.shape == (120, 160, 3)
    assert right - left == 160 or bottom - top == 120
    assert abs(left - (160 - right)) <= 1 and abs(top - (120 - bottom)) <= 1
    assert [view.left + left * view.scale, view.top + top * view.scale] == pytest.approx([0, 0])
    assert (right - left) * view.scale == pytest.approx(width, rel=0.02)


def near(bgr: Pixels, box: Box) -> View:
    """The view round `box`, where there is one."""
    view = surroundings(bgr, box)
    assert view is not None
    return view


@pytest.mark.parametrize("look", [whole, lambda bgr: near(bgr, Box(320, 220, 90))], ids=["whole", "near"])
def test_a_view_knows_where_it_lies_in_the_frame_and_is_rgb(look: Callable[[Pixels], View]) -> None:
    view = look(marked(1280, 720, 360, 260))
    blue = np.argwhere(view.rgb[..., 2] > 180)
    y, x = blue.mean(axis=0) + 0.5
    assert [view.left + x * view.scale, view.top + y * view.scale] == pytest.approx([360, 260], abs=4)
    assert view.rgb[int(y), int(x), 0] < 50


def test_the_surroundings_show_two_and_a_half_sides_or_a_little_more() -> None:
    bgr = np.full((480, 640, 3), 90, np.uint8)
    for side in (20, 37, 66, 90, 135):
        height = 120 * near(bgr, Box(300, 200, side)).scale
        assert 2.49 * side <= height <= 2.51 * side * 2**0.5
    assert surroundings(bgr, Box(200, 100, 140)) is None  # the whole frame is the smallest step that holds it


def test_a_box_that_trembles_is_looked_for_in_the_very_same_view() -> None:
    bgr = np.full((480, 640, 3), 90, np.uint8)
    views = {
        (view.left, view.top, view.scale)
        for view in (near(bgr, Box(315 + shake, 195 - shake, 90 + shake)) for shake in np.linspace(-2, 2, 9))
    }
    assert len(views) == 1


def test_the_surroundings_are_moved_into_the_frame() -> None:
    bgr = np.full((480, 640, 3), 90, np.uint8)
    corner = near(bgr, Box(-20, -20, 95))
    assert (corner.left, corner.top) == (0, 0)
    assert corner.rgb.min() == 90
    other = near(bgr, Box(600, 440, 95))
    assert [other.left + 160 * other.scale, other.top + 120 * other.scale] == pytest.approx([640, 480], abs=1)


def test_a_tall_frame_is_looked_at_in_parts_of_it() -> None:
    view = near(np.full((1280, 720, 3), 90, np.uint8), Box(300, 400, 200))
    assert view.rgb[60, 80].min() == 90
    assert 120 * view.scale >= 500


def test_the_face_is_found_wherever_it_went(model: FaceModel) -> None:
    _, bgr = next(clips.frames("zuri", 1))
    detector = FaceDetector(model)
    here = detector.detect(bgr)
    moved = np.roll(bgr, 120, axis=1)
    there = detector.detect(moved)
    assert here is not None
    assert there is not None
    assert there.left - here.left == pytest.approx(120, abs=0.1 * here.side)


def test_a_far_and_dark_face_is_found_at_once(model: FaceModel) -> None:
    _, bgr = next(clips.frames("mei", 1))
    far = np.full((480, 640, 3), 30, np.uint8)
    small = cv2.resize(bgr, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    far[100:292, 200:456] = (small * 0.3).astype(np.uint8)
    assert FaceDetector(model).detect_still(far) is not None


def test_the_box_is_in_pixels_of_the_frame_whatever_its_size(model: FaceModel) -> None:
    _, bgr = next(clips.frames("mei", 1))
    here = FaceDetector(model).detect(bgr)
    large = FaceDetector(model).detect(np.asarray(cv2.resize(bgr, (1280, 960)), np.uint8))
    assert here is not None
    assert large is not None
    assert large.side == pytest.approx(2 * here.side, rel=0.05)
    assert large.left == pytest.approx(2 * here.left, abs=0.05 * large.side)


def test_of_two_faces_the_one_that_was_followed_stays_chosen_until_it_is_gone(model: FaceModel) -> None:
    (_, left), (_, right) = next(clips.frames("mei", 1)), next(clips.frames("ben", 1))
    both = np.hstack([left[:, 100:540], cv2.resize(right, None, fx=1.1, fy=1.1)[24:504, 120:560]])
    detector = FaceDetector(model)
    alone = both.copy()
    alone[:, 440:] = 90
    first = detector.detect(alone)
    assert first is not None and first.left < 300
    stays = detector.detect(both)
    assert stays is not None and stays.left < 300
    detector.reset()
    largest = detector.detect(both)
    assert largest is not None and largest.left > 440


@pytest.mark.parametrize("grey", [90, 0, 255])
def test_nothing_is_no_face(model: FaceModel, grey: int) -> None:
    assert FaceDetector(model).detect(np.full((480, 640, 3), grey, np.uint8)) is None


def test_noise_is_no_face(model: FaceModel) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (480, 640, 3), np.uint8)
    assert FaceDetector(model).detect(noise) is None


def test_faces_in_the_dark_are_found_like_those_in_the_light(model: FaceModel) -> None:
    found: list[bool] = []
    for clip in clips.NAMES:
        truth = clips.truth(clip).frames
        for index, bgr in clips.frames(clip, 12):
            if truth[index].attentive:
                dark = (np.square(bgr / 255) * 0.3 * 255).astype(np.uint8)
                found.append(FaceDetector(model).detect(dark) is not None)
    assert np.mean(found) > 0.95
    assert len(found) > 20
