"""A small residual network that AttentiveMobileNetV2 learns from: it learns the same task in a fifth of the time.

Plain 3x3 convolutions and short ways for the gradient (He et al., "Deep Residual Learning", CVPR 2016). In one thread
an epoch of 1,765 pictures at 96 pixels costs it 4.2 s, MobileNetV2 14 to 22 s; after 35,000 pictures it is 6.5 degrees
off in yaw and 0.18 in lids, where MobileNetV2 is 8.5 and 0.30 off and has not begun to see eyelids.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from training.decision import Decision
from training.model import standardised
from training.signals import SIGNALS

WIDTH = 32
"""Channels after the first convolution; the last block has six times as many."""

DROPOUT = 0.2


class Guide(nn.Module):
    """(N, 3, S, S) float32, normalised by ImageNet's statistics -> what AttentiveMobileNetV2 with signals answers."""

    def __init__(self, width: int = WIDTH) -> None:
        super().__init__()
        self.channels = (width, 2 * width, 4 * width, 6 * width)
        """Of the maps, which are of S / 4, S / 8, S / 16 and S / 32 pixels."""
        self.stem = nn.Sequential(*_convolution(3, width, 5, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
        before = (width, *self.channels[:-1])
        self.blocks = nn.ModuleList(
            Residual(inputs, outputs, 1 if index == 0 else 2)
            for index, (inputs, outputs) in enumerate(zip(before, self.channels, strict=True))
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_in")
        self.dropout = nn.Dropout(DROPOUT)
        self.own = nn.Linear(self.channels[-1], 1)
        self.signals = nn.Linear(self.channels[-1], len(SIGNALS))
        self.decision = Decision()

    def maps(self, images: Tensor) -> list[Tensor]:
        """Of each block, the coarsest last."""
        found, features = [], self.stem(standardised(images))
        for block in self.blocks:
            features = block(features)
            found.append(features)
        return found

    def answers(self, last: Tensor) -> tuple[Tensor, Tensor]:
        """From the coarsest map: (N, 1) logits and (N, 8) signals as the network has them."""
        features = self.dropout(last.mean((2, 3)))
        return self.own(features), self.signals(features)

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """As `AttentiveMobileNetV2.outputs`."""
        return self.answers(self.maps(images)[-1])


class Residual(nn.Module):
    """Two convolutions beside a short way, which is all that is heard at first."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.long = nn.Sequential(
            *_convolution(inputs, outputs, 3, stride), nn.ReLU(inplace=True), *_convolution(outputs, outputs, 3, 1)
        )
        same = stride == 1 and inputs == outputs
        self.short = nn.Identity() if same else nn.Sequential(*_convolution(inputs, outputs, 1, stride))
        nn.init.zeros_(self.long[-1].weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(N, outputs, H / stride, W / stride)."""
        return functional.relu(self.long(features) + self.short(features))


def _convolution(inputs: int, outputs: int, kernel: int, stride: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    ]
