"""Training of the face detector's network: one pass over scenes none of which comes twice.

One CPU thread learns (1.7 ms a scene), one process makes the scenes (4 ms each); channels_last halves the cost of
depthwise convolutions.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import AdamW
from tqdm import tqdm

from training.errors import TrainingFailed
from training.face_network import FaceNetwork
from training.face_targets import loss, targets

PEAK_RATE, LAST_SHARE = 3e-3, 0.002
WARM_UP_STEPS = 200
WEIGHT_DECAY = 1e-2
LONGEST_STEP = 5.0
"""Norm of the gradient of a step: one strange batch must not undo a thousand good ones."""

AVERAGE = 0.998
"""Of the running mean of the weights, per step: the last 500 steps have a say."""

REPORT_STEPS = 100


def to_input(rgb: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) float32 in -1..1, channels_last."""
    return rgb.permute(0, 3, 1, 2).float() * (2 / 255) - 1


def fit(
    batches: Iterable[tuple[Tensor, Tensor]],
    steps: int,
    *,
    seed: int,
    start: FaceNetwork | None = None,
    on_report: Callable[[FaceNetwork, float], None] = lambda *_: None,
) -> FaceNetwork:
    """The running mean of a network that saw `steps` batches. `start`: what it begins as; None: it knows nothing.

    `on_report` is called every `REPORT_STEPS` steps with that mean and the mean loss since the last call.
    Raises `TrainingFailed` when the loss is no number any more.
    """
    torch.manual_seed(seed)
    network = FaceNetwork() if start is None else copy.deepcopy(start)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    mean = copy.deepcopy(network).eval()
    optimizer = AdamW(network.parameters(), PEAK_RATE, weight_decay=WEIGHT_DECAY)
    total = 0.0
    network.train()
    with tqdm(desc="face", total=steps, unit="step", disable=None) as progress:
        for step, (rgb, faces) in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate(step, steps)
            error = loss(network(to_input(rgb)), targets(faces))
            if not math.isfinite(error.item()):
                raise TrainingFailed(f"expected a loss that is a number, got {error.item()} at step {step}")
            optimizer.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), LONGEST_STEP)
            optimizer.step()
            follow(mean, network, min(AVERAGE, (1 + step) / (10 + step)))
            total += error.item()
            if (step + 1) % REPORT_STEPS == 0:
                on_report(mean, total / REPORT_STEPS)
                progress.set_postfix(loss=f"{total / REPORT_STEPS:.3f}")
                total = 0.0
            progress.update()
    return mean


def rate(step: int, steps: int) -> float:
    """Up in a line, down in half a cosine (Loshchilov & Hutter, "SGDR", ICLR 2017)."""
    falling = 0.5 * (1 + math.cos(math.pi * step / steps))
    return PEAK_RATE * min(1.0, (step + 1) / WARM_UP_STEPS) * max(falling, LAST_SHARE)


@torch.no_grad()
def follow(mean: FaceNetwork, network: FaceNetwork, share: float) -> None:
    """Move the running mean towards the network, which keeps 1 - `share` of it."""
    for kept, now in zip(mean.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(now, 1 - share)
        else:
            kept.copy_(now)
