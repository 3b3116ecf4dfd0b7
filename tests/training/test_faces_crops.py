"""Boxes of rendered faces: where the detector finds one, what the truth expects, and who is believed."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from peer.perception.crop import Box
from tests.peer import clips
from tests.training.conftest import HEAD
from tests.training.rendered import make_truth
from training.faces.crops import FEWEST_TO_FIT, USUAL, BoxMap, FaceBox, find_face, fit_boxes
from training.faces.haar import HaarDetector
from training.faces.truth import Truth


def square_frame(name: str = "ana") -> np.ndarray:
    """The first frame of a demo clip, (480, 480, 3) BGR: without the 80 columns at either side."""
    _, frame = next(clips.frames(name, 1))
    return frame[:, 80:560]


@pytest.mark.parametrize("side", [480, 192, 160])
def test_a_face_is_found_where_it_is_however_large_the_picture(side: int) -> None:
    picture = cv2.resize(square_frame(), (side, side), interpolation=cv2.INTER_AREA)
    box = find_face(HaarDetector(), picture)
    assert box is not None
    assert box.x == pytest.approx((HEAD.left - 80 + HEAD.side / 2) / 480, abs=0.08)
    assert box.y == pytest.approx((HEAD.top + HEAD.side / 2) / 480, abs=0.08)
    assert 0.3 < box.side < 0.7


def test_a_face_at_the_edge_keeps_its_place_beyond_it() -> None:
    left = round(HEAD.left) - 80
    cut_off = square_frame()[:, left : left + 330]  # the face now begins at the left edge
    box = find_face(HaarDetector(), np.ascontiguousarray(cut_off[:330]))
    assert box is not None
    assert box.x - box.side / 2 < 0.1


@pytest.mark.parametrize("grey", [90, 0])
def test_no_face_or_no_light_is_none(grey: int) -> None:
    assert find_face(HaarDetector(), np.full((192, 192, 3), grey, np.uint8)) is None


def test_of_two_faces_the_larger_one_counts() -> None:
    both = square_frame().copy()
    both[-140:, -140:] = cv2.resize(square_frame("ben")[90:360, 105:375], (140, 140), interpolation=cv2.INTER_AREA)
    smaller = find_face(HaarDetector(), np.ascontiguousarray(both[-160:, -160:]))
    assert smaller is not None and smaller.side * 160 > 60
    alone, box = find_face(HaarDetector(), square_frame()), find_face(HaarDetector(), both)
    assert alone is not None and box is not None
    assert [box.x, box.y, box.side] == pytest.approx([alone.x, alone.y, alone.side], abs=0.05)


def test_a_box_in_pixels_is_as_the_crop_takes_it() -> None:
    assert FaceBox(0.5, 0.4, 0.2).in_pixels(200) == Box(80.0, 60.0, 40.0)


def some_truths(count: int) -> list[Truth]:
    """Heads of all sizes, places and poses, whose eyes turn with them."""
    rng = np.random.default_rng(3)
    truths = []
    for number in range(count):
        yaw, pitch = rng.uniform(-60, 60), rng.uniform(-30, 30)
        left, top, width, height = *rng.uniform(0.1, 0.3, 2), *rng.uniform(0.35, 0.5, 2)
        x = left + width * (0.5 + 0.3 * math.sin(math.radians(yaw)))
        eyes = ((x + 0.1, top + 0.3 * height), (x - 0.1, top + 0.3 * height))
        box = (left, top, left + width, top + height)
        truths.append(make_truth(number, yaw=yaw, pitch=pitch, head_box=box, eyes_xy=eyes))
    return truths


def haar_of(truth: Truth) -> FaceBox:
    """What a detector might give: round the eyes, lower when the head is lowered, always 0.9 of the head's size."""
    left, top, right, bottom = truth.head_box
    unit = math.sqrt((right - left) * (bottom - top))
    x, y = np.mean(truth.eyes_xy, axis=0)
    return FaceBox(float(x), float(y) - 0.2 * unit * math.sin(math.radians(truth.pitch)), 0.9 * unit)


def test_the_map_learns_what_the_detector_does_although_every_sixth_box_is_on_something_else() -> None:
    truths = some_truths(300)
    found: list[FaceBox | None] = [haar_of(truth) for truth in truths]
    rng = np.random.default_rng(4)
    for number in range(0, 300, 6):
        found[number] = FaceBox(*rng.uniform(0, 1, 2), 0.1)
    for number in range(1, 300, 6):
        found[number] = None
    boxes = fit_boxes(truths, found)
    assert boxes.faces == 250
    for truth, box in zip(truths, found, strict=True):
        expected = boxes.expected(truth)
        assert [expected.x, expected.y, expected.side] == pytest.approx(
            [haar_of(truth).x, haar_of(truth).y, haar_of(truth).side], abs=0.004
        )
        if box is not None:
            assert boxes.holds(truth, box) == (box == haar_of(truth))


@pytest.mark.parametrize(
    ("shift", "factor", "held"), [(0.25, 1.0, True), (0.35, 1.0, False), (0.0, 1.5, True), (0.0, 1.7, False),
                                  (0.0, 1 / 1.7, False)],
)  # fmt: skip
def test_a_box_too_far_off_or_of_another_size_is_not_the_face(shift: float, factor: float, held: bool) -> None:
    truth, boxes = make_truth(), BoxMap(USUAL, 0)
    expected = boxes.expected(truth)
    found = FaceBox(expected.x + shift * expected.side, expected.y, expected.side * factor)
    assert boxes.holds(truth, found) is held


def test_too_few_faces_give_the_usual_map_which_holds_eyes_and_chin() -> None:
    truths = some_truths(FEWEST_TO_FIT - 1)
    boxes = fit_boxes(truths, [haar_of(truth) for truth in truths])
    assert boxes.faces == 0
    for truth in truths:
        box = boxes.expected(truth)
        for x, y in (*truth.eyes_xy, ((truth.head_box[0] + truth.head_box[2]) / 2, truth.head_box[3] - 0.1)):
            assert abs(x - box.x) < box.side * 0.6 and abs(y - box.y) < box.side * 0.6
