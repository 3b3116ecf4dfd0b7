"""The face detector's network: small enough for every frame of a browser tab on one core.

One grid of 20x16 cells, each of 8 pixels, says for every cell whether a face's middle is near and where its box is;
coarser layers tell it what a whole head looks like. One grid does for all sizes, since one box comes out in the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH, HEIGHT = 160, 120
"""Pixels of the input."""

CELL = 8
PADDING = 4
"""Rows above and below, so that 120 rows halve four times: the grid is 20x16, its first row's centre at y = 0."""

COLUMNS, ROWS = WIDTH // CELL, (HEIGHT + 2 * PADDING) // CELL

UNIT = 32.0
"""Pixels: a side of exp(0)."""

PRIOR = -4.0
"""Score, before the sigmoid, of a cell at the start: nearly all cells hold no face (Lin et al., "Focal Loss for Dense
Object Detection", ICCV 2017)."""

STEM, FINE, MIDDLE, COARSE = 16, 24, 48, 72


def _convolution(inputs: int, outputs: int, stride: int = 1, *, size: int = 3, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Block(nn.Module):
    """A depthwise separable convolution (Howard et al., "MobileNets", 2017), around which the input goes where it
    fits."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_convolution(inputs, inputs, stride, groups=inputs),
            nn.ReLU(),
            *_convolution(inputs, outputs, size=1),
            nn.ReLU(),
        )
        self.residual = inputs == outputs and stride == 1

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, outputs, H / stride, W / stride)."""
        found: Tensor = self.layers(features)
        return features + found if self.residual else found


class FaceNetwork(nn.Module):
    """(N, 3, 120, 160) RGB in -1..1 -> (N, 4, 16, 20): score before the sigmoid; centre from that of the cell, in
    cells; logarithm of the side over `UNIT`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(*_convolution(3, STEM, 2), nn.ReLU())
        self.fine = nn.Sequential(Block(STEM, FINE, 2), Block(FINE, FINE))
        self.middle = nn.Sequential(Block(FINE, MIDDLE, 2), Block(MIDDLE, MIDDLE), Block(MIDDLE, MIDDLE))
        self.coarse = nn.Sequential(Block(MIDDLE, COARSE, 2), Block(COARSE, COARSE), Block(COARSE, COARSE))
        self.coarsest = nn.Sequential(Block(COARSE, COARSE, 2), Block(COARSE, COARSE))
        self.narrow = nn.Sequential(*_convolution(COARSE, MIDDLE, size=1))
        self.join = Block(MIDDLE, MIDDLE)
        self.head = nn.Conv2d(MIDDLE, 4, 1)
        with torch.no_grad():
            self.head.weight.mul_(0.1)
        self.head.bias = nn.Parameter(torch.tensor([PRIOR, 0.0, 0.0, 0.0]))

    def forward(self, rgb: Tensor) -> Tensor:
        """See the class."""
        bar = rgb.new_full((rgb.shape[0], rgb.shape[1], PADDING, WIDTH), -1.0)
        padded = torch.cat((bar, rgb, bar), dim=2)  # functional.pad has no quiet way to ONNX
        middle = self.middle(self.fine(self.stem(padded)))
        coarse = self.coarse(middle)
        context = coarse + functional.interpolate(self.coarsest(coarse), scale_factor=2.0, mode="nearest")
        wide = functional.interpolate(self.narrow(context), scale_factor=2.0, mode="nearest")
        found: Tensor = self.head(self.join(torch.relu(middle + wide)))
        return found


def centres() -> Tensor:
    """(2, 16, 20): x and y of every cell's centre, in pixels of the input."""
    x = (torch.arange(COLUMNS) + 0.5) * CELL
    y = (torch.arange(ROWS) + 0.5) * CELL - PADDING
    return torch.stack((x[None].expand(ROWS, -1), y[:, None].expand(-1, COLUMNS)))


class DeployedFaceNetwork(nn.Module):
    """What devices run: (1, 120, 160, 3) uint8 RGB -> (1, 320, 4) rows of score 0..1, centre x, centre y, side."""

    def __init__(self, network: FaceNetwork) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("centres", centres().flatten(1).T)

    def forward(self, frame: Tensor) -> Tensor:
        """See the class."""
        rgb = frame.permute(0, 3, 1, 2).float() * (2 / 255) - 1
        score, place, size = self.network(rgb).flatten(2).transpose(1, 2).split((1, 2, 1), dim=2)
        boxes = (self.get_buffer("centres") + place * CELL, torch.exp(size) * UNIT)
        return torch.cat((torch.sigmoid(score), *boxes), dim=2)
