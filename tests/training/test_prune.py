"""The stage `prune`, from a trained model to the best of each series, killed once on its way."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from signaling.errors import ConfigInvalid
from training.cells import Cells, Recovery
from training.dataset import read_crops
from training.errors import TrainingFailed
from training.model import Deployed, count, load_checkpoint, save_checkpoint
from training.onnx_model import open_session, probabilities
from training.prune import PruneConfig, describe, parse_ratios, run
from training.splits import PARTS, load_splits, save_splits
from training.tradeoff import Method
from training.unstructured import sparsity

pytestmark = pytest.mark.timeout(300)  # the first test waits for a whole run, with ONNX files, on a busy machine

BEST = {
    "unstructured_no_ft": "best_unstructured_pruned_no_ft_90.pth",
    "unstructured_ft": "best_unstructured_pruned_ft_90.pth",
    "structural_no_ft": "best_struct_pruned_no_ft_90.pth",
    "structural_ft": "best_struct_pruned_ft_90.pth",
    "structural_no_ft_onnx_fp32": "best_struct_pruned_no_ft_90_fp32.onnx",
    "structural_no_ft_onnx_int8": "best_struct_pruned_no_ft_90_int8.onnx",
    "structural_ft_onnx_fp32": "best_struct_pruned_ft_90_fp32.onnx",
    "structural_ft_onnx_int8": "best_struct_pruned_ft_90_int8.onnx",
}
OTHER_FILES = (
    "prune/unstructured.csv",
    "prune/structural.csv",
    "prune/unstruct_pruning_tradeoff_graph.png",
    "prune/struct_pruning_tradeoff_graph.png",
    "prune/report.md",
)


class Killed(BaseException):
    """As Ctrl-C: nothing catches it."""


def record_cells(monkeypatch: pytest.MonkeyPatch, *, until: Method | None = None) -> list[Method]:
    """The methods of the cells that are made from now on; `until` is killed before it starts."""
    made: list[Method] = []
    make = Cells.make

    def recording(cells: Cells, method: Method, ratio: float):
        if method is until:
            raise Killed
        made.append(method)
        return make(cells, method, ratio)

    monkeypatch.setattr(Cells, "make", recording)
    return made


@pytest.fixture(scope="module")
def small_run(tiny_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every tenth image of `tiny_run`, and its model as if it had been trained on these."""
    folder = Path(shutil.copytree(tiny_original, tmp_path_factory.mktemp("prune") / "run"))
    splits = load_splits(folder)
    fewer = save_splits(
        folder, {part: splits[part][:: 10 if part == "train" else 4] for part in PARTS}, splits.settings
    )
    model = load_checkpoint(folder / "attentive_model.pth").model
    save_checkpoint(folder / "attentive_model.pth", model, split_sha256=fewer.sha256, meta={})
    return folder


@pytest.fixture(scope="module")
def config(small_run: Path) -> PruneConfig:
    return PruneConfig(out=small_run, ratios=(0.9,), finetune_epochs=1, device="cpu", workers=0)


@pytest.fixture(scope="module")
def made_after_kill(config: PruneConfig) -> list[Method]:
    """Run `prune` to its end, killed once at its second cell; the cells that the second start made."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        record_cells(monkeypatch, until=Method.STRUCTURAL)
        with pytest.raises(Killed):
            run(config)
        assert not (config.out / "prune.json").exists()
        assert not list(config.out.glob("best_*"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = record_cells(monkeypatch)
        run(config)
    return made


@pytest.fixture
def done(made_after_kill: list[Method], config: PruneConfig) -> Path:
    """The run folder after `prune`; tests do not change it."""
    assert made_after_kill
    return config.out


def test_a_killed_command_goes_on_with_the_cells_that_are_missing(made_after_kill: list[Method]) -> None:
    assert made_after_kill == [Method.STRUCTURAL]


def test_it_leaves_models_tables_graphs_and_a_record(done: Path) -> None:
    record = json.loads((done / "prune.json").read_text())
    assert {entry["name"]: entry["file"] for entry in record["results"]["variants"]} == BEST
    assert set(record["outputs"]) == {*BEST.values(), *OTHER_FILES}
    assert all((done / file).is_file() for file in record["outputs"])
    assert not list((done / "prune/cells").glob("*.pth"))


def test_the_best_unstructured_models_are_sparse_before_and_after_fine_tuning(done: Path) -> None:
    models = {name: load_checkpoint(done / BEST[name]).model for name in ("unstructured_no_ft", "unstructured_ft")}
    assert all(sparsity(model) == pytest.approx(0.9, abs=1e-3) for model in models.values())
    first, second = (model.head[1].weight for model in models.values())
    assert not first.equal(second)


def test_the_best_structural_models_have_the_references_size(done: Path) -> None:
    for name in ("structural_no_ft", "structural_ft"):
        checkpoint = load_checkpoint(done / BEST[name])
        assert count(checkpoint.model) == 30_477
        assert checkpoint.split_sha256 == load_splits(done).sha256


def test_the_onnx_files_say_what_their_checkpoint_says(done: Path) -> None:
    crops = read_crops(done, load_splits(done)["val"])
    fp32, int8 = (
        probabilities(open_session(done / BEST[f"structural_ft_onnx_{kind}"]), crops) for kind in ("fp32", "int8")
    )
    assert fp32.shape == (len(crops),)
    assert np.abs(fp32 - int8).max() < 0.1
    deployed = Deployed(load_checkpoint(done / BEST["structural_ft"]).model)
    assert np.array_equal(
        fp32 > 0.5, deployed(torch.from_numpy(crops)).detach().numpy() > 0.5
    )  # whatever the temperature


def test_a_finished_stage_is_left_alone(
    done: Path, config: PruneConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = record_cells(monkeypatch)
    run(config)
    assert not made
    assert "done already" in capsys.readouterr().out


@pytest.mark.parametrize("change", [{"learning_rate": 1e-3}, {"force": True}])
def test_cells_are_made_again_when_asked_to_or_with_other_settings(
    done: Path, config: PruneConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, float]
) -> None:
    copy = Path(shutil.copytree(done, tmp_path / "run"))
    record_cells(monkeypatch, until=Method.UNSTRUCTURED)
    with pytest.raises(Killed):
        run(replace(config, out=copy, **change))
    assert not (copy / "prune.json").exists()


def test_a_deleted_checkpoint_is_made_again_when_it_is_wanted(done: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(done, tmp_path / "run"))
    cells = Cells(copy, load_splits(copy), Recovery(epochs=1), device=torch.device("cpu"), workers=0)
    before, _ = cells.finished(Method.STRUCTURAL, 0.9) or ()
    assert count(load_checkpoint(cells.checkpoint(before)).model) == 30_477


def test_a_model_of_other_splits_is_refused(tiny_run: Path, config: PruneConfig) -> None:
    model = load_checkpoint(tiny_run / "attentive_model.pth").model
    save_checkpoint(tiny_run / "attentive_model.pth", model, split_sha256="0" * 64, meta={})
    with pytest.raises(
        TrainingFailed, match=r"trained on the splits .*got a model of the splits 000000000000.*run `fit` again"
    ):
        run(replace(config, out=tiny_run))


def test_a_run_without_a_model_is_refused(tiny_run: Path, config: PruneConfig) -> None:
    (tiny_run / "attentive_model.pth").unlink()
    with pytest.raises(TrainingFailed, match=r"attentive_model.pth.*run the stages before"):
        run(replace(config, out=tiny_run))


def test_too_short_a_fine_tuning_is_called_so() -> None:
    assert describe(Recovery(), 7000) == "3 epochs of Adam at 5e-05, 657 steps in all."
    assert "15 steps in all. That is little" in describe(Recovery(), 152)
    assert "--finetune-epochs 60 or" in describe(Recovery(), 152)


def test_ratios_are_read_in_rising_order() -> None:
    assert parse_ratios("0.9, 0.3,0.29") == (0.29, 0.3, 0.9)
    assert parse_ratios(None) == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert parse_ratios(None, quick=True) == (0.3, 0.6, 0.9)
    assert parse_ratios("0.5", quick=True) == (0.5,)


@pytest.mark.parametrize(
    "text", ["0", "1", "0.3,1.0", "-0.1", "abc", "", "0.3,", "0.3,0.3", "0.3,0.30", "nan", "0.125"]
)
def test_bad_ratios_are_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"expected --ratios between 0 and 1"):
        parse_ratios(text)
