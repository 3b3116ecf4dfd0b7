"""CPU time of several models side by side, fair also on a machine that has other work.

Round after round every model gets the same crops, in an order that is shuffled anew: what disturbs one disturbs all.
Times are of the processor, not of the wall; a speed-up is the median of the rounds' own ratios.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from peer.perception.crop import Pixels
from training.variants import Scorer

WARM_UP_ROUNDS = 3
"""Not counted: the first runs allocate, and choose their kernels."""

CLOCK, CLOCK_NAME = (time.perf_counter, "wall") if sys.platform == "win32" else (time.process_time, "processor")
"""Windows counts a process's time in ticks of 16 ms, longer than most models take."""


@dataclass(frozen=True, slots=True)
class Timing:
    """`ms`: median time per image. `speedup`: median over the rounds of the baseline's time over this one's."""

    ms: float
    speedup: float


@contextmanager
def one_thread() -> Iterator[None]:
    """torch with one thread, as ONNX Runtime has it here and a device should: more of them only wait on a busy one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def time_rounds(
    scorers: Mapping[str, Scorer],
    crops: Pixels,
    *,
    batch: int,
    rounds: int,
    seed: int = 0,
    clock: Callable[[], float] = CLOCK,
) -> dict[str, NDArray[np.float64]]:
    """Milliseconds per image, (rounds,) for each of `scorers`; warm-up rounds come before and are dropped.

    `crops`: (N, 160, 160, 3) uint8 RGB; a round takes the next `batch` of them, from the start again at their end.
    """
    order = list(scorers)
    shuffle = random.Random(seed).shuffle  # noqa: S311 - an order, not a secret
    times: dict[str, list[float]] = {name: [] for name in scorers}
    for number in tqdm(range(WARM_UP_ROUNDS + rounds), f"time, batch {batch}", disable=None):
        shuffle(order)
        chosen = crops[np.arange(number * batch, (number + 1) * batch) % len(crops)]
        for name in order:
            start = clock()
            scorers[name](chosen)
            times[name].append((clock() - start) * 1e3 / batch)
    return {name: np.array(found[WARM_UP_ROUNDS:]) for name, found in times.items()}


def summarise(times: Mapping[str, NDArray[np.float64]], baseline: str) -> dict[str, Timing]:
    """Medians of what `time_rounds` gave, with the speed-up over `baseline`."""
    base = times[baseline]
    return {name: Timing(float(np.median(own)), float(np.median(base / own))) for name, own in times.items()}
