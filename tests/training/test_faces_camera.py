"""The webcam of rendered people: exposure by the face, and a room without light."""

from __future__ import annotations

import numpy as np
import pytest

from training.faces.camera import meter, photograph
from training.faces.truth import Light

FACE = (0.25, 0.25, 0.75, 0.75)


def room(level: int) -> np.ndarray:
    return np.full((96, 96, 3), level, np.uint8)


@pytest.mark.parametrize("light", list(Light))
def test_a_room_without_light_stays_dark_and_is_a_picture_all_the_same(light: Light) -> None:
    picture = photograph(room(0), np.random.default_rng(0), meter(room(0), FACE), light, 1.0)
    assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8
    assert picture.mean() < 10


def test_a_face_counts_more_than_the_wall_and_one_outside_the_picture_not_at_all() -> None:
    lit = room(40)
    lit[24:72, 24:72] = 200
    assert meter(lit, FACE) > 2 * meter(lit, (1.2, 0.1, 1.4, 0.3))
    assert meter(lit, (1.2, 0.1, 1.4, 0.3)) == pytest.approx(((lit / 255) ** 2.2).mean(), rel=1e-3)


def test_dim_and_bright_rooms_come_out_alike_and_a_seed_says_all() -> None:
    dim, bright, again = (
        photograph(room(level), np.random.default_rng(5), meter(room(level), FACE), Light.ROOM, 0.0)
        for level in (70, 210, 70)
    )
    assert abs(float(dim.mean()) - float(bright.mean())) < 12
    assert (dim == again).all()
