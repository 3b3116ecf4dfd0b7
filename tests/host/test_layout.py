"""Where tiles go, for every number of people and every shape of video."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.layout import GAP_PX, HEADER_PX, Rect, fit, layout

GRIDS = st.sampled_from([(1280, 720), (640, 360), (320, 180), (960, 540), (322, 718), (1280, 180)])
ASPECTS = st.lists(st.floats(0.5, 2.5), min_size=1, max_size=25)


def overlap(one: Rect, other: Rect) -> bool:
    return (
        one.x < other.x + other.width
        and other.x < one.x + one.width
        and one.y < other.y + other.height
        and other.y < one.y + one.height
    )


@given(GRIDS, ASPECTS)
def test_tiles_are_even_below_the_header_and_apart(grid: tuple[int, int], aspects: list[float]) -> None:
    width, height = grid
    tiles = layout(width, height, aspects)
    assert len(tiles) == len(aspects)
    for tile in tiles:
        assert all(value % 2 == 0 for value in (tile.x, tile.y, tile.width, tile.height))
        assert tile.width >= 2
        assert tile.height >= 2
        assert tile.x >= 0
        assert tile.x + tile.width <= width
        assert tile.y >= HEADER_PX
        assert tile.y + tile.height <= height
    assert not any(overlap(one, other) for i, one in enumerate(tiles) for other in tiles[:i])


@given(GRIDS, ASPECTS)
def test_all_tiles_are_of_one_size_in_reading_order(grid: tuple[int, int], aspects: list[float]) -> None:
    tiles = layout(*grid, aspects)
    assert len({(tile.width, tile.height) for tile in tiles}) == 1
    assert [(tile.y, tile.x) for tile in tiles] == sorted((tile.y, tile.x) for tile in tiles)


@given(st.integers(1, 25))
def test_every_row_is_centred(count: int) -> None:
    tiles = layout(1280, 720, [4 / 3] * count)
    for y in {tile.y for tile in tiles}:
        row = [tile for tile in tiles if tile.y == y]
        left, right = row[0].x, 1280 - (row[-1].x + row[-1].width)
        assert abs(left - right) <= 2
        assert left >= GAP_PX - 2


def test_nobody_needs_no_tile() -> None:
    assert layout(1280, 720, []) == []


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (2, 2), (4, 2), (5, 3), (9, 3), (25, 7)])
def test_webcams_are_laid_out_so_that_they_are_large(count: int, columns: int) -> None:
    tiles = layout(1280, 720, [4 / 3] * count)
    assert len({tile.x for tile in tiles if tile.y == HEADER_PX}) == columns


def test_wide_videos_are_stacked_and_tall_ones_stand_side_by_side() -> None:
    assert len({tile.y for tile in layout(640, 640, [2.5, 2.5])}) == 2
    assert len({tile.y for tile in layout(640, 640, [0.5, 0.5])}) == 1


@given(
    st.integers(1, 4096),
    st.integers(1, 4096),
    st.builds(Rect, *[st.integers(0, 300).map(lambda n: n * 2)] * 2, *[st.integers(1, 600).map(lambda n: n * 2)] * 2),
)
def test_a_video_fits_into_its_tile_whatever_its_shape(width: int, height: int, box: Rect) -> None:
    inner = fit(width, height, box)
    assert all(value % 2 == 0 for value in (inner.x, inner.y, inner.width, inner.height))
    assert inner.width >= 2
    assert inner.height >= 2
    assert box.x <= inner.x
    assert inner.x + inner.width <= box.x + box.width
    assert box.y <= inner.y
    assert inner.y + inner.height <= box.y + box.height


@given(st.floats(0.5, 2.5))
def test_a_fitted_video_keeps_its_shape_and_touches_two_sides(aspect: float) -> None:
    box = Rect(8, 44, 640, 480)
    inner = fit(round(1000 * aspect), 1000, box)
    assert inner.width / inner.height == pytest.approx(aspect, rel=0.02)
    assert box.width - inner.width <= 2 or box.height - inner.height <= 2
    assert abs((inner.x - box.x) - (box.x + box.width - inner.x - inner.width)) <= 2
