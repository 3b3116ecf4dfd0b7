"""Temperature and threshold: recovered from made-up logits, bounded, and kept with the model they belong to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from training.calibration import (
    TEMPERATURE_RANGE,
    Calibration,
    calibrate,
    choose_threshold,
    fit_temperature,
    load_calibration,
    operating_threshold,
    save_calibration,
)
from training.errors import TrainingFailed
from training.metrics import binary_metrics, sigmoid


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_recovered(temperature: float) -> None:
    rng = np.random.default_rng(1)
    true_logits = rng.normal(0, 2, 40_000)
    labels = (rng.random(40_000) < sigmoid(true_logits)).astype(int)
    assert fit_temperature(true_logits * temperature, labels) == pytest.approx(temperature, rel=0.03)


def test_no_temperature_nearby_has_a_lower_loss() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, 300)
    labels = (rng.random(300) < sigmoid(logits / 2 + 0.5)).astype(int)
    best = fit_temperature(logits, labels)

    def loss(temperature: float) -> float:
        return binary_metrics(labels, sigmoid(logits, temperature))["loss"]

    assert loss(best) < min(loss(0.99 * best), loss(1.01 * best), loss(1.0))


def test_logits_without_an_error_do_not_make_the_model_certain() -> None:
    assert fit_temperature([-3.0, -1.0, 1.0, 3.0], [0, 0, 1, 1]) == TEMPERATURE_RANGE[0]


def test_logits_that_are_all_wrong_stay_within_the_range() -> None:
    assert fit_temperature([3.0, -3.0], [0, 1]) == TEMPERATURE_RANGE[1]


def test_logits_that_are_not_finite_are_refused() -> None:
    with pytest.raises(TrainingFailed, match="not a number"):
        fit_temperature([np.nan, 1.0], [0, 1])


def test_the_threshold_lies_midway_between_the_scores_it_separates() -> None:
    assert choose_threshold([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.9]) == pytest.approx(0.25)


def test_among_equal_thresholds_the_one_nearest_to_a_half_is_taken() -> None:
    # Between 0.2 and 0.3 one image of each class is wrong; between 0.6 and 0.7 just as many.
    scores, labels = [0.1, 0.2, 0.3, 0.6, 0.7, 0.8], [0, 1, 0, 1, 0, 1]
    assert choose_threshold(labels, scores) == pytest.approx(0.45)


def test_the_threshold_cares_for_the_rare_class() -> None:
    rng = np.random.default_rng(3)
    labels = (rng.random(2000) < 0.95).astype(int)
    scores = sigmoid(rng.normal(0, 1, 2000) + 2 * labels + 1)
    chosen = choose_threshold(labels, scores)
    at_half, at_chosen = binary_metrics(labels, scores), binary_metrics(labels, scores, chosen)
    assert at_chosen["balanced_accuracy"] > at_half["balanced_accuracy"] + 0.1


def test_no_threshold_has_a_better_balanced_accuracy() -> None:
    rng = np.random.default_rng(4)
    labels, scores = rng.integers(0, 2, 60), rng.random(60).round(2)

    def balanced_accuracy(threshold: float) -> float:
        return float(balanced_accuracy_score(labels, scores >= threshold))

    best = max(balanced_accuracy(score) for score in scores)
    assert balanced_accuracy(choose_threshold(labels, scores)) == pytest.approx(best)


def test_scores_that_are_all_the_same_leave_the_threshold_at_a_half() -> None:
    assert choose_threshold([0, 1], [0.3, 0.3]) == 0.5


def test_neighbours_without_a_number_between_them_are_still_separated() -> None:
    low, high = 0.3, float(np.nextafter(0.3, 1))
    assert low < choose_threshold([0, 1], [low, high]) <= high


def test_half_is_kept_where_it_is_as_good_as_any() -> None:
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 2, 800)
    logits = 4 * labels - 2 + rng.normal(0, 1.5, 800)
    assert choose_threshold(labels, sigmoid(logits)) != 0.5
    assert operating_threshold(labels, sigmoid(logits)) == calibrate(logits, labels).threshold == 0.5
    assert calibrate(logits - 2, labels).threshold < 0.4


@pytest.fixture
def model_run(tmp_path: Path) -> Path:
    """A run folder with something in the model's place."""
    (tmp_path / "attentive_model.pth").write_bytes(b"a model")
    return tmp_path


def test_a_calibration_comes_back_as_it_was_saved(model_run: Path) -> None:
    save_calibration(model_run, Calibration(1.5, 0.4), split_sha256="ab", validation={"images": 3})
    assert load_calibration(model_run) == Calibration(1.5, 0.4)
    assert json.loads((model_run / "calibration.json").read_text())["split_sha256"] == "ab"


def test_the_calibration_of_another_model_is_refused(model_run: Path) -> None:
    save_calibration(model_run, Calibration(1.5, 0.4), split_sha256="ab", validation={})
    (model_run / "attentive_model.pth").write_bytes(b"another model")
    with pytest.raises(TrainingFailed, match=r"got the calibration of another model .* train evaluate --out"):
        load_calibration(model_run)


def test_a_missing_calibration_says_which_command_makes_it(model_run: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected the calibration at .*: run `edgeattend train evaluate"):
        load_calibration(model_run)


def test_a_calibration_without_its_model_is_refused(model_run: Path) -> None:
    save_calibration(model_run, Calibration(1.5, 0.4), split_sha256="ab", validation={})
    (model_run / "attentive_model.pth").unlink()
    with pytest.raises(TrainingFailed, match="run `fit` first"):
        load_calibration(model_run)


@pytest.mark.parametrize(
    "broken",
    [
        "[]",
        "{}",
        '{"temperature": "hot", "threshold": 0.5, "model_sha256": ""}',
        '{"temperature": 0, "threshold": 0.5, "model_sha256": ""}',
        '{"temperature": NaN, "threshold": 0.5, "model_sha256": ""}',
        '{"temperature": 1, "threshold": 1.5, "model_sha256": ""}',
    ],
)
def test_a_malformed_calibration_is_refused(model_run: Path, broken: str) -> None:
    (model_run / "calibration.json").write_text(broken)
    with pytest.raises(TrainingFailed, match="train evaluate"):
        load_calibration(model_run)
