"""Where the model looks: Grad-CAM heat maps, and a sheet of right and wrong decisions with them.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", ICCV 2017.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from torch import Tensor, nn

from peer.perception.crop import CROP_SIDE, Pixels
from training.calibration import Calibration
from training.dataset import plain_transform, read_crops
from training.evaluation import Predictions
from training.metrics import Floats, Labels
from training.plots import save_figure
from training.splits import Sample

COLUMNS = 6
GROUPS = (
    ("True positives", 1, 1),
    ("False negatives", 1, 0),
    ("False positives", 0, 1),
    ("True negatives", 0, 0),
)
"""Rows of the sheet: name, truth, decision."""

WORDS = ("not attentive", "attentive")
ROW_IN, EMPTY_ROW_IN, SCALE_IN, TITLE_IN = 3.05, 0.45, 0.55, 0.35
"""Heights of the sheet's parts in inches."""

GAP = 4
"""Pixels between a face and the same face under its heat map."""

HEAT = mpl.colormaps["inferno"]
STRONGEST = 0.6
"""How much of a pixel the heat may cover, so that the face stays visible."""


def heat_maps(model: nn.Module, layer: nn.Module, images: Tensor, decisions: Tensor) -> NDArray[np.float32]:
    """What in each image spoke for the decision: (N, h, w) float32 of 0..1, 1 where it spoke loudest.

    `layer`: whose output, (N, C, h, w), is looked at, the last convolution's as a rule; `images`: (N, 3, H, W) as the
    model takes them; `decisions`: (N,) of 0 and 1. An image in which nothing spoke for its decision is 0 throughout.
    """
    kept: list[Tensor] = []
    hook = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(output))
    try:
        model.eval()
        with torch.enable_grad():
            # The gradient must reach the layer also where every weight is frozen.
            logits = model(images.clone().requires_grad_()).reshape(-1)
            # One logit speaks for both classes: for "attentive" when it rises, for "not attentive" when it falls.
            (gradients,) = torch.autograd.grad((logits * (2 * decisions - 1)).sum(), kept[0])
    finally:
        hook.remove()
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    maps = torch.relu((weights * kept[0].detach()).sum(1))
    peaks = maps.amax(dim=(1, 2), keepdim=True)
    return torch.where(peaks > 0, maps / peaks, 0.0).numpy()


def overlay(crop: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """The heat map (h, w) over the face (H, W, 3) uint8 RGB; where nothing spoke, the face is as it was."""
    height, width = crop.shape[:2]
    large = np.clip(cv2.resize(heat, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)[..., None]
    cover = STRONGEST * large
    mixed: Floats = crop * (1 - cover) + 255 * HEAT(large[..., 0])[..., :3] * cover
    return np.rint(mixed).astype(np.uint8)


@dataclass(frozen=True)
class Strip:
    """A row of a sheet. `shown`: numbers of the images, at most `COLUMNS`."""

    title: str
    shown: Sequence[int]


def choose(group: Labels, margins: Floats, persons: Sequence[str], amount: int = COLUMNS) -> list[int]:
    """Up to `amount` of the images `group`: the surest decision on each person first, then each one's second, ...

    `group`: (G,) numbers of images; `margins`, `persons`: (N,) of all images, how sure the decision is and on whom.
    """
    turns: Counter[str] = Counter()
    ranked = []
    for index in group[np.argsort(-margins[group], kind="stable")].tolist():
        ranked.append((turns[persons[index]], -margins[index], index))
        turns[persons[index]] += 1
    return [index for _, _, index in sorted(ranked)[:amount]]


def draw_sheet(path: Path, run: Path, model: nn.Module, test: Predictions, calibration: Calibration) -> None:
    """Write the sheet: a row for each of `GROUPS`, up to six images each. Raises `TrainingFailed`."""
    predicted = test.predicted(calibration)
    margins = how_sure(test, calibration)
    strips = []
    for name, truth, decision in GROUPS:
        group = np.flatnonzero((test.labels == truth) & (predicted == decision))
        shown = choose(group, margins, test.persons)
        called = "so" if truth == decision else WORDS[decision]
        how_many = f"{len(shown)} of {len(group)} images" if shown else "there are none"
        strips.append(Strip(f"{name}: {WORDS[truth]} and called {called} ({how_many})", shown))
    draw_strips(path, run, model, test, calibration, rows=strips)


def how_sure(test: Predictions, calibration: Calibration) -> Floats:
    """(N,) distance of each probability from the threshold."""
    return np.abs(test.probabilities(calibration.temperature) - calibration.threshold)


def draw_strips(
    path: Path, run: Path, model: nn.Module, test: Predictions, calibration: Calibration, *, rows: Sequence[Strip]
) -> None:
    """Write a sheet of these rows, each image above its heat map. Raises `TrainingFailed`."""
    predicted = test.predicted(calibration)
    probabilities = test.probabilities(calibration.temperature)
    heights = [ROW_IN if row.shown else EMPTY_ROW_IN for row in rows] + [SCALE_IN]
    figure = Figure(figsize=(7.8, sum(heights) + TITLE_IN), layout=ConstrainedLayoutEngine(h_pad=0.09))
    figure.suptitle("Grad-CAM on test images: what spoke for the model's decision", ha="left", x=0.012)
    *strips, foot = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    for strip, row in zip(strips, rows, strict=True):
        strip.suptitle(row.title, ha="left", x=0.012, fontsize=10)
        samples = [test.samples[index] for index in row.shown]
        captions = [
            f"{sample.person}\n{WORDS[sample.label]}, p = {probabilities[index]:.2f}"
            for index, sample in zip(row.shown, samples, strict=True)
        ]
        if row.shown:
            _draw_row(strip, explained(run, model, samples, predicted[list(row.shown)]), captions)
    _draw_scale(foot)
    save_figure(figure, path)


def explained(run: Path, model: nn.Module, samples: Sequence[Sample], decisions: Labels) -> list[Pixels]:
    """Each sample's face, and below it the same under what in it spoke for its decision: (324, 160, 3) uint8 RGB."""
    crops = read_crops(run, samples)
    transform = plain_transform()
    images = torch.stack([transform(torch.from_numpy(crop).permute(2, 0, 1).contiguous()) for crop in crops])
    maps = heat_maps(model, last_feature_map(model), images, torch.from_numpy(decisions))
    gap = np.full((GAP, CROP_SIDE, 3), 255, np.uint8)
    return [np.vstack([crop, gap, overlay(crop, heat)]) for crop, heat in zip(crops, maps, strict=True)]


def _draw_row(strip: SubFigure, pictures: Sequence[Pixels], captions: Sequence[str]) -> None:
    axes = strip.subplots(1, COLUMNS)
    for axis in axes:
        axis.set_axis_off()
    for axis, picture, caption in zip(axes, pictures, captions, strict=False):
        axis.imshow(picture)
        axis.set_title(caption, loc="center", fontsize=7, fontweight="normal")


def _draw_scale(foot: SubFigure) -> None:
    bar = foot.colorbar(
        ScalarMappable(Normalize(0, 1), HEAT), cax=foot.add_axes((0.2, 0.6, 0.6, 0.25)), orientation="horizontal"
    )
    bar.set_ticks([0, 1], labels=["did not count", "counted most, within its own image"])


def last_feature_map(model: nn.Module) -> nn.Module:
    """The layer of AttentiveMobileNetV2 whose output the heat maps are made of; pruned or not, it is the same."""
    return model.get_submodule("backbone.features.18")
