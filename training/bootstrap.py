"""How sure the metrics are: intervals from drawing the people of the test part again, with replacement.

Images of one person resemble each other, so an interval from drawing images would be far too narrow: people are drawn,
each with all their images (cluster bootstrap: Field & Welsh, "Bootstrapping clustered data", J. R. Stat. Soc. B 69,
2007), and the middle 95 % of what comes out is the interval (percentiles: Efron & Tibshirani, "An Introduction to the
Bootstrap", 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from training.errors import TrainingFailed
from training.metrics import BINS, Floats, Labels, bin_of, calibration_error, checked

LEVEL = 0.95
FEWEST_RESAMPLES = 100
FEWEST_PERSONS = 2
FEW_PERSONS = 10
"""Below it percentiles are known to come out too narrow, and the reader is told so."""

CHUNK_ELEMENTS = 4_000_000
"""Resamples x images at once: some 100 MB."""


@dataclass(frozen=True)
class Intervals:
    """`bounds`: (low, high) by metric, empty where there can be none. `note`: what to know about them, if anything."""

    bounds: dict[str, tuple[float, float]]
    persons: int
    resamples: int
    note: str | None


def bootstrap_intervals(
    labels: ArrayLike,
    probabilities: ArrayLike,
    persons: Sequence[str],
    *,
    threshold: float = 0.5,
    resamples: int = 1000,
    seed: int = 42,
) -> Intervals:
    """95 % intervals of the metrics of `binary_metrics`, by person. `labels`, `probabilities`, `persons`: (N,).

    There are none for fewer than two people in a class: the same images would be in every draw, and the interval of
    recall, say, would be a point. That of ECE is moved down by what drawing adds to it on average. A draw without
    both classes has no balanced accuracy or AUC, and is left out.
    Raises `TrainingFailed` as `binary_metrics` does, and for too few resamples.
    """
    check_resamples(resamples)
    truth, scores = checked(labels, probabilities)
    names, owner = np.unique(np.asarray(persons), return_inverse=True)
    if resamples == 0:
        return Intervals({}, len(names), 0, "no confidence intervals were asked for")
    attentive = np.bincount(owner, truth, len(names))
    others = np.bincount(owner, 1 - truth, len(names))
    rarest = min(np.count_nonzero(attentive), np.count_nonzero(others))
    if rarest < FEWEST_PERSONS:
        return Intervals(
            {},
            len(names),
            0,
            f"no confidence intervals: they need {FEWEST_PERSONS} people or more in each class, and one class has"
            f" {rarest}; test on more people",
        )
    # How often each person is drawn, (resamples, persons): as many draws as there are persons.
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    drawn = drawn[(drawn @ attentive > 0) & (drawn @ others > 0)]
    tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
    bounds = {}
    found = resampled_metrics(truth, scores, owner, drawn, threshold)
    # Drawing adds noise to the bins, which counts as error: without this shift the interval may miss the value itself.
    found["ece"] = np.maximum(found["ece"] - found["ece"].mean() + calibration_error(truth, scores), 0)
    for name, values in found.items():
        low, high = np.quantile(values, tails).tolist()
        bounds[name] = (low, high)
    return Intervals(bounds, len(names), len(drawn), _note(len(names), resamples - len(drawn), resamples))


def check_resamples(resamples: int) -> None:
    """Raise `TrainingFailed` for too few to find the ends of an interval."""
    if 0 < resamples < FEWEST_RESAMPLES:
        raise TrainingFailed(
            f"expected --bootstrap 0, for no intervals, or at least {FEWEST_RESAMPLES}, got {resamples}"
        )


def _note(persons: int, left_out: int, resamples: int) -> str | None:
    notes = []
    if persons < FEW_PERSONS:
        notes.append(
            f"with {persons} people the intervals are too narrow; from about {FEW_PERSONS} on they can be trusted"
        )
    if left_out:
        notes.append(f"{left_out} of {resamples} draws had one class only and were left out")
    return "; ".join(notes) or None


def resampled_metrics(
    labels: Labels, probabilities: Floats, owner: Labels, drawn: Labels, threshold: float
) -> dict[str, Floats]:
    """The metrics of many resamples at once: (R,) each.

    `labels`, `probabilities`, `owner`: (N,), the last the number of each image's person; `drawn`: (R, P), how often
    each person is in each resample, with both classes in every one.
    """
    return {
        **_decision_metrics(labels, probabilities >= threshold, owner, drawn),
        **_ranking_metrics(labels, probabilities, owner, drawn),
        **_probability_metrics(labels, probabilities, owner, drawn),
    }


def _per_person(owner: Labels, persons: int, values: Floats, which: Labels, columns: int) -> Floats:
    """(P, columns) sums of (N,) values by person and by column `which`, (N,)."""
    sums = np.bincount(owner * columns + which, values, persons * columns)
    return np.asarray(sums, np.float64).reshape(persons, columns)


def _decision_metrics(labels: Labels, predicted: NDArray[np.bool_], owner: Labels, drawn: Labels) -> dict[str, Floats]:
    cells = _per_person(owner, drawn.shape[1], np.ones(len(labels)), labels * 2 + predicted, 4)
    true_negatives, false_positives, false_negatives, true_positives = (drawn @ cells).T
    recall = true_positives / (true_positives + false_negatives)
    specificity = true_negatives / (true_negatives + false_positives)
    f1 = 2 * true_positives / (2 * true_positives + false_positives + false_negatives)
    f1_of_others = 2 * true_negatives / (2 * true_negatives + false_positives + false_negatives)
    return {
        "accuracy": (true_positives + true_negatives) / (drawn @ cells).sum(1),
        # 0, as in scikit-learn, where nothing is called attentive.
        "precision": true_positives / np.maximum(true_positives + false_positives, 1),
        "recall": recall,
        "specificity": specificity,
        "f1": f1,
        "balanced_accuracy": (recall + specificity) / 2,
        "macro_f1": (f1 + f1_of_others) / 2,
    }


def _ranking_metrics(labels: Labels, probabilities: Floats, owner: Labels, drawn: Labels) -> dict[str, Floats]:
    """ROC-AUC and average precision, over the distinct scores from the highest down; ties count half and together."""
    order = np.argsort(-probabilities, kind="stable")
    positive, who = labels[order], owner[order]
    starts = np.flatnonzero(np.diff(probabilities[order], prepend=np.inf))
    roc, pr = [], []
    for some in np.array_split(drawn, max(1, len(drawn) * len(labels) // CHUNK_ELEMENTS)):
        weights = some[:, who]
        hits = np.add.reduceat(weights * positive, starts, axis=1)
        false = np.add.reduceat(weights * (1 - positive), starts, axis=1)
        hits_so_far, false_so_far = hits.cumsum(1), false.cumsum(1)
        all_hits, all_false = hits_so_far[:, -1], false_so_far[:, -1]
        # A hit wins against every other image that comes later, and half against those with its own score.
        roc.append((hits * (all_false[:, None] - false_so_far + false / 2)).sum(1) / (all_hits * all_false))
        precision = hits_so_far / np.maximum(hits_so_far + false_so_far, 1)
        pr.append((hits * precision).sum(1) / all_hits)
    return {"roc_auc": np.concatenate(roc), "pr_auc": np.concatenate(pr)}


def _probability_metrics(labels: Labels, probabilities: Floats, owner: Labels, drawn: Labels) -> dict[str, Floats]:
    tiny = np.finfo(np.float64).eps
    inside = np.clip(probabilities, tiny, 1 - tiny)
    losses = -np.where(labels == 1, np.log(inside), np.log1p(-inside))
    persons = drawn.shape[1]
    images = drawn @ np.bincount(owner, minlength=persons)
    # Per bin: the gap between the sums of probabilities and of labels; a bin's mean times its weight is just that.
    gaps = _per_person(owner, persons, probabilities - labels, bin_of(probabilities), BINS)
    return {
        "loss": drawn @ np.bincount(owner, losses, persons) / images,
        "ece": np.abs(drawn @ gaps).sum(1) / images,
    }
