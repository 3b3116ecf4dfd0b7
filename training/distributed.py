"""One training over several processes, as torchrun starts them: one per GPU, or several on CPUs.

Every process holds the same model and its share of each batch; the first one alone writes and speaks. Without
torchrun everything here does nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import typer
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from signaling.errors import EdgeAttendError
from training.errors import TrainingFailed
from training.trainer import pick_device

T = TypeVar("T")

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others: longer than a download of the weights, shorter than for ever."""


@dataclass(frozen=True)
class World:
    """All processes of this training. `rank`: which of the `size` this is; `device`: what it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks."""
        return self.rank == 0

    def say(self, text: str) -> None:
        """A line for people, once."""
        if self.is_first:
            typer.echo(text)

    def share_of_batch(self, batch_size: int) -> int:
        """Images of each batch that fall to this process. Raises `TrainingFailed`."""
        if batch_size % self.size:
            raise TrainingFailed(
                f"expected a --batch-size that {self.size} processes can share evenly, got {batch_size}:"
                f" take {max(batch_size // self.size, 1) * self.size}"
            )
        return batch_size // self.size

    def share_of_training(self, order: Sequence[int]) -> list[int]:
        """This process's images, such that batch k of all processes together is batch k of a single one.

        Every share has the same length, since gradients are averaged over processes: up to `size` - 1 images at the
        end of `order` sit this epoch out.
        """
        return list(order[: len(order) - len(order) % self.size][self.rank :: self.size])

    def share_of_validation(self, count: int) -> list[int]:
        """This process's images of a part with `count`; each falls to exactly one process."""
        return list(range(self.rank, count, self.size))

    def gathered(self, values: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[Any]]:
        """The `values` of all processes, each one's (n,), laid back into the order that the shares were taken from."""
        if self.size == 1:
            return values
        shares: list[Any] = [None] * self.size
        distributed.all_gather_object(shares, values)
        whole = np.empty(sum(len(share) for share in shares), values.dtype)
        for rank, share in enumerate(shares):
            whole[rank :: self.size] = share
        return whole

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` gives in the first process, in all of them; also what it raises, as `TrainingFailed`."""
        if self.size == 1:
            return make()
        box: list[Any] = [None, None]
        if self.is_first:
            try:
                box[0] = make()
            except EdgeAttendError as error:
                box[1] = error.message
        distributed.broadcast_object_list(box, 0)
        if box[1] is not None:
            raise TrainingFailed(box[1])
        return box[0]  # type: ignore[no-any-return]

    def shared(self, model: nn.Module) -> nn.Module:
        """`model` such that backward() averages the gradients over the processes."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, forward_sync_buffers=False)

    def share_statistics(self, model: nn.Module) -> None:
        """Let BatchNorm, where it learns, normalise by the whole batch and not by this process's share."""
        if self.size == 1:
            return
        for name, layer in list(model.named_modules()):
            if isinstance(layer, nn.BatchNorm2d):
                synchronised = SharedBatchNorm(layer.num_features, layer.eps, layer.momentum)
                synchronised.load_state_dict(layer.state_dict())
                model.set_submodule(name, synchronised)


class SharedBatchNorm(nn.BatchNorm2d):
    """BatchNorm over the batch of all processes, whose shares are equally large.

    As torch's SyncBatchNorm, which knows only CUDA. Still a BatchNorm2d, and just that in eval mode.
    """

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape and type."""
        if not self.training:
            return super().forward(images)
        wide = images.float()
        mean = mean_over_processes(wide.mean((0, 2, 3), keepdim=True))
        centred = wide - mean
        variance = mean_over_processes(centred.square().mean((0, 2, 3), keepdim=True))
        with torch.no_grad():
            samples = wide.numel() // self.num_features * distributed.get_world_size()
            self._follow(self.running_mean, mean)
            self._follow(self.running_var, variance * samples / (samples - 1))
        scale = self.weight.reshape(1, -1, 1, 1) * torch.rsqrt(variance + self.eps)
        return (centred * scale + self.bias.reshape(1, -1, 1, 1)).to(images.dtype)

    def _follow(self, running: Tensor | None, found: Tensor) -> None:
        assert running is not None
        assert self.momentum is not None
        running.lerp_(found.flatten(), self.momentum)


class MeanOverProcesses(torch.autograd.Function):
    """The mean of a tensor that each process has; the gradient of all their losses flows back to every one."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        """Any shape."""
        mean = values.clone()
        distributed.all_reduce(mean)
        return mean / distributed.get_world_size()

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        """A mean again: each value is a share of every process's mean."""
        return MeanOverProcesses.forward(_, gradient)


def mean_over_processes(values: Tensor) -> Tensor:
    """`MeanOverProcesses` as a function."""
    return MeanOverProcesses.apply(values)  # type: ignore[no-untyped-call, no-any-return]


@contextmanager
def joined(device_name: str) -> Iterator[World]:
    """The processes that torchrun started, or this one alone. Raises `TrainingFailed`."""
    if not distributed.is_torchelastic_launched():
        yield World(0, 1, pick_device(device_name))
        return
    device = pick_device(device_name)
    if device.type == "cuda":
        device = pick_device(f"cuda:{distributed.get_node_local_rank()}")
        torch.cuda.set_device(device)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, timeout=TIMEOUT)
    try:
        with warnings.catch_warnings():
            # Of 1x1 kernels, whose strides in channels_last are ambiguous: one copy more, nothing wrong.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
            yield World(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
