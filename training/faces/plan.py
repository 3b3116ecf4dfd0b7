"""How a training on rendered people spends its time: small pictures first, and a learning rate that rises and falls.

Progressive resizing, as in Howard's entries to DAWNBench, 2018: the pictures' heads have about 137 pixels, so crops of
128 lose little and cost two thirds. At 96, a third of the price, heads and lids are learnt, but not gaze. One cycle of
the learning rate: Smith and Topin, "Super-Convergence", 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from peer.perception.crop import CROP_SIDE

Shares: TypeAlias = tuple[tuple[int, float], ...]
"""Side of the crops, and which part of the epochs has it."""

SHARES: Shares = ((128, 0.75), (CROP_SIDE, 0.25))
GUIDE_SHARES: Shares = ((128, 0.60), (CROP_SIDE, 0.40))
"""Of a guide, which is cheap and is to be better than its pupil."""

PEAK_RATE = 1.2e-3
GUIDE_PEAK_RATE = 4e-3
RISE = 0.15
"""Part of the steps in which the rate rises."""

FIRST, LAST = 0.1, 0.002
"""Where the rate begins and ends, of its peak."""


FIRST_GAZE, GAZE_BY = 0.2, 0.35
"""Share of its weight that gaze has at first, and by which part of the steps it has all: until the network knows
heads and eyelids, errors of gaze are noise to it. After 10,000 pictures at 64 pixels yaw was 10.3 degrees off with a
fifth of the weight, 11.2 with all (12.7 before)."""


@dataclass(frozen=True)
class Plan:
    """So many epochs of so many steps."""

    epochs: int
    steps: int
    peak: float = PEAK_RATE
    shares: Shares = SHARES

    def side(self, epoch: int) -> int:
        """Of the crops in an epoch, from 0; the last epoch always has the product's."""
        done, share = (epoch + 0.5) / self.epochs, 0.0
        for side, part in self.shares:
            share += part
            if done < share and epoch + 1 < self.epochs:
                return side
        return CROP_SIDE

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted through all epochs."""
        done = (step + 1) / (self.epochs * self.steps)
        if done < RISE:
            return self.peak * (FIRST + (1 - FIRST) * done / RISE)
        return self.peak * (LAST + (1 - LAST) * 0.5 * (1 + math.cos(math.pi * (done - RISE) / (1 - RISE))))

    def gaze(self, step: int) -> float:
        """Share of its weight that gaze has in a step."""
        done = (step + 1) / (self.epochs * self.steps)
        return min(FIRST_GAZE + (1 - FIRST_GAZE) * done / GAZE_BY, 1.0)


def epochs_within(seconds: float, seconds_per_epoch: dict[int, float], shares: Shares = SHARES) -> int:
    """How many epochs fit into a time; `seconds_per_epoch`: by the crops' side. At least one."""
    mean = sum(part * seconds_per_epoch[side] for side, part in shares)
    return max(int(seconds / mean), 1)
