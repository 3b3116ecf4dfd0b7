"""A few images that stand for many: all classes and people alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest

import numpy as np

from training.splits import Sample


def balanced_subset(samples: Iterable[Sample], size: int, seed: int) -> list[Sample]:
    """Up to `size` images, the classes in turn, within a class everybody in turn; no augmented copies."""
    originals = [sample for sample in samples if sample.source is None]
    drawn: Counter[tuple[int, str]] = Counter()
    rounds: tuple[list[tuple[int, Sample]], ...] = ([], [])
    for index in np.random.default_rng(seed).permutation(len(originals)):
        sample = originals[index]
        rounds[sample.label].append((drawn[sample.label, sample.person], sample))
        drawn[sample.label, sample.person] += 1
    for classmates in rounds:
        classmates.sort(key=lambda entry: entry[0])
    pairs = zip_longest(*([sample for _, sample in classmates] for classmates in rounds))
    return [sample for pair in pairs for sample in pair if sample is not None][:size]
