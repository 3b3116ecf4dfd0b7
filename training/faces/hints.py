"""What a guide's layers see is shown to AttentiveMobileNetV2's, which so learn where to look before they know why.

Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015: each of the pupil's maps, through a convolution of its
own that is thrown away afterwards, is to be the guide's map of the same scale.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.faces.guide import Guide
from training.model import AttentiveMobileNetV2, standardised

PLACES = ((3, 24), (6, 32), (13, 96), (17, 320))
"""Of the pupil: after which layers of the backbone, and how many channels these have, for the guide's four blocks."""

WEIGHT = 10.0
"""Of the hints beside the truth."""


class Hints(nn.Module):
    """A guide and what translates between it and its pupil. `guide`: trained; it is not changed."""

    def __init__(self, guide: Guide) -> None:
        super().__init__()
        self.guide = guide.eval().requires_grad_(False)
        self.translators = nn.ModuleList(
            nn.Conv2d(own, theirs, 1) for (_, own), theirs in zip(PLACES, guide.channels, strict=True)
        )

    def parameters_to_learn(self) -> list[nn.Parameter]:
        """Of the translators."""
        return list(self.translators.parameters())

    def seen_by(self, pupil: AttentiveMobileNetV2, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """The pupil's maps, and what its `outputs` gives."""
        assert pupil.signals is not None
        wanted, maps, features = {place for place, _ in PLACES}, [], standardised(images)
        for index, layer in enumerate(pupil.backbone.features):
            features = layer(features)
            if index in wanted:
                maps.append(features)
        pooled = features.mean((2, 3))
        return maps, pupil.head(pooled), pupil.signals(pooled)

    def given(self, images: Tensor) -> tuple[list[Tensor], Tensor, Tensor]:
        """The guide's maps, and what its `outputs` gives."""
        with torch.no_grad():
            maps = self.guide.maps(images)
            return maps, *self.guide.answers(maps[-1])

    def distance(self, seen: list[Tensor], given: list[Tensor]) -> Tensor:
        """Mean over the blocks of the squared difference, in variances of the guide's map: 1 knows nothing."""
        parts = []
        for translate, own, theirs in zip(self.translators, seen, given, strict=True):
            told = translate(own)
            if told.shape != theirs.shape:
                told = functional.adaptive_avg_pool2d(told, (theirs.shape[2], theirs.shape[3]))
            spread = (theirs - theirs.mean((0, 2, 3), keepdim=True)).square().mean()
            parts.append((told - theirs).square().mean() / (spread + 1e-6))
        return torch.stack(parts).mean()
