"""The stage `evaluate`, end to end on a small trained run, and what it concludes from made-up logits."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from training.calibration import load_calibration
from training.errors import TrainingFailed
from training.evaluate import EvaluateConfig, run, summary
from training.evaluation import Evaluation, assess
from training.evaluation_report import report
from training.metrics import binary_metrics, sigmoid
from training.model import load_checkpoint, save_checkpoint
from training.splits import Part, Sample, Splits

PICTURES = ("confusion.png", "roc.png", "pr.png", "reliability.png", "per_person.png", "gradcam.jpg")


@pytest.fixture(scope="module")
def evaluated(tiny_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder after `evaluate`; tests copy it before they change it."""
    out = Path(shutil.copytree(tiny_original, tmp_path_factory.mktemp("evaluated") / "run"))
    run(EvaluateConfig(out=out, bootstrap=200, workers=0))
    return out


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV table."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_numbers_are_those_of_the_predictions(evaluated: Path) -> None:
    calibration = load_calibration(evaluated)
    numbers = json.loads((evaluated / "evaluate" / "metrics.json").read_text())
    rows = rows_of(evaluated / "evaluate" / "predictions.csv")
    labels = [int(row["label"]) for row in rows]
    logits = np.array([float(row["logit"]) for row in rows])
    probabilities = sigmoid(logits, calibration.temperature)
    assert [float(row["probability"]) for row in rows] == pytest.approx(probabilities.tolist(), abs=1e-5)
    expected = binary_metrics(labels, probabilities, calibration.threshold)
    assert numbers["test"]["calibrated"]["metrics"] == pytest.approx(expected, abs=1e-4)
    raw = binary_metrics(labels, sigmoid(logits))
    assert numbers["test"]["trained"]["metrics"] == pytest.approx(raw, abs=1e-4)
    assert all((row["label"] == "1") == ("/attentive/" in row["file"]) for row in rows)
    assert numbers["test"]["images"] == len(rows)


def test_the_record_holds_all_numbers_and_every_file(evaluated: Path) -> None:
    record = json.loads((evaluated / "evaluate.json").read_text())
    assert record["results"] == json.loads((evaluated / "evaluate" / "metrics.json").read_text())
    assert set(record["inputs"]) == {"attentive_model.pth", "dataset_splits.json"}
    written = {f"evaluate/{path.name}" for path in (evaluated / "evaluate").iterdir()}
    assert set(record["outputs"]) == written | {"calibration.json"}


def test_every_picture_is_one(evaluated: Path) -> None:
    for name in PICTURES:
        picture = cv2.imread(str(evaluated / "evaluate" / name))
        assert picture is not None, name
        assert min(picture.shape[:2]) >= 300, name
        assert picture.std() > 10, name


def test_the_report_shows_every_metric_with_its_interval_and_the_baseline(evaluated: Path) -> None:
    text = (evaluated / "evaluate" / "report.md").read_text()
    numbers = json.loads((evaluated / "evaluate" / "metrics.json").read_text())
    scores = numbers["test"]["calibrated"]
    low, high = scores["intervals_95"]["roc_auc"]
    assert f"| {scores['metrics']['roc_auc']:.4f} | {low:.4f} to {high:.4f} | 0.5000 |" in text
    assert "| Class | Precision | Recall | F1-Score | Support |" in text
    assert "Nobody of the test part is in the training part." in text
    assert "nan" not in text.lower().split()


def test_people_are_listed_the_worst_first(evaluated: Path) -> None:
    rows = rows_of(evaluated / "evaluate" / "per_person.csv")
    assert {row["person"] for row in rows} == {"mei-c", "ana-c"}
    assert [float(row["accuracy"]) for row in rows] == sorted(float(row["accuracy"]) for row in rows)
    numbers = json.loads((evaluated / "evaluate" / "metrics.json").read_text())
    assert numbers["per_person"]["accuracy"]["min"] == float(rows[0]["accuracy"])


def test_a_second_run_leaves_everything_alone(evaluated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (evaluated / "evaluate.json").read_bytes()
    run(EvaluateConfig(out=evaluated, bootstrap=200, workers=0))
    assert "`evaluate` is done already" in capsys.readouterr().out
    assert (evaluated / "evaluate.json").read_bytes() == before


@pytest.mark.parametrize(("owner", "said"), [("f" * 64, "of the splits ffffffffffff…"), (None, "that names no splits")])
def test_a_model_of_other_splits_is_refused_since_it_may_know_the_test_images(
    tiny_run: Path, owner: str | None, said: str
) -> None:
    path = tiny_run / "attentive_model.pth"
    checkpoint = load_checkpoint(path)
    if owner is None:
        torch.save(checkpoint.model.state_dict(), path)  # as the reference's own files are
    else:
        save_checkpoint(path, checkpoint.model, split_sha256=owner, meta={})
    with pytest.raises(TrainingFailed, match=f"got a model {said}: it may have been trained on images .* testing"):
        run(EvaluateConfig(out=tiny_run, workers=0))
    assert not (tiny_run / "calibration.json").exists()


def made_up(
    people: Sequence[str] = ("ana", "ben", "cyd", "dee"), *, train_labels: Sequence[int] = (0, 1), train: str = "eve"
) -> tuple[Splits, np.ndarray, np.ndarray]:
    """Splits with logits for the validation and the test part, 40 images for each of `people`."""
    rng = np.random.default_rng(7)
    parts: dict[Part, tuple[Sample, ...]] = {
        "train": tuple(Sample("t.jpg", train, "c", label) for label in train_labels)
    }
    for part in ("val", "test"):
        parts[part] = tuple(
            Sample(f"{part}{person}{number}.jpg", person, "c", number % 2) for person in people for number in range(40)
        )
    logits = [
        2 * (2 * np.array([sample.label for sample in parts[part]]) - 1) + rng.normal(1, 2, len(parts[part]))
        for part in ("val", "test")
    ]
    return Splits(parts, {"split": "subject", "crop_scale": 1.0}, "0" * 64), logits[0], logits[1]


def evaluation_of(splits: Splits, val: np.ndarray, test: np.ndarray) -> Evaluation:
    """With few resamples."""
    return assess(val, test, splits, resamples=100, seed=1)


def test_test_labels_and_test_logits_have_no_say_in_the_calibration() -> None:
    splits, val, test = made_up()
    flipped = tuple(Sample(sample.file, sample.person, sample.clip, 1 - sample.label) for sample in splits["test"])
    others = Splits({**splits.parts, "test": flipped}, splits.settings, splits.sha256)
    first = evaluation_of(splits, val, test)
    assert first.calibration == evaluation_of(others, val, test).calibration
    assert first.calibration == evaluation_of(splits, val, -3 * test).calibration
    assert first.calibration != evaluation_of(splits, -val, test).calibration


def test_the_always_attentive_baseline_is_what_it_says() -> None:
    splits, val, test = made_up()
    (name,) = evaluation_of(splits, val, test).baselines
    assert name == "always_attentive"
    baseline = evaluation_of(splits, val, test).baselines[name]
    assert (baseline["accuracy"], baseline["recall"], baseline["specificity"]) == (0.5, 1, 0)
    assert (baseline["balanced_accuracy"], baseline["roc_auc"], baseline["pr_auc"]) == (0.5, 0.5, 0.5)
    assert "loss" not in baseline


def test_a_majority_of_the_not_attentive_is_a_baseline_of_its_own() -> None:
    evaluation = evaluation_of(*made_up(train_labels=(0, 0, 1)))
    assert evaluation.baselines["majority"]["specificity"] == 1
    assert 'Always "not attentive" (majority)' in report(evaluation)


def test_people_known_from_training_are_warned_of() -> None:
    evaluation = evaluation_of(*made_up(train="ben"))
    assert "**Warning: 1 of the 4 people of the test part" in report(evaluation)
    assert "warning: 1 of the 4 people are in the training part too" in summary(evaluation)[-1]


def test_a_person_on_whom_the_model_is_always_wrong_is_named() -> None:
    splits, val, test = made_up()
    of_cyd = np.array([sample.person == "cyd" for sample in splits["test"]])
    labels = splits.labels("test")
    evaluation = evaluation_of(splits, val, np.where(of_cyd, 5 - 10 * labels, test))
    assert evaluation.persons[0].person == "cyd"
    assert evaluation.persons[0].accuracy == 0
    assert evaluation.below_baseline == ["cyd"]
    assert evaluation.at_chance == ["cyd"]
    assert evaluation.spread["min"] == 0


def test_a_person_of_one_class_has_no_balanced_accuracy() -> None:
    splits, val, test = made_up()
    without = [n for n, sample in enumerate(splits["test"]) if not (sample.person == "ana" and sample.label == 0)]
    fewer = Splits({**splits.parts, "test": tuple(splits["test"][n] for n in without)}, splits.settings, splits.sha256)
    scores = {score.person: score for score in evaluation_of(fewer, val, test[without]).persons}
    assert scores["ana"].balanced_accuracy is None
    assert scores["ana"].always_attentive == 1
    assert scores["ben"].balanced_accuracy is not None


def test_one_person_to_test_on_gives_no_interval_and_says_so() -> None:
    evaluation = evaluation_of(*made_up(people=("ana",)))
    assert evaluation.calibrated.intervals.bounds == {}
    assert "No confidence intervals: they need 2 people" in report(evaluation)
    assert any("they need 2 people" in line for line in summary(evaluation))
    assert json.dumps(evaluation.as_json(), allow_nan=False)


def test_a_temperature_at_the_end_of_its_range_is_pointed_out() -> None:
    splits, _, test = made_up()
    evaluation = evaluation_of(splits, 10.0 * splits.labels("val") - 5, test)
    assert evaluation.at_the_bound
    assert "at the end of the range" in report(evaluation)
    assert any("end of its range" in line for line in summary(evaluation))
