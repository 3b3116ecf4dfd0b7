"""How good the probabilities of "attentive" are: scikit-learn's metrics under scikit-learn's names, and calibration.

Everywhere: labels are 0 and 1, 1 is attentive; a probability is of "attentive"; an image counts as attentive when its
probability reaches the threshold, as on a device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import metrics as sklearn_metrics

from training.errors import TrainingFailed

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]

BINS = 15
"""Of the calibration error: as in Guo et al. 2017."""

CLASS_TITLES = ("Not-Attentive", "Attentive")
"""Rows of the classification report, as the reference names them."""

METRIC_TITLES = {
    "accuracy": "Accuracy",
    "precision": "Precision",
    "recall": "Recall (sensitivity)",
    "specificity": "Specificity",
    "f1": "F1",
    "balanced_accuracy": "Balanced accuracy",
    "macro_f1": "Macro F1",
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "loss": "Loss (cross-entropy, nats)",
    "ece": "Calibration error (ECE)",
}
"""The metrics in the order of every table, with what people read."""


def binary_metrics(labels: ArrayLike, probabilities: ArrayLike, threshold: float = 0.5) -> dict[str, float]:
    """All metrics of (N,) labels and (N,) probabilities; the keys are those of `METRIC_TITLES`.

    `pr_auc` is the average precision: joining the points of the curve by straight lines flatters (Davis & Goadrich,
    ICML 2006). `loss` is the mean cross-entropy without class weights; probabilities of exactly 0 and 1 are moved
    inside by 2e-16, so that it stays finite. Precision and F1 of a class that is never predicted are 0.
    Raises `TrainingFailed` for images of one class only, for which half of the metrics are undefined, and for
    probabilities that are not finite.
    """
    truth, scores = checked(labels, probabilities)
    predicted = (scores >= threshold).astype(np.int64)
    true_negatives, false_positives, _, _ = confusion(truth, predicted).ravel()
    return {
        "accuracy": float(sklearn_metrics.accuracy_score(truth, predicted)),
        "precision": float(sklearn_metrics.precision_score(truth, predicted, zero_division=0)),
        "recall": float(sklearn_metrics.recall_score(truth, predicted)),
        "specificity": float(true_negatives / (true_negatives + false_positives)),
        "f1": float(sklearn_metrics.f1_score(truth, predicted, zero_division=0)),
        "balanced_accuracy": float(sklearn_metrics.balanced_accuracy_score(truth, predicted)),
        "macro_f1": float(sklearn_metrics.f1_score(truth, predicted, average="macro", zero_division=0)),
        "roc_auc": float(sklearn_metrics.roc_auc_score(truth, scores)),
        "pr_auc": float(sklearn_metrics.average_precision_score(truth, scores)),
        "loss": float(sklearn_metrics.log_loss(truth, scores)),
        "ece": calibration_error(truth, scores),
    }


def checked(labels: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Floats]:
    """Both as (N,) arrays. Raises `TrainingFailed` unless they fit together and metrics can be had of them."""
    truth, scores = np.asarray(labels).reshape(-1), np.asarray(probabilities, np.float64).reshape(-1)
    if truth.shape != scores.shape:
        raise TrainingFailed(f"expected as many labels as probabilities, got {truth.size} and {scores.size}")
    classes = set(np.unique(truth).tolist())
    if classes != {0, 1}:
        raise TrainingFailed(
            f"expected images of both classes, 0 and 1, to measure on, got {sorted(classes)}:"
            " give more people or clips, or choose another --split"
        )
    # Not `scores < 0`: every comparison with NaN is false.
    wrong = int((~((scores >= 0) & (scores <= 1))).sum())
    if wrong:
        raise TrainingFailed(
            f"expected probabilities within 0..1, got {wrong} of {scores.size} outside or not a number:"
            " the training has diverged; try a lower learning rate or --precision fp32"
        )
    return truth.astype(np.int64), scores


def sigmoid(logits: ArrayLike, temperature: float = 1.0) -> Floats:
    """Probabilities of logits, any shape, without overflow."""
    scaled = np.asarray(logits, np.float64) / temperature
    small = np.exp(-np.abs(scaled))
    return np.where(scaled >= 0, 1 / (1 + small), small / (1 + small))


def confusion(labels: Labels, predicted: Labels) -> Labels:
    """(2, 2) counts: rows are the truth, columns the prediction, each not attentive first."""
    return np.asarray(sklearn_metrics.confusion_matrix(labels, predicted, labels=[0, 1]), np.int64)


def classification_report(labels: Labels, predicted: Labels) -> dict[str, dict[str, float]]:
    """The reference's table: its rows by name, each with precision, recall, f1-score and support."""
    report: dict[str, Any] = sklearn_metrics.classification_report(
        labels, predicted, labels=[0, 1], target_names=CLASS_TITLES, output_dict=True, zero_division=0
    )
    rows = {"macro avg": "Macro Avg", "weighted avg": "Weighted Avg"}
    return {rows.get(name, name): values for name, values in report.items() if isinstance(values, dict)}


@dataclass(frozen=True)
class Reliability:
    """Images by their probability, in equal bins of 0..1; each field (BINS,), NaN in means of bins without images."""

    count: Labels
    mean_probability: Floats
    share_attentive: Floats

    @property
    def error(self) -> float:
        """Mean distance between what was said and what was true, weighted by images."""
        held = self.count > 0
        gaps = np.abs(self.mean_probability[held] - self.share_attentive[held])
        return float((gaps * self.count[held]).sum() / self.count.sum())


def reliability(labels: Labels, probabilities: Floats) -> Reliability:
    """The reliability diagram of (N,) probabilities."""
    which = bin_of(probabilities)
    count = np.bincount(which, minlength=BINS)
    with np.errstate(invalid="ignore"):  # 0 / 0 in a bin without images is the NaN that is promised
        return Reliability(
            count,
            np.bincount(which, probabilities, BINS) / count,
            np.bincount(which, labels, BINS) / count,
        )


def bin_of(probabilities: Floats) -> Labels:
    """The bin of each probability, any shape; 1.0 belongs to the last one."""
    return np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)


def calibration_error(labels: Labels, probabilities: Floats) -> float:
    """Expected calibration error over 15 equal bins of the probability of "attentive".

    Naeini, Cooper & Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015, for two
    classes; bins as in Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    return reliability(labels, probabilities).error
