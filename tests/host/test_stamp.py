"""Stamps: what is opaque replaces the ground exactly, what is clear leaves it exactly, and edges cut."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.stamp import BgrStamp, Bytes, YuvStamp, beside, over, pill, to_yuv

Planes = tuple[Bytes, Bytes, Bytes]


def canvas(width: int = 64, height: int = 48) -> Planes:
    """A ground in which every pixel differs from its neighbours."""
    rng = np.random.default_rng(3)
    return (
        rng.integers(16, 236, (height, width), np.uint8),
        rng.integers(16, 241, (height // 2, width // 2), np.uint8),
        rng.integers(16, 241, (height // 2, width // 2), np.uint8),
    )


def plain(width: int, height: int, rgba: tuple[int, int, int, int]) -> Bytes:
    return np.full((height, width, 4), rgba, np.uint8)


@pytest.mark.parametrize("rgb", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (92, 124, 250)])
def test_a_colour_in_yuv_is_what_opencv_makes_of_it(rgb: tuple[int, int, int]) -> None:
    planes = cv2.cvtColor(np.full((4, 4, 3), rgb, np.uint8), cv2.COLOR_RGB2YUV_I420)
    assert to_yuv(*rgb) == pytest.approx((planes[0, 0], planes[4, 0], planes[5, 0]), abs=1)


def test_an_opaque_stamp_replaces_the_ground_and_nothing_around_it() -> None:
    ground = canvas()
    before = [plane.copy() for plane in ground]
    YuvStamp(plain(20, 12, (200, 40, 90, 255))).blend(ground, 8, 16)
    expected = to_yuv(200, 40, 90)
    for plane, old, value, shift in zip(ground, before, expected, (0, 1, 1), strict=True):
        inside = np.zeros(plane.shape, bool)
        inside[16 >> shift : 28 >> shift, 8 >> shift : 28 >> shift] = True
        assert np.abs(plane[inside].astype(int) - value).max() <= 1
        assert len(np.unique(plane[inside])) == 1
        assert np.array_equal(plane[~inside], old[~inside])


def test_a_clear_stamp_changes_nothing() -> None:
    ground = canvas()
    before = [plane.copy() for plane in ground]
    YuvStamp(plain(20, 12, (200, 40, 90, 0))).blend(ground, 8, 16)
    assert all(np.array_equal(plane, old) for plane, old in zip(ground, before, strict=True))


@pytest.mark.parametrize("alpha", [1, 64, 127, 128, 178, 254])
def test_a_translucent_stamp_mixes_as_its_alpha_says(alpha: int) -> None:
    ground = np.full((8, 8, 3), 200, np.uint8)
    BgrStamp(plain(8, 8, (40, 40, 40, alpha))).blend(ground, 0, 0)
    assert np.abs(ground.astype(float) - (200 + (40 - 200) * alpha / 255)).max() <= 1


def test_a_bgr_stamp_has_its_colours_in_the_right_channels() -> None:
    ground = np.zeros((6, 6, 3), np.uint8)
    BgrStamp(plain(2, 2, (10, 20, 30, 255))).blend(ground, 2, 2)
    assert ground[2, 2].tolist() == [30, 20, 10]
    assert ground.sum() == 4 * 60


@given(st.integers(1, 9), st.integers(1, 9))
def test_the_size_of_a_yuv_stamp_is_even_and_the_added_edge_is_clear(width: int, height: int) -> None:
    stamp = YuvStamp(plain(width, height, (255, 255, 255, 255)))
    assert (stamp.width, stamp.height) == (width + width % 2, height + height % 2)
    ground = canvas()
    before = ground[0].copy()
    stamp.blend(ground, 0, 0)
    assert (ground[0][:height, :width] >= 234).all()
    assert np.array_equal(ground[0][height:], before[height:])
    assert np.array_equal(ground[0][:, width:], before[:, width:])


@given(st.integers(0, 40).map(lambda n: 2 * n), st.integers(0, 40).map(lambda n: 2 * n))
def test_what_lies_outside_is_cut_off(x: int, y: int) -> None:
    ground, bgr = canvas(), np.zeros((48, 64, 3), np.uint8)
    picture = plain(20, 12, (255, 255, 255, 255))
    YuvStamp(picture).blend(ground, x, y)
    BgrStamp(picture).blend(bgr, x, y)
    visible = max(0, min(20, 64 - x)) * max(0, min(12, 48 - y))
    assert int((bgr[:, :, 0] == 255).sum()) == visible
    assert int((ground[0] == 235).sum()) >= visible


def test_a_stamp_may_be_blended_as_often_as_one_likes() -> None:
    stamp = YuvStamp(plain(8, 8, (1, 2, 3, 255)))
    one, other = canvas(), canvas()
    stamp.blend(one, 0, 0)
    stamp.blend(other, 0, 0)
    stamp.blend(other, 0, 0)
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_pill_has_round_corners_and_room_around_its_content() -> None:
    bar = pill(plain(40, 20, (255, 255, 255, 255)), (12, 15, 21, 178), pad_x=8, pad_y=2)
    assert bar.shape == (24, 56, 4)
    assert bar[0, 0, 3] < 60
    assert bar[0, 28].tolist() == [12, 15, 21, 178]
    assert bar[12, 28].tolist() == [255, 255, 255, 255]


def test_over_puts_an_opaque_picture_on_top_without_touching_the_ground() -> None:
    ground = plain(10, 10, (9, 9, 9, 100))
    result = over(ground, plain(4, 4, (200, 100, 50, 255)), 8, 8)
    assert result.shape == ground.shape
    assert result[9, 9].tolist() == [200, 100, 50, 255]
    assert result[7, 7].tolist() == [9, 9, 9, 100]
    assert (ground == (9, 9, 9, 100)).all()


def test_clear_over_clear_is_clear() -> None:
    assert over(plain(4, 4, (0, 0, 0, 0)), plain(4, 4, (0, 0, 0, 0)), 0, 0).max() == 0


def test_two_pictures_beside_each_other_share_one_centre_line() -> None:
    row = beside(plain(4, 10, (1, 1, 1, 255)), plain(6, 4, (2, 2, 2, 255)), gap=3)
    assert row.shape == (10, 13, 4)
    assert (row[:, :4, 3] == 255).all()
    assert (row[:, 4:7, 3] == 0).all()
    assert row[:, 8, 3].tolist() == [0, 0, 0, 255, 255, 255, 255, 0, 0, 0]
