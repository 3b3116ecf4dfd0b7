"""What `evaluate` finds out: every number of the report, computed from two parts' logits and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from training.bootstrap import LEVEL, Intervals, bootstrap_intervals
from training.calibration import TEMPERATURE_RANGE, Calibration, calibrate
from training.metrics import (
    Floats,
    Labels,
    binary_metrics,
    classification_report,
    confusion,
    reliability,
    sigmoid,
)
from training.splits import CLASSES, Sample, Splits

UNCALIBRATED = Calibration(temperature=1.0, threshold=0.5)
"""The model as it was trained."""

DECISION_METRICS = (
    "accuracy", "precision", "recall", "specificity", "f1", "balanced_accuracy", "macro_f1", "roc_auc", "pr_auc",
)  # fmt: skip
"""Those that a baseline has: one that always says the same has no probabilities to judge."""


@dataclass(frozen=True)
class Predictions:
    """A part of the splits and the model's (N,) logits for it."""

    samples: Sequence[Sample]
    logits: Floats

    @cached_property
    def labels(self) -> Labels:
        """(N,) of 0 and 1."""
        return np.array([sample.label for sample in self.samples], np.int64)

    @cached_property
    def persons(self) -> list[str]:
        """(N,) person of each image."""
        return [sample.person for sample in self.samples]

    def probabilities(self, temperature: float) -> Floats:
        """(N,) of "attentive"."""
        return sigmoid(self.logits, temperature)

    def predicted(self, calibration: Calibration) -> Labels:
        """(N,) of 0 and 1."""
        return (self.probabilities(calibration.temperature) >= calibration.threshold).astype(np.int64)


@dataclass(frozen=True)
class PersonScore:
    """How the model does on one person's test images.

    `always_attentive`: the accuracy of always saying "attentive" on the same images; `balanced_accuracy`: None for a
    person who was attentive all the time, or never.
    """

    person: str
    images: int
    attentive: int
    accuracy: float
    always_attentive: float
    balanced_accuracy: float | None


@dataclass(frozen=True)
class Scores:
    """The metrics at one calibration, with their intervals."""

    calibration: Calibration
    metrics: dict[str, float]
    intervals: Intervals

    def text(self, metric: str) -> str:
        """Such as `0.912 (95% 0.874 to 0.943)`."""
        value = f"{self.metrics[metric]:.3f}"
        if metric not in self.intervals.bounds:
            return value
        low, high = self.intervals.bounds[metric]
        return f"{value} ({LEVEL:.0%} {low:.3f} to {high:.3f})"


@dataclass(frozen=True)
class Evaluation:
    """All that the report and the plots show.

    `trained`: the test part as the model was trained, at 0.5; `calibrated`: with temperature and threshold.
    `baselines`: metrics by name. `known_persons`: people of the test part who are in the training part as well.
    """

    validation: Predictions
    test: Predictions
    calibration: Calibration
    trained: Scores
    calibrated: Scores
    validation_before: dict[str, float]
    validation_after: dict[str, float]
    baselines: dict[str, dict[str, float]]
    persons: Sequence[PersonScore]
    known_persons: Sequence[str]
    split: str

    @property
    def at_the_bound(self) -> bool:
        """Whether the temperature is as far as it may go, and so no true optimum."""
        return self.calibration.temperature in TEMPERATURE_RANGE

    @property
    def spread(self) -> dict[str, float]:
        """Of the people's accuracies: least, quartiles and greatest."""
        values = np.quantile([score.accuracy for score in self.persons], [0, 0.25, 0.5, 0.75, 1])
        return dict(zip(("min", "lower_quartile", "median", "upper_quartile", "max"), values.tolist(), strict=True))

    @property
    def below_baseline(self) -> list[str]:
        """People on whom always saying "attentive" is right more often."""
        return [score.person for score in self.persons if score.accuracy < score.always_attentive]

    @property
    def at_chance(self) -> list[str]:
        """People of both classes on whom the model is no better than a coin."""
        return [
            score.person
            for score in self.persons
            if score.balanced_accuracy is not None and score.balanced_accuracy <= 0.5
        ]

    def as_json(self) -> dict[str, Any]:
        """`metrics.json`."""
        return {
            "split": self.split,
            "test": {
                "images": len(self.test.samples),
                "attentive": int(self.test.labels.sum()),
                "persons": len(self.persons),
                "persons_in_training_too": len(self.known_persons),
                "trained": _scores_json(self.test, self.trained),
                "calibrated": _scores_json(self.test, self.calibrated),
            },
            "validation": {
                "images": len(self.validation.samples),
                "attentive": int(self.validation.labels.sum()),
                "persons": len(set(self.validation.persons)),
                "trained": self.validation_before,
                "calibrated": self.validation_after,
            },
            "calibration": {
                "temperature": self.calibration.temperature,
                "threshold": self.calibration.threshold,
                "temperature_at_its_bound": self.at_the_bound,
            },
            "baselines": self.baselines,
            "per_person": {
                "accuracy": self.spread,
                "persons_below_always_attentive": self.below_baseline,
                "persons_at_chance_or_below": self.at_chance,
            },
            "bootstrap": {
                "resamples": self.calibrated.intervals.resamples,
                "note": self.calibrated.intervals.note,
            },
        }


def assess(validation: Floats, test: Floats, splits: Splits, *, resamples: int, seed: int) -> Evaluation:
    """Choose temperature and threshold on the validation part's (N,) logits, and judge the test part's (M,) by them.

    Raises `TrainingFailed` for logits that are not finite.
    """
    chosen_on = Predictions(splits["val"], validation)
    judged = Predictions(splits["test"], test)
    calibration = calibrate(chosen_on.logits, chosen_on.labels)
    return Evaluation(
        validation=chosen_on,
        test=judged,
        calibration=calibration,
        trained=_scores(judged, UNCALIBRATED, resamples, seed),
        calibrated=_scores(judged, calibration, resamples, seed),
        validation_before=_metrics(chosen_on, UNCALIBRATED),
        validation_after=_metrics(chosen_on, calibration),
        baselines=baselines(judged.labels, splits.labels("train")),
        persons=person_scores(judged, calibration),
        known_persons=sorted(set(judged.persons) & set(splits.persons("train"))),
        split=str(splits.settings.get("split", "unknown")),
    )


def baselines(labels: Labels, train_labels: Labels) -> dict[str, dict[str, float]]:
    """Metrics on (N,) labels of always saying the same: "attentive", and what most training images are.

    The second is left out where it says "attentive" too, or where the training part has no majority.
    """
    found = {"always_attentive": _constant_metrics(labels, 1)}
    if 2 * train_labels.sum() < len(train_labels):
        found["majority"] = _constant_metrics(labels, 0)
    return found


def _constant_metrics(labels: Labels, answer: int) -> dict[str, float]:
    metrics = binary_metrics(labels, np.full(len(labels), float(answer)))
    return {name: metrics[name] for name in DECISION_METRICS}


def person_scores(test: Predictions, calibration: Calibration) -> list[PersonScore]:
    """One for each person, the worst first."""
    right = test.predicted(calibration) == test.labels
    persons = np.array(test.persons)
    scores = []
    for person, images in Counter(test.persons).items():
        own = persons == person
        attentive = int(test.labels[own].sum())
        recalls = [right[own & (test.labels == label)].mean() for label in (0, 1) if 0 < attentive < images]
        scores.append(
            PersonScore(
                person=person,
                images=images,
                attentive=attentive,
                accuracy=float(right[own].mean()),
                always_attentive=attentive / images,
                balanced_accuracy=float(np.mean(recalls)) if recalls else None,
            )
        )
    return sorted(scores, key=lambda score: (score.accuracy, score.person))


def _metrics(predictions: Predictions, calibration: Calibration) -> dict[str, float]:
    probabilities = predictions.probabilities(calibration.temperature)
    return binary_metrics(predictions.labels, probabilities, calibration.threshold)


def _scores(test: Predictions, calibration: Calibration, resamples: int, seed: int) -> Scores:
    intervals = bootstrap_intervals(
        test.labels,
        test.probabilities(calibration.temperature),
        test.persons,
        threshold=calibration.threshold,
        resamples=resamples,
        seed=seed,
    )
    return Scores(calibration, _metrics(test, calibration), intervals)


def _scores_json(test: Predictions, scores: Scores) -> dict[str, Any]:
    predicted = test.predicted(scores.calibration)
    bins = reliability(test.labels, test.probabilities(scores.calibration.temperature))
    return {
        "temperature": scores.calibration.temperature,
        "threshold": scores.calibration.threshold,
        "metrics": scores.metrics,
        "intervals_95": {name: list(bounds) for name, bounds in scores.intervals.bounds.items()},
        "confusion": {
            CLASSES[truth]: {CLASSES[said]: count for said, count in enumerate(row)}
            for truth, row in enumerate(confusion(test.labels, predicted).tolist())
        },
        "classification_report": classification_report(test.labels, predicted),
        "reliability": [
            {"images": count, "mean_probability": mean, "share_attentive": share}
            for count, mean, share in zip(
                bins.count.tolist(), bins.mean_probability.tolist(), bins.share_attentive.tolist(), strict=True
            )
            if count
        ],
    }
