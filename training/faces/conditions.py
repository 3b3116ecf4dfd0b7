"""How good a model is under each condition: by what people do, by who they are, and how far its signals are off.

Only of rendered people, whose truth says all of it. Intervals are by person (`training.bootstrap`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from training.bootstrap import FEW_PERSONS, FEWEST_PERSONS, LEVEL, bootstrap_intervals
from training.calibration import Calibration, choose_threshold
from training.evaluation import Predictions
from training.faces.groups import FAMILIES
from training.faces.pictures import Pictures
from training.faces.targets import make_targets
from training.faces.truth import Mode, Truth
from training.metrics import Floats, Labels
from training.signals import CLOSED, SCALES, SIGNALS

Bools = NDArray[np.bool_]
Bounds = tuple[float, float] | None
"""The ends of a 95 % interval; None where too few people are in it."""

GOALS = {
    Mode.AWAY: 0.98,
    Mode.DOWN: 0.98,
    Mode.CLOSED: 0.99,
    Mode.HALF: 0.92,
    Mode.GAZE_OFF: 0.85,
    Mode.YAWN: 0.97,
}
"""The project's, for the AUC against attentive people."""

FURTHEST_BELOW = 0.03
"""Balanced accuracy that no group shall be further below the mean: the project's goal."""

FURTHEST_FROM_BEST = 0.02
"""Balanced accuracy that the plain threshold may lose to the best one: the project's goal."""

PLAIN_THRESHOLD = 0.5
SURE = 1.0
"""Least weight of a target that is a measure of the model: what is only supposed has less."""


@dataclass(frozen=True)
class ModeScore:
    """Attentive people against those of one mode. `auc`: None without images of both; `attentive`: images of the
    mode that the rule calls attentive, which are left out of it; `called`: share of the others called attentive."""

    mode: str
    images: int
    persons: int
    attentive: int
    auc: float | None
    bounds: Bounds
    goal: float
    called: float | None


@dataclass(frozen=True)
class Outcome:
    """One cell of the confusion by mode. `label`: by the rule; `called`: how many of the images, attentive."""

    mode: str
    label: int
    images: int
    called: int

    @property
    def right(self) -> float:
        """Share of right decisions."""
        return (self.called if self.label else self.images - self.called) / self.images


@dataclass(frozen=True)
class GroupScore:
    """One group. `fewest`: people in its smaller class; `balanced_accuracy`, `auc`: None without both classes;
    `difference`: of the former from that of all images."""

    family: str
    group: str
    images: int
    attentive: int
    persons: int
    fewest: int
    balanced_accuracy: float | None
    bounds: Bounds
    difference: float | None
    difference_bounds: Bounds
    auc: float | None

    @property
    def few(self) -> bool:
        """Whether there are too few people to judge by: one of them more or less is points."""
        return self.fewest < FEW_PERSONS

    @property
    def below(self) -> bool:
        """Whether the goal is missed, by enough people."""
        return not self.few and self.difference is not None and self.difference < -FURTHEST_BELOW

    @property
    def sure(self) -> bool:
        """Whether chance in who was tested can be ruled out."""
        return self.difference_bounds is not None and self.difference_bounds[1] < 0


@dataclass(frozen=True)
class SignalScore:
    """How far a signal is off where the picture shows it: mean and median of the absolute errors, in its unit.
    `auc`: of a probability, against what is true."""

    name: str
    unit: str
    images: int
    mean_error: float
    bounds: Bounds
    median_error: float
    auc: float | None


@dataclass(frozen=True)
class Operating:
    """Balanced accuracy at 0.5, at the device's threshold, and at the best one for these very images."""

    plain: float
    plain_bounds: Bounds
    device_threshold: float
    device: float
    device_bounds: Bounds
    best_threshold: float
    best: float

    @property
    def loss(self) -> float:
        """What the plain threshold loses."""
        return self.best - self.plain


@dataclass(frozen=True)
class Judged:
    """The test part with truth. `signals`: (N, 8) in their units, or None; `detected`: (N,); `resamples`: of the
    bootstrap, 0 for none."""

    predictions: Predictions
    calibration: Calibration
    truths: Sequence[Truth]
    detected: Bools
    signals: Floats | None
    resamples: int
    seed: int

    @cached_property
    def probabilities(self) -> Floats:
        """(N,) as a device has them."""
        return self.predictions.probabilities(self.calibration.temperature)

    @cached_property
    def called(self) -> Labels:
        """(N,) the device's decision, 0 or 1."""
        return self.predictions.predicted(self.calibration)

    @cached_property
    def modes(self) -> NDArray[np.str_]:
        """(N,)."""
        return np.array([truth.mode.value for truth in self.truths])

    @cached_property
    def owner(self) -> Labels:
        """(N,) number of each image's person."""
        return np.unique(self.predictions.persons, return_inverse=True)[1]

    @cached_property
    def drawn(self) -> Labels:
        """(R, P): how often each person is in each resample."""
        persons = int(self.owner.max()) + 1
        return np.random.default_rng(self.seed).multinomial(persons, np.full(persons, 1 / persons), self.resamples)

    def count_persons(self, which: Bools) -> int:
        """People among some images."""
        return len(np.unique(self.owner[which]))


@dataclass(frozen=True)
class Conditions:
    """All of it. `signals`: empty for a model without."""

    operating: Operating
    modes: list[ModeScore]
    outcomes: list[Outcome]
    groups: list[GroupScore]
    signals: list[SignalScore]

    def as_json(self) -> dict[str, Any]:
        """For the stage's record."""
        return {
            "operating": {**asdict(self.operating), "loss": self.operating.loss},
            "modes": [asdict(score) for score in self.modes],
            "confusion": [{**asdict(outcome), "right": outcome.right} for outcome in self.outcomes],
            "groups": [
                {**asdict(score), "few": score.few, "below": score.below, "sure": score.sure} for score in self.groups
            ],
            "signals": [asdict(score) for score in self.signals],
        }


def judge(
    test: Predictions,
    calibration: Calibration,
    pictures: Pictures,
    signals: Floats | None,
    *,
    resamples: int,
    seed: int,
) -> tuple[Judged, Conditions]:
    """Find out all of it about the test part's predictions. `signals`: (N, 8) in the same order."""
    place = pictures.by_crop()
    places = [place[sample.file.rpartition("/")[2].partition(".")[0]] for sample in test.samples]
    judged = Judged(
        test, calibration, [pictures.truths[one] for one in places], pictures.detected[places], signals, resamples, seed
    )
    found = Conditions(operating(judged), mode_scores(judged), outcomes(judged), group_scores(judged), errors(judged))
    return judged, found


def operating(judged: Judged) -> Operating:
    """What the threshold costs."""
    labels, probabilities = judged.predictions.labels, judged.probabilities
    everybody = np.ones(len(labels), np.bool_)
    best = choose_threshold(labels, probabilities)
    plain, device, ideal = (
        probabilities >= threshold for threshold in (PLAIN_THRESHOLD, judged.calibration.threshold, best)
    )
    return Operating(
        balanced(labels, plain),
        bounds_of(resampled(judged, plain, everybody)),
        judged.calibration.threshold,
        balanced(labels, device),
        bounds_of(resampled(judged, device, everybody)),
        best,
        balanced(labels, ideal),
    )


def mode_scores(judged: Judged) -> list[ModeScore]:
    """Of each mode but the attentive one, in the order of `GOALS`."""
    labels, probabilities = judged.predictions.labels, judged.probabilities
    attentive = (judged.modes == Mode.ATTENTIVE) & (labels == 1)
    scores = []
    for mode, goal in GOALS.items():
        of_mode = judged.modes == mode
        against = of_mode & (labels == 0)
        both = attentive | against
        auc, bounds = None, None
        if attentive.any() and against.any():
            auc = float(roc_auc_score(labels[both], probabilities[both]))
            persons = [judged.predictions.persons[place] for place in np.flatnonzero(both)]
            found = bootstrap_intervals(
                labels[both], probabilities[both], persons, resamples=judged.resamples, seed=judged.seed
            )
            bounds = found.bounds.get("roc_auc")
        called = float(judged.called[against].mean()) if against.any() else None
        left_out = int((of_mode & (labels == 1)).sum())
        persons_of = judged.count_persons(against)
        scores.append(ModeScore(mode.value, int(against.sum()), persons_of, left_out, auc, bounds, goal, called))
    return scores


def outcomes(judged: Judged) -> list[Outcome]:
    """Every mode and label that there is."""
    labels = judged.predictions.labels
    cells = [(mode.value, label, (judged.modes == mode) & (labels == label)) for mode in Mode for label in (1, 0)]
    return [
        Outcome(mode, label, int(which.sum()), int(judged.called[which].sum()))
        for mode, label, which in cells
        if which.any()
    ]


def group_scores(judged: Judged) -> list[GroupScore]:
    """Of each group of each family, the family's worst first."""
    families: dict[str, Callable[[int], str]] = {
        family: lambda place, group_of=group_of: group_of(judged.truths[place])  # type: ignore[misc]
        for family, group_of in FAMILIES.items()
    }
    families["detector"] = lambda place: "face found" if judged.detected[place] else "face lost"
    everybody = np.ones(len(judged.truths), np.bool_)
    mean = balanced(judged.predictions.labels, judged.called == 1)
    mean_drawn = resampled(judged, judged.called == 1, everybody)
    scores = []
    for family, group_of in families.items():
        names = np.array([group_of(place) for place in range(len(judged.truths))])
        found = [_group(judged, family, str(name), names == name, mean, mean_drawn) for name in np.unique(names)]
        scores += sorted(found, key=lambda score: (score.balanced_accuracy is None, score.balanced_accuracy or 0))
    return scores


def _group(judged: Judged, family: str, name: str, which: Bools, mean: float, mean_drawn: Floats) -> GroupScore:
    labels = judged.predictions.labels[which]
    fewest = min(judged.count_persons(which & (judged.predictions.labels == label)) for label in (0, 1))
    size = (len(labels), int(labels.sum()), judged.count_persons(which), fewest)
    if fewest == 0:
        return GroupScore(family, name, *size, None, None, None, None, None)
    accuracy = balanced(labels, judged.called[which] == 1)
    drawn = resampled(judged, judged.called == 1, which)
    return GroupScore(
        family,
        name,
        *size,
        balanced_accuracy=accuracy,
        bounds=bounds_of(drawn),
        difference=accuracy - mean,
        difference_bounds=bounds_of(drawn - mean_drawn),
        auc=float(roc_auc_score(labels, judged.probabilities[which])),
    )  # fmt: skip


def errors(judged: Judged) -> list[SignalScore]:
    """Of each signal, over the images that show it."""
    if judged.signals is None:
        return []
    scores = []
    for index, (truth, shown) in enumerate(true_signals(judged.truths)):
        if not shown.any():
            continue
        signal, said = SIGNALS[index], judged.signals[shown, index]
        off = np.abs(said - truth[shown])
        auc = None
        if index == CLOSED and 0 < truth[shown].sum() < shown.sum():
            auc = float(roc_auc_score(truth[shown], said))
        sums = np.bincount(judged.owner[shown], off, judged.drawn.shape[1])
        counts = np.bincount(judged.owner[shown], minlength=judged.drawn.shape[1])
        drawn = judged.drawn @ counts
        means = (judged.drawn @ sums)[drawn > 0] / drawn[drawn > 0]
        enough = judged.count_persons(shown) >= FEWEST_PERSONS
        scores.append(
            SignalScore(
                signal.name,
                signal.unit,
                int(shown.sum()),
                float(off.mean()),
                bounds_of(means) if enough else None,
                float(np.median(off)),
                auc,
            )
        )
    return scores


def true_signals(truths: Sequence[Truth]) -> list[tuple[Floats, Bools]]:
    """Of each signal what is true, (N,) in its unit, and of which of the images it can be seen, (N,)."""
    targets = make_targets(truths)
    values = targets.signals.numpy().astype(np.float64) * np.array(SCALES)
    shown = targets.weights.numpy() >= SURE
    return list(zip(values.T, shown.T, strict=True))


def balanced(labels: Labels, said: Bools) -> float:
    """Balanced accuracy of (N,) decisions; both classes must be there."""
    return float((said[labels == 1].mean() + (~said[labels == 0]).mean()) / 2)


def resampled(judged: Judged, said: Bools, which: Bools) -> Floats:
    """(R,) balanced accuracy of the images `which` in each resample; NaN where a class is not in it."""
    labels, persons = judged.predictions.labels, judged.drawn.shape[1]
    cells = np.bincount(judged.owner[which] * 4 + labels[which] * 2 + said[which], minlength=persons * 4).reshape(
        persons, 4
    )
    if np.count_nonzero(cells[:, :2].sum(1)) < FEWEST_PERSONS or np.count_nonzero(cells[:, 2:].sum(1)) < FEWEST_PERSONS:
        return np.full(len(judged.drawn), np.nan)
    true_negatives, false_positives, false_negatives, true_positives = (judged.drawn @ cells).T
    with np.errstate(invalid="ignore"):  # 0 / 0 in a resample without a class is the NaN that is promised
        recall = true_positives / (true_positives + false_negatives)
        specificity = true_negatives / (true_negatives + false_positives)
    return np.asarray((recall + specificity) / 2, np.float64)


def bounds_of(drawn: Floats) -> Bounds:
    """The middle 95 % of what was drawn."""
    found = drawn[np.isfinite(drawn)]
    if not len(found):
        return None
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).tolist()
    return low, high
