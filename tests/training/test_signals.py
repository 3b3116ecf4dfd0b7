"""The signals have the peer's names and order, and leave the network in their units."""

from __future__ import annotations

import pytest
import torch

from peer.perception.signals import SIGNAL_NAMES
from training.signals import CLOSED, NAMES, SCALES, YAW, in_units


def test_training_and_peer_name_the_same_signals_in_the_same_order() -> None:
    assert NAMES == SIGNAL_NAMES


def test_signals_come_out_in_degrees_openness_and_probability() -> None:
    found = in_units(torch.tensor([[1.0, -0.5, 0.4, 0.6, -1.0, 0.2, 0.3, 0.0]]))[0].tolist()
    assert found == pytest.approx([45.0, -15.0, 0.4, 0.6, -45.0, 6.0, 0.3, 0.5])


def test_what_no_face_can_do_is_not_reported() -> None:
    low, high = in_units(torch.stack([torch.full((8,), -9.0), torch.full((8,), 9.0)]))
    assert low.tolist() == pytest.approx([-90, -90, 0, 0, -90, -90, 0, 0], abs=1e-3)
    assert high.tolist() == pytest.approx([90, 90, 1.15, 1.15, 90, 90, 1, 1], abs=1e-3)
    assert (SCALES[YAW], SCALES[CLOSED]) == (45.0, 1.0)
