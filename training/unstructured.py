"""Unstructured L1 pruning: the smallest weights become zero, the network keeps its shape and the file its size.

Per layer, as `torch.nn.utils.prune.l1_unstructured` does it: each convolution and each linear layer loses the same
share. The reference does not say per layer or over all layers at once; it names the method "L1 unstructured pruning
across convolutional and linear layers", which is that function's. Biases and BatchNorm stay.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn


def prune_unstructured(model: nn.Module, ratio: float) -> nn.Module:
    """A copy of `model` without the share `ratio` of each layer's weights, the smallest ones by magnitude."""
    pruned = copy.deepcopy(model)
    with torch.no_grad():
        for weight in prunable_weights(pruned):
            magnitudes = weight.abs().flatten()
            kept = torch.ones_like(magnitudes)
            kept[magnitudes.topk(round(ratio * kept.numel()), largest=False).indices] = 0.0
            weight.mul_(kept.reshape(weight.shape))
    return pruned


def hold_zeros(model: nn.Module) -> Callable[[], None]:
    """What puts the weights that are zero now back to zero, to be called after each step of training.

    Call this when `model` is on the device that it is trained on.
    """
    held = [(weight, weight.detach() != 0) for weight in prunable_weights(model)]

    @torch.no_grad()
    def put_back() -> None:
        for weight, kept in held:
            weight.mul_(kept)

    return put_back


def sparsity(model: nn.Module) -> float:
    """The share of zeros among the weights of convolutions and linear layers, 0..1."""
    weights = list(prunable_weights(model))
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros / sum(weight.numel() for weight in weights)


def prunable_weights(model: nn.Module) -> Iterator[Tensor]:
    """The weights of all convolutions and linear layers."""
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            yield layer.weight
