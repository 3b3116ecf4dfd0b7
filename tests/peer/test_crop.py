from __future__ import annotations

import numpy as np
import pytest

from peer.perception.crop import CROP_SIDE, Box, crop_face


def test_the_crop_is_centred_on_the_box_and_scaled_by_crop_scale() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[100:300, 100:300] = 255  # exactly the square that scale 2 asks for
    crop = crop_face(picture, Box(150, 150, 100), 2.0)
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)
    assert crop.dtype == np.uint8
    assert crop.min() == 255


def test_the_crop_is_rgb() -> None:
    blue = np.zeros((200, 200, 3), np.uint8)
    blue[..., 0] = 200
    assert crop_face(blue, Box(50, 50, 100), 1.0)[80, 80].tolist() == [0, 0, 200]


@pytest.mark.parametrize(
    "box", [Box(-40, -40, 100), Box(150, 150, 100), Box(-20, 60, 240), Box(60.4, 80.7, 33.3), Box(0, 0, 1)]
)
def test_a_box_over_the_edge_continues_the_pictures_edge(box: Box) -> None:
    picture = np.full((200, 200, 3), 90, np.uint8)
    crop = crop_face(picture, box, 1.25)
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)
    assert np.all(crop == 90)


def test_what_lies_beyond_the_left_edge_is_the_left_column() -> None:
    picture = np.zeros((160, 160, 3), np.uint8)
    picture[:, 0] = 250
    crop = crop_face(picture, Box(-80, 0, 160), 1.0)
    assert np.all(crop[:, :79] == 250)
    assert np.all(crop[:, 82:] == 0)


def test_a_box_wholly_outside_is_an_error() -> None:
    with pytest.raises(ValueError, match="200x100"):
        crop_face(np.zeros((100, 200, 3), np.uint8), Box(300, 0, 50), 1.0)


def test_a_square_far_larger_than_the_picture_is_refused() -> None:
    picture = np.zeros((48, 64, 3), np.uint8)
    crop_face(picture, Box(0.0, 0.0, 64.0), 4.0)
    with pytest.raises(ValueError, match="fits the 64x48 picture"):
        crop_face(picture, Box(0.0, 0.0, 65.0), 4.0)
