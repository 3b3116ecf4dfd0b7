"""The running mean of a network's weights, which is steadier than the weights of any one step.

Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

SHARE = 1 / 40
"""Of the training, over which the mean reaches back."""


class Average:
    """Of the floating point tensors of `model`; others are those of the last step. `steps`: of the whole training."""

    def __init__(self, model: nn.Module, steps: int) -> None:
        self._own = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._model = model
        self._horizon = max(steps * SHARE, 1.0)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number `step`, from 0; early steps are forgotten quickly."""
        weight = max(1 / self._horizon, 1 / (1 + step / 10))
        now = self._model.state_dict()
        floating = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_([self._own[name] for name in floating], [now[name] for name in floating], weight)
        for name, value in now.items():
            if not value.is_floating_point():
                self._own[name].copy_(value)

    def state(self) -> dict[str, Tensor]:
        """The mean, as a state dict."""
        return self._own

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from what `state` gave."""
        for name, value in state.items():
            self._own[name].copy_(value)
