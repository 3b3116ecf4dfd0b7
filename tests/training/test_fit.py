"""`fit`: what it leaves, and what becomes of a run that is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
import torch

from tests.training.conftest import ROOT
from tests.training.small_fit import command, history, make_small_run, small_config
from training.errors import TrainingFailed
from training.fit import FitConfig, run
from training.model import ARCHITECTURE, HEAD_PARAMETERS, PARAMETERS, AttentiveMobileNetV2, load_checkpoint
from training.splits import load_splits


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As in the processes that are started here: with more threads, sums are rounded otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def unfitted(tiny_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tests do not change it."""
    return make_small_run(tiny_original, tmp_path_factory.mktemp("fit") / "unfitted")


@pytest.fixture(scope="module")
def fitted(unfitted: Path) -> Path:
    """A finished run; tests do not change it."""
    folder = Path(copytree(unfitted, unfitted.with_name("fitted")))
    run(small_config(folder))
    return folder


@pytest.fixture
def small_run(unfitted: Path, tmp_path: Path) -> Path:
    return Path(copytree(unfitted, tmp_path / "small"))


def test_the_model_is_left_with_what_it_was_made_from(fitted: Path) -> None:
    checkpoint = load_checkpoint(fitted / "attentive_model.pth")
    assert checkpoint.split_sha256 == load_splits(fitted).sha256
    assert checkpoint.meta["threshold"] is None
    assert checkpoint.meta["best"]["val_loss"] == min(float(row["val_loss"]) for row in history(fitted))


def test_the_record_counts_parameters_epochs_and_images(fitted: Path) -> None:
    results = json.loads((fitted / "fit.json").read_text())["results"]
    assert results["parameters"] == PARAMETERS
    assert [(stage["stage"], stage["epochs"]) for stage in results["stages"]] == [("head", 1), ("finetune", 2)]
    assert results["stages"][0]["trainable"] == HEAD_PARAMETERS
    assert results["images"] == {"train": 16, "val": 8}
    assert [variant["name"] for variant in results["variants"]] == ["fp32"]


def test_training_lowers_the_loss_and_the_curves_show_every_epoch(fitted: Path) -> None:
    rows = history(fitted)
    assert [(row["stage"], row["epoch"], float(row["lr"])) for row in rows] == [
        ("head", "1", 1e-3), ("finetune", "1", 1e-5), ("finetune", "2", 1e-5),
    ]  # fmt: skip
    assert float(rows[-1]["train_loss"]) < float(rows[0]["train_loss"])
    assert all((fitted / "fit" / f"{measure}.png").stat().st_size > 10_000 for measure in ("loss", "accuracy", "auc"))


def test_batch_normalisation_stays_as_it_was_in_the_references_stages(fitted: Path) -> None:
    start = torch.load(small_config(fitted).weights, weights_only=True)
    backbone = load_checkpoint(fitted / "attentive_model.pth").model.get_submodule("backbone")
    assert all(torch.equal(buffer, start[name]) for name, buffer in backbone.named_buffers())


def test_what_is_done_already_is_left_alone(fitted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (fitted / "attentive_model.pth").stat().st_mtime_ns
    run(small_config(fitted))
    assert "`fit` is done already" in capsys.readouterr().out
    assert (fitted / "attentive_model.pth").stat().st_mtime_ns == before


def test_a_killed_run_goes_on_and_ends_as_if_it_had_not_been(
    fitted: Path, small_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen(command(small_run), cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    for line in killed.stdout:  # one per epoch, after its checkpoint
        if line.startswith("finetune 1/2"):
            killed.send_signal(signal.SIGKILL)
            break
    killed.stdout.close()
    assert killed.wait() == -signal.SIGKILL
    assert not (small_run / "attentive_model.pth").exists()

    run(small_config(small_run))
    assert "going on after finetune epoch 1" in capsys.readouterr().out
    assert history(small_run) == history(fitted)
    resumed, whole = (
        load_checkpoint(folder / "attentive_model.pth").model.state_dict() for folder in (small_run, fitted)
    )
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert not (small_run / "fit" / "last.ckpt").exists()


def leave_behind(folder: Path, **changes: Any) -> Path:
    """A `last.ckpt` as a killed run leaves it, but for `changes`."""
    config, last = small_config(folder, finetune_epochs=0), folder / "fit" / "last.ckpt"
    last.parent.mkdir()
    state = AttentiveMobileNetV2().state_dict()
    document = {"architecture": ARCHITECTURE, "model": state, "settings": config.settings()}
    torch.save(document | {"splits": load_splits(folder).sha256} | changes, last)
    return last


@pytest.mark.parametrize(("what", "other"), [("settings", {"seed": 1}), ("splits", "0123")])
def test_after_a_run_with_other_settings_or_images_it_starts_anew(
    small_run: Path, what: str, other: object, capsys: pytest.CaptureFixture[str]
) -> None:
    leave_behind(small_run, **{what: other})
    run(small_config(small_run, finetune_epochs=0))
    assert f"other {what}: starting anew" in capsys.readouterr().out
    assert [row["stage"] for row in history(small_run)] == ["head"]


def test_force_starts_anew_whatever_a_killed_run_left(small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    leave_behind(small_run).write_bytes(b"no checkpoint")
    run(small_config(small_run, finetune_epochs=0, force=True))
    assert "going on" not in capsys.readouterr().out
    assert [row["stage"] for row in history(small_run)] == ["head"]


@pytest.mark.parametrize(
    "other", [{"architecture": "ResNet"}, {"model": {"conv1.weight": torch.zeros(1)}}], ids=["name", "weights"]
)
def test_a_checkpoint_of_another_architecture_is_refused(small_run: Path, other: dict[str, Any]) -> None:
    last = leave_behind(small_run, **other)
    with pytest.raises(TrainingFailed, match=r"last.ckpt, got another architecture .*delete it"):
        run(small_config(small_run, finetune_epochs=0))
    assert last.is_file()


def test_a_checkpoint_that_cannot_be_read_is_named(small_run: Path) -> None:
    leave_behind(small_run).write_bytes(b"no checkpoint")
    with pytest.raises(TrainingFailed, match=r"expected a checkpoint of `fit` at .*last.ckpt"):
        run(small_config(small_run))


def test_from_scratch_everything_is_trained_before_the_references_stages(small_run: Path) -> None:
    config = FitConfig(out=small_run, weights="none", scratch_epochs=1, head_epochs=1, finetune_epochs=0, workers=0)
    run(config)
    stages = json.loads((small_run / "fit.json").read_text())["results"]["stages"]
    assert [(stage["stage"], stage["trainable"]) for stage in stages] == [
        ("scratch", PARAMETERS), ("head", HEAD_PARAMETERS),
    ]  # fmt: skip
    statistics = load_checkpoint(small_run / "attentive_model.pth").model.state_dict()
    assert statistics["backbone.features.0.1.running_mean"].abs().max() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head_epochs": 0, "finetune_epochs": 0}, "expected at least one epoch"),
        ({"precision": "fp16"}, "expected --precision fp32 or bf16 on a CPU"),
        ({"device": "gpu"}, "expected --device"),
    ],
)
def test_what_cannot_work_is_refused_before_training(small_run: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingFailed, match=message):
        run(small_config(small_run, **changes))


def test_a_weights_file_that_is_not_there_is_named(small_run: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected --weights auto, imagenet, none or a file.*nowhere.pth"):
        run(FitConfig(out=small_run, weights="nowhere.pth"))
    with pytest.raises(TrainingFailed, match=r"expected --init with a checkpoint.*nowhere.pth"):
        run(FitConfig(out=small_run, init=Path("nowhere.pth")))


def test_the_disk_being_full_is_said(small_run: Path) -> None:
    (small_run / "fit").mkdir()
    (small_run / "fit" / f".last.{os.getpid()}.partial.ckpt").symlink_to("/dev/full")
    with pytest.raises(TrainingFailed, match="expected room on the disk"):
        run(small_config(small_run, finetune_epochs=0))
    assert not (small_run / "fit.json").exists()
