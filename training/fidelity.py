"""How closely a converted model follows the one it was made from: a wrong conversion runs without an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.errors import TrainingFailed
from training.signals import NAMES

MIN_SQNR_DB = 10.0
"""Below it noise has a tenth of the logits' power. Sound INT8 files have 12 to 27 dB, a broken one 0 or less."""

MIN_AGREEMENT = 0.9
"""Share of images with the same label. Sound files have 0.95 and more, unless most logits lie near 0."""

HIGHEST_DB = 150.0
"""Reported for equal logits: float32 knows no difference that is smaller, and JSON no infinity."""


@dataclass(frozen=True, slots=True)
class Fidelity:
    """Of a model's logits to the reference's. `sqnr_db`: power of the reference's logits over that of the
    differences, in dB; `agreement`: share of images with the same label at probability 0.5; `max_difference`: of a
    logit; `images`: that it was measured on; `correlation`: with the reference's logits, Pearson's, 0 where either
    are all the same."""

    sqnr_db: float
    agreement: float
    max_difference: float
    images: int
    correlation: float

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; nothing when the model follows the reference."""
        faults = []
        if not self.sqnr_db >= MIN_SQNR_DB:
            faults.append(f"its logits follow FP32 at {self.sqnr_db:.1f} dB, expected at least {MIN_SQNR_DB:.0f} dB")
        if not self.agreement >= MIN_AGREEMENT:
            faults.append(
                f"it gives FP32's label to {self.agreement:.1%} of the images, expected at least {MIN_AGREEMENT:.0%}"
            )
        return faults


def compare_logits(reference: ArrayLike, logits: ArrayLike) -> Fidelity:
    """Fidelity of (N,) logits to the reference's (N,). Raises `TrainingFailed` for none, or other counts."""
    expected, got = (np.asarray(values, np.float64).reshape(-1) for values in (reference, logits))
    if expected.size == 0 or expected.shape != got.shape:
        raise TrainingFailed(f"expected as many logits as the reference's {expected.size}, at least 1, got {got.size}")
    noise = float(np.mean((got - expected) ** 2))
    signal = float(np.mean(expected**2))
    sqnr = 10 * np.log10(signal / noise) if noise > 0 and signal > 0 else HIGHEST_DB if noise == 0 else -HIGHEST_DB
    return Fidelity(
        sqnr_db=float(np.clip(np.nan_to_num(sqnr, nan=-HIGHEST_DB), -HIGHEST_DB, HIGHEST_DB)),
        agreement=float(np.mean((got > 0) == (expected > 0))),
        max_difference=float(np.abs(got - expected).max()),
        images=int(expected.size),
        correlation=_correlation(expected, got),
    )


@dataclass(frozen=True, slots=True)
class SignalFidelity:
    """Of one signal to the reference's, in its unit. `correlation`: Pearson's; `mean_difference`, `max_difference`:
    absolute."""

    correlation: float
    mean_difference: float
    max_difference: float


def compare_signals(reference: ArrayLike, signals: ArrayLike) -> dict[str, SignalFidelity]:
    """Fidelity of each of (N, 8) signals to the reference's. Raises `TrainingFailed` for none, or other counts."""
    expected, got = (np.asarray(values, np.float64) for values in (reference, signals))
    if expected.size == 0 or expected.shape != got.shape or expected.shape[1:] != (len(NAMES),):
        raise TrainingFailed(f"expected signals (N, {len(NAMES)}) beside {expected.shape}, got {got.shape}")
    differences = np.abs(got - expected)
    return {
        name: SignalFidelity(
            correlation=_correlation(expected[:, index], got[:, index]),
            mean_difference=float(differences[:, index].mean()),
            max_difference=float(differences[:, index].max()),
        )
        for index, name in enumerate(NAMES)
    }


def _correlation(expected: NDArray[np.float64], got: NDArray[np.float64]) -> float:
    """0 where there is none to speak of: JSON has no word for NaN."""
    one, two = expected - expected.mean(), got - got.mean()
    power = float(np.sqrt((one**2).sum() * (two**2).sum()))
    return float((one * two).sum() / power) if np.isfinite(power) and power > 0 else 0.0
