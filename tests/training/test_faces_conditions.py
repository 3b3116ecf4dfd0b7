"""Scores by condition: from made-up answers whose scores are known, and end to end on a small rendered run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.training.rendered import make_truth, truths_of, write_folder
from training.calibration import Calibration
from training.evaluate import EvaluateConfig
from training.evaluate import run as evaluate
from training.evaluation import Predictions
from training.faces import conditions_report
from training.faces.conditions import Conditions, judge
from training.faces.label import LabelRule
from training.faces.pictures import Pictures, crop_file
from training.faces.prepare import FacesConfig, run
from training.faces.truth import Glasses, Mode, Truth
from training.model import AttentiveMobileNetV2, save_checkpoint
from training.signals import CLOSED, GAZE_YAW, LID_LEFT, YAW
from training.splits import Sample, load_splits

PEOPLE = 24
PER_PERSON = 8


def answers(truths: list[Truth], logits: np.ndarray, signals: np.ndarray | None = None) -> Conditions:
    """What is found of (N,) logits; the detector lost those who look away."""
    count = len(truths)
    pictures = Pictures(
        np.zeros((count, 1, 1, 3), np.uint8), np.zeros((count, 3), np.float32), truths, ["test"] * count,
        np.array([truth.mode is not Mode.AWAY for truth in truths]), 1, 1.25,
    )  # fmt: skip
    samples = [
        Sample(crop_file(truth, label), str(truth.person), truth.scene, label)
        for truth in truths
        for label in [int(LabelRule().attentive(truth))]
    ]
    order = np.random.default_rng(5).permutation(count)  # splits and pictures have orders of their own
    test = Predictions([samples[place] for place in order], logits[order].astype(np.float64))
    shuffled = None if signals is None else signals[order]
    return judge(test, Calibration(1.0, 0.5), pictures, shuffled, resamples=200, seed=1)[1]


def right_logits(truths: list[Truth]) -> np.ndarray:
    """Surely right, and different everywhere."""
    labels = np.array([LabelRule().attentive(truth) for truth in truths])
    return np.where(labels, 3.0, -3.0) + np.random.default_rng(2).normal(0, 0.3, len(truths))


def test_a_model_that_is_blind_to_one_mode_fails_in_that_mode_alone() -> None:
    truths = truths_of(PEOPLE)
    blind = np.array([truth.mode is Mode.CLOSED for truth in truths])
    found = answers(truths, np.where(blind, right_logits(truths) + 6, right_logits(truths)))
    scores = {score.mode: score for score in found.modes}
    assert scores["closed"].auc == pytest.approx(0.5, abs=0.1) and scores["closed"].called == 1
    low, high = scores["closed"].bounds or (1, 0)
    assert low < 0.5 < high
    assert scores["away"].auc == 1 and scores["away"].called == 0 and scores["away"].bounds == (1, 1)
    assert scores["yawn"].auc is None and scores["yawn"].images == 0
    outcomes = {(outcome.mode, outcome.label): outcome for outcome in found.outcomes}
    assert outcomes["closed", 0].called == PEOPLE and outcomes["closed", 0].right == 0
    assert outcomes["attentive", 1].right == 1
    assert ("attentive", 0) not in outcomes


def test_images_of_a_mode_that_the_rule_calls_attentive_are_left_out_of_its_auc() -> None:
    truths = truths_of(PEOPLE)
    truths[1] = make_truth(1, mode=Mode.CLOSED, lid_left=0.8)
    logits = right_logits(truths)
    logits[1] = -9
    scores = {score.mode: score for score in answers(truths, logits).modes}
    closed = scores["closed"]
    assert (closed.images, closed.attentive, closed.persons) == (PEOPLE - 1, 1, PEOPLE - 1)
    assert closed.auc == 1 and scores["away"].auc == 1  # nor do they stand for attentive people


def test_a_group_on_which_the_model_does_worse_is_found_and_named() -> None:
    truths = truths_of(PEOPLE)
    logits = right_logits(truths)
    dark = np.array([truth.skin_tone >= 7 for truth in truths])
    wrong = dark & (np.random.default_rng(3).random(len(truths)) < 0.4)
    found = answers(truths, np.where(wrong, -logits, logits))
    groups = {(score.family, score.group): score for score in found.groups}
    worst = groups["skin tone", "7-10"]
    assert not worst.few and worst.below and worst.sure
    others = (~dark).mean() + dark.mean() * (worst.balanced_accuracy or 0)
    assert worst.balanced_accuracy == pytest.approx(0.6, abs=0.08)
    assert worst.difference == pytest.approx((worst.balanced_accuracy or 0) - others, abs=0.04)
    low, high = worst.difference_bounds or (0, 1)
    assert low < (worst.difference or 0) < high < 0
    assert not groups["skin tone", "1-3"].below
    assert next(score.group for score in found.groups if score.family == "skin tone") == "7-10"
    assert "skin tone 7-10 (" in "\n".join(conditions_report.sections(found))
    assert any("groups more than 3 points below the mean: 7-10 (skin tone)" in line
               for line in conditions_report.summary(found))  # fmt: skip


def test_a_group_of_few_people_is_listed_but_not_judged() -> None:
    truths = truths_of(PEOPLE)
    for number in range(2 * PER_PERSON):
        truths[number] = make_truth(number, mode=truths[number].mode, glasses=Glasses.GLARE)
    of_few = np.array([truth.glasses is Glasses.GLARE for truth in truths])
    found = answers(truths, np.where(of_few, -right_logits(truths), right_logits(truths)))
    (glare,) = [score for score in found.groups if score.group == "glare"]
    assert glare.few and glare.fewest == 2 and glare.difference is not None and glare.difference < -0.5
    assert not glare.below
    assert "No group is more than 3 points" in "\n".join(conditions_report.sections(found))


def test_a_group_of_one_class_has_no_balanced_accuracy() -> None:
    truths = truths_of(PEOPLE)
    (lost,) = [score for score in answers(truths, right_logits(truths)).groups if score.group == "face lost"]
    assert (lost.images, lost.attentive) == (PEOPLE, 0)
    assert (lost.balanced_accuracy, lost.difference, lost.bounds, lost.auc) == (None, None, None, None)


def test_what_the_plain_threshold_loses_to_the_best_is_told() -> None:
    truths = truths_of(PEOPLE)
    found = answers(truths, right_logits(truths) - 3.5).operating
    assert found.plain == pytest.approx(0.5, abs=0.05)
    assert found.best == 1 and found.loss == pytest.approx(0.5, abs=0.05)
    assert 0.02 < found.best_threshold < 0.5
    assert "**not within** 2 points" in "\n".join(
        conditions_report.sections(answers(truths, right_logits(truths) - 3.5))
    )


def test_errors_of_signals_count_only_where_the_picture_shows_them() -> None:
    truths = truths_of(PEOPLE)
    signals = np.zeros((len(truths), 8))
    signals[:, YAW] = [truth.yaw + 3 for truth in truths]
    signals[:, LID_LEFT] = [0.0 if truth.mode is Mode.AWAY else truth.lid_left for truth in truths]
    signals[:, GAZE_YAW] = [80.0 if truth.mode is Mode.CLOSED else truth.gaze_yaw - 5 for truth in truths]
    signals[:, CLOSED] = [0.9 if truth.mode is Mode.CLOSED else 0.2 for truth in truths]
    scores = {score.name: score for score in answers(truths, right_logits(truths), signals).signals}
    assert scores["yaw"].mean_error == pytest.approx(3) and scores["yaw"].images == len(truths)
    assert scores["yaw"].bounds == pytest.approx((3, 3))
    assert scores["lid_left"].mean_error == pytest.approx(0, abs=1e-6)
    assert scores["gaze_yaw"].median_error == pytest.approx(5, abs=1e-4)
    assert scores["gaze_yaw"].images < len(truths) - PEOPLE
    assert scores["closed"].auc == 1


def test_a_model_without_signals_has_no_section_on_them() -> None:
    found = answers(truths_of(PEOPLE), right_logits(truths_of(PEOPLE)))
    assert found.signals == []
    assert "### Signals" not in "\n".join(conditions_report.sections(found))


def test_evaluate_tells_conditions_of_a_rendered_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.evaluate.draw_all", lambda *_: [])  # test_evaluate looks at those
    out = tmp_path / "run"
    faces = write_folder(tmp_path / "faces", truths_of(9))
    run(FacesConfig(faces=faces, out=out, crop_scale=1.25, jobs=1, seed=42, force=False))
    torch.manual_seed(0)
    save_checkpoint(
        out / "attentive_model.pth", AttentiveMobileNetV2(signals=True), split_sha256=load_splits(out).sha256, meta={}
    )
    evaluate(EvaluateConfig(out=out, bootstrap=100, workers=0))
    assert "AUC of attentive against away " in capsys.readouterr().out
    record = json.loads((out / "evaluate.json").read_text())
    found = record["results"]["conditions"]
    test = load_splits(out)["test"]
    assert sum(outcome["images"] for outcome in found["confusion"]) == len(test)
    with (out / "evaluate" / "by_group.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert sum(int(row["images"]) for row in rows if row["family"] == "detector") == len(test)
    assert {"family", "group", "low", "high", "difference", "difference_low", "difference_high"} <= rows[0].keys()
    assert len(found["signals"]) == 8
    for name in ("modes.png", "groups.png", "signals.png", "gradcam-modes.jpg"):
        assert f"evaluate/{name}" in record["outputs"]
        picture = cv2.imread(str(out / "evaluate" / name))
        assert picture is not None and picture.std() > 10
    assert {"pictures/truth.jsonl", "pictures/meta.json"} <= record["inputs"].keys()
    assert "### What people do" in (out / "evaluate" / "report.md").read_text()
