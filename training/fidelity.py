"""How closely a converted model follows the one it was made from: a wrong conversion runs without an error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from training.errors import TrainingFailed

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
    logit; `images`: that it was measured on."""

    sqnr_db: float
    agreement: float
    max_difference: float
    images: int

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
    )
