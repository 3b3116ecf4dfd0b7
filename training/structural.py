"""Structural pruning: whole channels go, and with them every weight that reads or makes them.

torch-pruning (Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023) finds which layers hang together.
Channels are ranked within each layer by the L2 norm of their weights, as in the reference. What is left is an
ordinary, smaller network: its state dict is saved as any other, and `training.model.load_checkpoint` reads the
number of channels off the tensors' shapes. (The reference pickles the module: such a file runs code when it is
loaded, and breaks when the code moves.)
"""

from __future__ import annotations

import copy

import torch
import torch_pruning
from torch import Tensor, nn

from peer.perception.crop import CROP_SIDE
from training.model import has_signals


class Traced(nn.Module):
    """What torch-pruning follows: a network up to its answers; what decides between them has no channels."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The logit, or own logit and signals."""
        return self.model.outputs(images) if has_signals(self.model) else self.model(images)  # type: ignore[operator, no-any-return]


def prune_structural(model: nn.Module, ratio: float) -> nn.Module:
    """A copy of `model`, on the CPU, without the share `ratio` of each layer's channels; logit and signals stay.

    A layer may keep a few more, where its channels hang together with another layer's. Of 2,305,921 parameters
    0.9 leaves 30,477, as in the reference.
    """
    pruned = copy.deepcopy(model).cpu()
    last: list[nn.Module] = [
        layer for layer in pruned.modules() if isinstance(layer, nn.Linear) and layer.out_features == 1
    ]
    if has_signals(pruned):
        last.append(pruned.get_submodule("signals"))
    torch_pruning.pruner.MagnitudePruner(
        Traced(pruned),
        torch.zeros(1, 3, CROP_SIDE, CROP_SIDE),
        torch_pruning.importance.MagnitudeImportance(p=2),
        pruning_ratio=ratio,
        ignored_layers=last,
    ).step()
    return pruned
