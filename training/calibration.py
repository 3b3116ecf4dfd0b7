"""What makes a decision of a logit: the temperature and the threshold, both chosen on the validation part alone.

`calibration.json` holds them with the hash of the model that they belong to; `evaluate` writes it, later stages
read it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from training.errors import TrainingFailed
from training.files import read_json, sha256_of, write_json
from training.metrics import Labels, binary_metrics, checked, sigmoid
from training.model import MODEL_FILE
from training.stage import command

CALIBRATION_FILE = "calibration.json"
TEMPERATURE_RANGE = (0.25, 10.0)
"""Where to look. Logits that separate the classes without an error have their best temperature at 0, which would
claim certainty: a small validation part is no evidence for more than a factor of four."""

OPERATING_POINT = 0.5
"""The threshold that people expect, and that a fitted decision (`training.decision`) is folded to."""

NEGLIGIBLE = 0.01
"""Of balanced accuracy on validation: a point less is no evidence for another threshold on other people."""

BISECTIONS = 60
"""Halvings of the range: far below the precision of a float32 logit."""


@dataclass(frozen=True)
class Calibration:
    """A device says "attentive" when sigmoid(logit / temperature) reaches the threshold."""

    temperature: float
    threshold: float


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature with the least cross-entropy on (N,) logits, within `TEMPERATURE_RANGE`.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. The loss is convex in the inverse temperature,
    so its slope changes sign once, and halving the range finds where. Raises `TrainingFailed` for one class only,
    or logits that are not finite.
    """
    scores = np.asarray(logits, np.float64).reshape(-1)
    truth, _ = checked(labels, sigmoid(scores))

    def slope(inverse: float) -> float:
        """Of the mean cross-entropy, by the inverse temperature."""
        return float(np.mean((sigmoid(scores * inverse) - truth) * scores))

    low, high = 1 / TEMPERATURE_RANGE[1], 1 / TEMPERATURE_RANGE[0]
    if slope(high) < 0:
        return TEMPERATURE_RANGE[0]
    if slope(low) > 0:
        return TEMPERATURE_RANGE[1]
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 2 / (low + high)


def choose_threshold(labels: ArrayLike, probabilities: ArrayLike) -> float:
    """The threshold with the best balanced accuracy on (N,) probabilities, for validation images.

    Balanced accuracy, since people are attentive far more often than not, and a threshold for plain accuracy would
    drift to "always attentive". Candidates lie midway between neighbouring scores, where they are farthest from
    changing a decision when the model is quantized; among equals the one nearest to 0.5 is taken. 0.5 where all
    scores are one. Raises `TrainingFailed` for one class only, or probabilities that are not finite.
    """
    truth, scores = checked(labels, probabilities)
    values, which = np.unique(scores, return_inverse=True)
    if len(values) == 1:
        return 0.5
    attentive = np.bincount(which, truth, len(values))
    others = np.bincount(which, 1 - truth, len(values))
    # Candidate i lies between values i and i + 1: everything up to value i is said to be not attentive. Twice the
    # balanced accuracy times both counts is a whole number, so that ties are ties.
    right = np.cumsum(others)[:-1] * attentive.sum() + (attentive.sum() - np.cumsum(attentive)[:-1]) * others.sum()
    middles = (values[:-1] + values[1:]) / 2
    middles = np.where(middles > values[:-1], middles, values[1:])  # neighbours may have no number between them
    best = np.flatnonzero(right == right.max())
    return float(middles[best[np.argmin(np.abs(middles[best] - 0.5))]])


def calibrate(logits: ArrayLike, labels: Labels) -> Calibration:
    """Temperature and threshold of the validation part's (N,) logits: 0.5 where that is as good as any.

    Raises `TrainingFailed`.
    """
    temperature = fit_temperature(logits, labels)
    return Calibration(temperature, operating_threshold(labels, sigmoid(logits, temperature)))


def operating_threshold(labels: Labels, probabilities: ArrayLike) -> float:
    """For (N,) probabilities of validation images: 0.5 where that is as good as any. Raises `TrainingFailed`."""
    best = choose_threshold(labels, probabilities)
    at_best, at_half = (
        binary_metrics(labels, probabilities, threshold)["balanced_accuracy"] for threshold in (best, OPERATING_POINT)
    )
    return OPERATING_POINT if at_best - at_half <= NEGLIGIBLE else best


def save_calibration(run: Path, calibration: Calibration, *, split_sha256: str, validation: dict[str, Any]) -> Path:
    """Write `calibration.json` for the run's model, return its path. `validation`: what it was chosen on, as JSON."""
    path = run / CALIBRATION_FILE
    write_json(
        path,
        {
            "temperature": calibration.temperature,
            "threshold": calibration.threshold,
            "model_sha256": sha256_of(run / MODEL_FILE),
            "split_sha256": split_sha256,
            "validation": validation,
        },
    )
    return path


def load_calibration(run: Path) -> Calibration:
    """The run's calibration. Raises `TrainingFailed` where it is missing, malformed, or of another model."""
    path = run / CALIBRATION_FILE
    advice = f"run {command('evaluate', run)}"
    document = read_json(path, what="the calibration", advice=advice)
    try:
        calibration = Calibration(float(document["temperature"]), float(document["threshold"]))
        owner = str(document["model_sha256"])
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise TrainingFailed(
            f"expected the calibration that `evaluate` writes at {path}, got {error!r}: {advice}"
        ) from error
    low, high = TEMPERATURE_RANGE
    if not (low <= calibration.temperature <= high and 0 <= calibration.threshold <= 1):
        raise TrainingFailed(
            f"expected a temperature within {low}..{high} and a threshold within 0..1 at {path},"
            f" got {calibration.temperature} and {calibration.threshold}: {advice}"
        )
    model = run / MODEL_FILE
    if not model.is_file():
        raise TrainingFailed(f"expected {model}, which {path.name} belongs to, got no such file: run `fit` first")
    if sha256_of(model) != owner:
        raise TrainingFailed(
            f"expected {path} to belong to {model}, got the calibration of another model ({owner[:12]}…): {advice}"
        )
    return calibration
