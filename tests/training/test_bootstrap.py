"""Intervals by person: right in each resample, wide enough for clustered data, and none where they would lie."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sklearn_metrics

from training.bootstrap import bootstrap_intervals, resampled_metrics
from training.errors import TrainingFailed
from training.metrics import METRIC_TITLES, binary_metrics, calibration_error, sigmoid

PER_PERSON = 30


def clustered(
    rng: np.random.Generator, people: int, spread: float = 1.5
) -> tuple[NDArray[np.int64], NDArray[np.float64], list[str]]:
    """Labels, probabilities and persons; each person's logits are moved by an own amount."""
    owner = np.repeat(np.arange(people), PER_PERSON)
    labels = rng.integers(0, 2, len(owner))
    logits = 2.0 * (2 * labels - 1) + rng.normal(0, spread, people)[owner] + rng.normal(0, 1, len(owner))
    return labels, sigmoid(logits), [f"p{number}" for number in owner]


def test_every_metric_of_a_resample_is_scikit_learns() -> None:
    rng = np.random.default_rng(1)
    labels, scores, _ = clustered(rng, 6)
    scores = scores.round(2)  # ties
    owner = np.repeat(np.arange(6), PER_PERSON)
    drawn = np.array([[1, 1, 1, 1, 1, 1], [3, 0, 0, 2, 0, 1]])
    found = resampled_metrics(labels, scores, owner, drawn, 0.4)
    assert set(found) == set(METRIC_TITLES)
    for row, draw in enumerate(drawn):
        images = np.repeat(np.arange(len(labels)), draw[owner])
        expected = binary_metrics(labels[images], scores[images], 0.4)
        assert {name: values[row] for name, values in found.items()} == pytest.approx(expected)


def test_a_resample_in_which_nothing_is_called_attentive_has_zero_precision() -> None:
    found = resampled_metrics(np.array([0, 1]), np.array([0.1, 0.2]), np.array([0, 1]), np.array([[1, 1]]), 0.5)
    assert (found["precision"][0], found["f1"][0], found["balanced_accuracy"][0]) == (0, 0, 0.5)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    rng = np.random.default_rng(2)
    labels, scores, _ = clustered(rng, 4000)
    truth = sklearn_metrics.balanced_accuracy_score(labels, scores >= 0.5)
    hits = 0
    for trial in range(60):
        low, high = bootstrap_intervals(*clustered(rng, 20), resamples=200, seed=trial).bounds["balanced_accuracy"]
        hits += low <= truth <= high
    assert hits >= 50  # 95 % of 60 are 57; percentiles over 20 people fall a little short


def test_intervals_by_person_are_wider_than_those_by_image() -> None:
    labels, scores, persons = clustered(np.random.default_rng(3), 20)
    by_person = bootstrap_intervals(labels, scores, persons).bounds["accuracy"]
    by_image = bootstrap_intervals(labels, scores, [str(number) for number in range(len(labels))]).bounds["accuracy"]
    assert by_person[1] - by_person[0] > 1.3 * (by_image[1] - by_image[0])


def test_the_interval_of_the_calibration_error_holds_its_value() -> None:
    rng = np.random.default_rng(8)
    scores = rng.random(400)
    labels = (rng.random(400) < scores).astype(np.int64)  # calibrated: drawing more than doubles the error
    low, high = bootstrap_intervals(labels, scores, [str(number // 4) for number in range(400)]).bounds["ece"]
    assert 0 <= low < calibration_error(labels, scores) < high


def test_the_same_seed_gives_the_same_intervals() -> None:
    data = clustered(np.random.default_rng(4), 12)
    assert bootstrap_intervals(*data, seed=1) == bootstrap_intervals(*data, seed=1)
    assert bootstrap_intervals(*data, seed=1) != bootstrap_intervals(*data, seed=2)


@pytest.mark.parametrize("persons", [["ana", "ana", "ana", "ana"], ["ana", "ana", "ben", "cyd"]])
def test_one_person_in_a_class_has_no_interval_but_a_reason(persons: list[str]) -> None:
    found = bootstrap_intervals([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], persons)
    assert found.bounds == {}
    assert "they need 2 people or more in each class, and one class has 1" in str(found.note)


def test_few_people_are_warned_of() -> None:
    assert "with 3 people the intervals are too narrow" in str(
        bootstrap_intervals(*clustered(np.random.default_rng(5), 3)).note
    )
    assert bootstrap_intervals(*clustered(np.random.default_rng(5), 12)).note is None


def test_draws_of_one_class_are_left_out_and_counted() -> None:
    # Two people of each class and no others: one draw in eight has one class only.
    found = bootstrap_intervals([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], ["a", "b", "c", "d"], resamples=1000)
    assert 80 < 1000 - found.resamples < 180
    assert f"{1000 - found.resamples} of 1000 draws had one class only" in str(found.note)


def test_none_are_made_when_none_are_asked_for() -> None:
    assert bootstrap_intervals([0, 1], [0.1, 0.9], ["a", "b"], resamples=0).bounds == {}


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(TrainingFailed, match=r"expected --bootstrap 0, .* at least 100, got 5"):
        bootstrap_intervals([0, 1], [0.1, 0.9], ["a", "b"], resamples=5)


def test_a_test_part_of_the_references_size_takes_a_few_seconds() -> None:
    data = clustered(np.random.default_rng(6), 50)
    assert len(data[0]) == 1500
    started = time.process_time()
    bootstrap_intervals(*data, resamples=1000)
    assert time.process_time() - started < 5
