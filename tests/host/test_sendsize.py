"""What a participant is asked to send."""

from __future__ import annotations

import pytest

from host.layout import DEFAULT_ASPECT, Rect
from host.sendsize import MAX_KBPS, MIN_KBPS, aspect, wanted
from tests.host.people import live


def test_a_tile_is_filled_at_the_grids_rate() -> None:
    send = wanted(Rect(10, 20, 640, 480), 15)
    assert (send.width, send.height, send.fps, send.kbps) == (640, 480, 15, 599)


@pytest.mark.parametrize(("size", "kbps"), [((64, 48), MIN_KBPS), ((1280, 720), MAX_KBPS)])
def test_a_bitrate_stays_within_what_makes_sense(size: tuple[int, int], kbps: int) -> None:
    assert wanted(Rect(0, 0, *size), 15).kbps == kbps


@pytest.mark.parametrize(
    ("size", "shape"),
    [(None, DEFAULT_ASPECT), ((640, 480), 1.35), ((642, 480), 1.35), ((100, 1000), 0.5), ((9, 1), 2.5)],
)
def test_a_shape_is_coarse_and_never_extreme(size: tuple[int, int] | None, shape: float) -> None:
    person = live()
    assert person.slot is not None
    person.slot.size = size
    assert aspect(person) == shape
