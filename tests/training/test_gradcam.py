"""Grad-CAM: it points at what was planted, for either decision, and works on pruned models."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from training.calibration import Calibration
from training.evaluation import Predictions
from training.gradcam import choose, draw_sheet, explained, heat_maps, overlay
from training.model import load_checkpoint
from training.splits import Splits
from training.structural import prune_structural

SIDE = 32


class PatchFinder(nn.Module):
    """Says "attentive" for white, and "not attentive" for what is dark: (N, 3, 32, 32) -> (N, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Conv2d(3, 2, 4, stride=4)
        with torch.no_grad():
            self.features.weight[0], self.features.weight[1] = 1 / 48, -1 / 48
            self.features.bias.zero_()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits."""
        white, dark = torch.relu(self.features(images)).mean((2, 3)).unbind(1)
        return (white - dark)[:, None]


def planted() -> torch.Tensor:
    """A white patch at the top left and a dark one at the bottom right."""
    images = torch.zeros(1, 3, SIDE, SIDE)
    images[..., 4:8, 4:8] = 3.0
    images[..., 24:28, 28:32] = -2.0
    return images


@pytest.mark.parametrize(("decision", "place"), [(1, (1, 1)), (0, (6, 7))])
def test_the_heat_lies_on_the_patch_that_spoke_for_the_decision(decision: int, place: tuple[int, int]) -> None:
    model = PatchFinder()
    (heat,) = heat_maps(model, model.features, planted(), torch.tensor([decision]))
    assert heat.shape == (8, 8)
    assert np.unravel_index(heat.argmax(), heat.shape) == place
    assert heat[place] == 1
    assert heat.sum() == 1  # and nowhere else


def test_frozen_weights_are_no_hindrance_and_inference_mode_neither() -> None:
    model = PatchFinder().requires_grad_(requires_grad=False)
    with torch.no_grad():
        heat = heat_maps(model, model.features, planted(), torch.tensor([1]))
    assert heat.max() == 1
    assert not model.features._forward_hooks


def test_an_image_in_which_nothing_spoke_is_cold_and_not_nan() -> None:
    model = PatchFinder()
    assert heat_maps(model, model.features, torch.zeros(1, 3, SIDE, SIDE), torch.tensor([1])).tolist() == [
        np.zeros((8, 8)).tolist()
    ]


def test_a_cold_map_leaves_the_face_as_it_was_and_heat_does_not_hide_it() -> None:
    crop = np.full((160, 160, 3), 200, np.uint8)
    assert (overlay(crop, np.zeros((5, 5), np.float32)) == crop).all()
    heat = np.zeros((5, 5), np.float32)
    heat[0, 0] = 1
    hot = overlay(crop, heat)
    assert (hot[-40:, -40:] == crop[-40:, -40:]).all()
    assert not (hot[:20, :20] == crop[:20, :20]).all()


def test_people_take_turns_on_the_sheet_the_surest_decisions_first() -> None:
    persons = ["ana", "ana", "ana", "ben", "ana", "ben", "cyd", "ana", "cyd"]
    margins = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.3, 0.5, 0.6, 0.0])
    assert choose(np.arange(8), margins, persons) == [0, 6, 5, 1, 3, 2]
    assert choose(np.array([4, 1]), margins, persons) == [1, 4]


def test_a_pruned_model_has_heat_maps_as_well(tiny_run: Path, tiny_splits: Splits) -> None:
    model = prune_structural(load_checkpoint(tiny_run / "attentive_model.pth").model, 0.3)
    pictures = explained(tiny_run, model, tiny_splits["test"][:3], np.ones(3, np.int64)) + explained(
        tiny_run, model, tiny_splits["test"][:3], np.zeros(3, np.int64)
    )
    assert all(picture.shape == (324, 160, 3) for picture in pictures)
    assert any((picture[:160] != picture[164:]).any() for picture in pictures)


def test_the_sheet_has_a_short_row_for_an_empty_group(tiny_run: Path, tiny_splits: Splits) -> None:
    model = load_checkpoint(tiny_run / "attentive_model.pth").model
    labels = tiny_splits.labels("test")
    heights = []
    for name, logits in (("all-right", 2.0 * labels - 1), ("both", np.where(np.arange(len(labels)) % 3, 1.0, -1.0))):
        draw_sheet(
            tiny_run / f"{name}.jpg", tiny_run, model, Predictions(tiny_splits["test"], logits), Calibration(1.0, 0.5)
        )
        heights.append(cv2.imread(str(tiny_run / f"{name}.jpg")).shape[0])
    assert heights[0] < 0.7 * heights[1]
