"""The metrics: scikit-learn's values, hand-made cases, and what happens where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from training.errors import TrainingFailed
from training.metrics import METRIC_TITLES, binary_metrics, classification_report, confusion, reliability, sigmoid

LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1])
SCORES = np.array([0.1, 0.2, 0.6, 0.3, 0.9, 0.8, 0.4, 0.7, 0.5, 0.95])
"""At 0.5: 3 of 4 not attentive and 5 of 6 attentive images are right; 0.5 itself counts as attentive."""


def test_a_hand_made_case_has_the_values_of_the_definitions() -> None:
    found = binary_metrics(LABELS, SCORES)
    expected = {"accuracy": 8 / 10, "precision": 5 / 6, "recall": 5 / 6, "specificity": 3 / 4, "f1": 5 / 6}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert found["balanced_accuracy"] == pytest.approx((5 / 6 + 3 / 4) / 2)
    assert found["macro_f1"] == pytest.approx((5 / 6 + 3 / 4) / 2)
    # Of 24 pairs, 0.4 and 0.5 lose against 0.6.
    assert found["roc_auc"] == pytest.approx(22 / 24)
    assert found["loss"] == pytest.approx(-np.mean(np.log(np.where(LABELS, SCORES, 1 - SCORES))))
    assert list(found) == list(METRIC_TITLES)


def test_a_score_that_reaches_the_threshold_counts_as_attentive() -> None:
    assert binary_metrics([0, 1], [0.2, 0.7], threshold=0.7)["recall"] == 1
    assert binary_metrics([0, 1], [0.2, 0.7], threshold=0.7000001)["recall"] == 0


def test_ece_of_a_hand_made_case() -> None:
    # Two bins of 15: 0.31 and 0.33 with one of two attentive, mean 0.32; 0.9 with the only one attentive.
    labels, scores = [0, 1, 1], [0.31, 0.33, 0.9]
    assert binary_metrics(labels, scores)["ece"] == pytest.approx((2 * abs(0.32 - 0.5) + abs(0.9 - 1.0)) / 3)


def test_a_probability_of_one_belongs_to_the_last_bin() -> None:
    bins = reliability(np.array([1, 0]), np.array([1.0, 0.0]))
    assert (bins.count[0], bins.count[-1], bins.count.sum()) == (1, 1, 2)
    assert bins.error == 0


def test_pr_auc_is_the_average_precision_and_not_the_trapezium() -> None:
    found = binary_metrics(LABELS, SCORES)["pr_auc"]
    precision, recall, _ = sklearn_metrics.precision_recall_curve(LABELS, SCORES)
    assert found == pytest.approx(sklearn_metrics.average_precision_score(LABELS, SCORES))
    assert found != pytest.approx(sklearn_metrics.auc(recall, precision), abs=1e-4)


def test_a_model_that_never_says_attentive_has_zero_precision_and_a_finite_loss() -> None:
    found = binary_metrics([0, 1], [0.0, 0.0])
    assert (found["precision"], found["f1"], found["recall"], found["balanced_accuracy"]) == (0, 0, 0, 0.5)
    assert np.isfinite(found["loss"])


@pytest.mark.parametrize("labels", [[1, 1], [0, 0], [], [0, 2]])
def test_labels_without_both_classes_are_refused(labels: list[int]) -> None:
    with pytest.raises(TrainingFailed, match=r"expected images of both classes, 0 and 1, .* got \["):
        binary_metrics(labels, [0.5] * len(labels))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -0.1, 1.1])
def test_probabilities_that_are_none_are_refused(wrong: float) -> None:
    with pytest.raises(TrainingFailed, match=r"expected probabilities within 0\.\.1, got 1 of 3 outside"):
        binary_metrics([0, 1, 1], [0.5, wrong, 0.5])


def test_labels_and_probabilities_must_be_as_many() -> None:
    with pytest.raises(TrainingFailed, match="as many labels as probabilities, got 2 and 3"):
        binary_metrics([0, 1], [0.1, 0.2, 0.3])


def test_sigmoid_takes_any_logit_without_a_warning() -> None:
    assert sigmoid([-1000, 0, 1000]).tolist() == [0, 0.5, 1]
    assert sigmoid([2.0], temperature=4.0) == pytest.approx(1 / (1 + np.exp(-0.5)))


def test_the_report_has_the_references_rows() -> None:
    report = classification_report(LABELS, (SCORES >= 0.5).astype(np.int64))
    assert list(report) == ["Not-Attentive", "Attentive", "Macro Avg", "Weighted Avg"]
    assert report["Not-Attentive"] == pytest.approx({"precision": 0.75, "recall": 0.75, "f1-score": 0.75, "support": 4})
    assert report["Weighted Avg"]["precision"] == pytest.approx(0.4 * 0.75 + 0.6 * 5 / 6)


def test_confusion_has_a_row_for_each_truth_also_when_a_class_is_never_predicted() -> None:
    assert confusion(np.array([0, 1, 1]), np.array([1, 1, 1])).tolist() == [[0, 1], [0, 2]]
