"""`fit` on rendered people: what it leaves, that a killed one goes on as if nothing had been, and what it refuses."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.training.pictures_run import make_pictures_run, small_feed
from training.errors import TrainingFailed
from training.faces.course import Course
from training.faces.fit import FacesFit
from training.faces.learn import Learner, answers, decide, quality
from training.fit import FitConfig, run
from training.metrics import binary_metrics, sigmoid
from training.model import AttentiveMobileNetV2, has_signals, load_checkpoint
from training.signals import NAMES
from training.splits import load_splits


class Killed(BaseException):
    """As Ctrl-C: nothing catches it."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rendered") / "run"
    make_pictures_run(folder)
    return folder


@pytest.fixture(scope="module")
def config(original: Path) -> FitConfig:
    torch.set_num_threads(1)
    return FitConfig(out=original, weights="none", epochs=2, batch_size=8, device="cpu", seed=3)


@pytest.fixture(scope="module")
def done(original: Path, config: FitConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder after `fit`; tests do not change it."""
    folder = Path(shutil.copytree(original, tmp_path_factory.mktemp("done") / "run"))
    run(replace(config, out=folder))
    return folder


def history(folder: Path) -> list[dict[str, str]]:
    with (folder / "fit/history.csv").open(newline="") as stream:
        return [
            {k: v for k, v in row.items() if k not in {"seconds", "images_per_s"}} for row in csv.DictReader(stream)
        ]


def test_it_leaves_a_model_with_signals_curves_and_a_record(done: Path) -> None:
    checkpoint = load_checkpoint(done / "attentive_model.pth")
    assert has_signals(checkpoint.model)
    assert checkpoint.split_sha256 == load_splits(done).sha256
    record = json.loads((done / "fit.json").read_text())
    assert set(record["outputs"]) == {
        "attentive_model.pth",
        *(f"fit/{n}" for n in ("history.csv", "loss.png", "auc.png", "angles.png")),
    }
    assert record["results"]["variants"][0]["name"] == "fp32"
    assert record["results"]["decision"].keys() >= {"yaw", "gaze_yaw", "closed", "own"}
    assert {*NAMES, "auc", "balanced_accuracy"} <= record["results"]["validation"].keys()
    assert [row["side"] for row in history(done)] == ["128", "160"]
    assert record["results"]["guided"] is True
    assert (done / "fit/guide/history.csv").is_file()
    assert not list((done / "fit").glob("*.ckpt"))


def test_a_finished_training_is_left_alone(done: Path, config: FitConfig, capsys: pytest.CaptureFixture[str]) -> None:
    run(replace(config, out=done))
    assert "done already" in capsys.readouterr().out


@pytest.mark.parametrize("network", ["guide", "model"])
def test_a_killed_training_ends_with_the_same_weights(
    network: str, original: Path, done: Path, config: FitConfig, *, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(original, tmp_path / "run"))
    epoch = Course._epoch

    def killed_in_the_second(course: Course[AttentiveMobileNetV2], learner: object, number: int) -> object:
        if course.file.stem == network and number == 1:
            raise Killed
        return epoch(course, learner, number)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Course, "_epoch", killed_in_the_second)
        with pytest.raises(Killed):
            run(replace(config, out=folder))
    assert not (folder / "fit.json").exists()
    run(replace(config, out=folder))
    assert history(folder) == history(done)
    own, other = (torch.load(each / "attentive_model.pth", weights_only=True) for each in (folder, done))
    for name, value in other["model_state_dict"].items():
        assert torch.equal(own["model_state_dict"][name], value), name


def test_a_checkpoint_of_other_settings_is_not_gone_on_with(
    original: Path,
    config: FitConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(original, tmp_path / "run"))
    with monkeypatch.context() as patch:
        patch.setattr(FacesFit, "_finish", lambda fit, learner: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            run(replace(config, out=folder, epochs=1))
    monkeypatch.setattr(Course, "_epoch", lambda course, learner, number: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        run(replace(config, out=folder, epochs=1, seed=4))
    assert "guide.ckpt is of other settings: starting anew" in capsys.readouterr().out


def test_it_goes_on_from_a_model_that_was_trained_before(
    original: Path, done: Path, config: FitConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(original, tmp_path / "run"))
    begun: dict[str, torch.Tensor] = {}

    def first_weights(course: object, learner: Learner[AttentiveMobileNetV2], number: int) -> None:
        assert learner.hints is None  # who has learnt already needs no guide
        begun.update(learner.model.state_dict())
        raise Killed

    monkeypatch.setattr(Course, "_epoch", first_weights)
    with pytest.raises(Killed):
        run(replace(config, out=folder, init=done / "attentive_model.pth"))
    assert torch.equal(begun["signals.weight"], load_checkpoint(done / "attentive_model.pth").model.signals.weight)


def test_it_trains_for_as_long_as_it_is_told(
    original: Path,
    config: FitConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(original, tmp_path / "run"))
    monkeypatch.setattr(Course, "_epoch", lambda course, learner, number: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        run(replace(config, out=folder, epochs=None, minutes=0.001))
    assert "1 epochs fit into 0.0002 minutes: one takes" in capsys.readouterr().out


def test_the_decision_is_fitted_so_that_half_is_a_good_threshold(original: Path) -> None:
    """A network that knows the answer, but says it two logits too low."""

    class Knowing(AttentiveMobileNetV2):
        def outputs(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            assert self.labels is not None
            own = torch.where(self.labels[: len(images), None] > 0, 1.0, -7.0)
            return own, torch.tensor([[0.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0, -6.0]]).repeat(len(images), 1)

        labels: torch.Tensor | None = None

    feed = small_feed(original, load_splits(original))
    model = Knowing(signals=True).eval()
    batches = list(feed.plain("val", 160))
    model.labels = batches[0].targets.attentive
    monkey = [batches[0]]
    found = answers(model, monkey, torch.device("cpu"))
    feed.plain = lambda part, side, limit=None: iter(monkey)  # type: ignore[method-assign]
    feed.varied = lambda side, epoch, part="train": iter(monkey)  # type: ignore[method-assign]
    decide(model, feed, torch.device("cpu"))
    assert quality(model, found)["balanced_accuracy"] == 1.0
    logits = model.decision(found.own, found.raw).detach().double().numpy().reshape(-1)  # type: ignore[misc]
    assert binary_metrics(found.targets.attentive.numpy().astype(int), sigmoid(logits))["loss"] < 0.3


def test_options_of_the_other_kind_of_run_are_refused(tmp_path: Path, config: FitConfig) -> None:
    with pytest.raises(TrainingFailed, match=r"expected --epochs for a run of rendered people only"):
        run(replace(config, out=tmp_path))
    with pytest.raises(TrainingFailed, match="expected --epochs or --minutes, got both"):
        run(replace(config, minutes=3.0))


def test_pictures_of_another_rule_are_refused(original: Path, config: FitConfig, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(original, tmp_path / "run"))
    meta = json.loads((folder / "pictures/meta.json").read_text())
    (folder / "pictures/meta.json").write_text(json.dumps(meta | {"rule_version": 99}))
    with pytest.raises(TrainingFailed, match=r"labelled by rule 1, got rule 99: run .*prepare.* again, with --faces"):
        run(replace(config, out=folder))


def test_an_odd_batch_has_no_twins(config: FitConfig) -> None:
    with pytest.raises(TrainingFailed, match="expected an even --batch-size, for twins, got 5"):
        run(replace(config, batch_size=5))
