"""The models of a run folder: all are found, each runs, and none is taken that is not what its stage left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.training.made_run import TEMPERATURE, made_original
from training.dataset import read_crops
from training.errors import TrainingFailed
from training.splits import load_splits
from training.variants import Variant, collect_variants, load_scorer, open_scorer, score_all


@pytest.fixture
def run(tiny_original: Path, tmp_path: Path) -> Path:
    """A copy of the whole run."""
    return Path(shutil.copytree(made_original(tiny_original), tmp_path / "run"))


def test_all_models_are_found_in_the_order_of_their_making(tiny_original: Path) -> None:
    variants = collect_variants(made_original(tiny_original))
    names = [variant.name for variant in variants.all]
    assert names == ["fp32", "onnx_fp32", "onnx_int8", "structural_no_ft", "structural_no_ft_onnx_fp32"]
    assert variants.missing == ()
    with pytest.raises(TrainingFailed, match=r"expected one of fp32, .*, got 'best'"):
        variants["best"]


def test_a_stage_that_has_not_run_is_left_out_and_said(run: Path) -> None:
    (run / "prune.json").unlink()
    variants = collect_variants(run)
    assert len(variants.all) == 3
    assert variants.missing == ("prune",)
    (run / "fit.json").unlink()
    with pytest.raises(TrainingFailed, match="record of `fit`"):
        collect_variants(run)


@pytest.mark.parametrize(
    ("name", "runtime", "origin"),
    [
        ("fp32", "torch", "fp32"),
        ("fx_int8_x86", "fx", "fp32"),
        ("onnx_int8", "onnx", "fp32"),
        ("unstructured_ft", "torch", "unstructured_ft"),
        ("structural_ft_onnx_int8", "onnx", "structural_ft"),
        ("structural_no_ft_onnx_fp32", "onnx", "structural_no_ft"),
    ],
)
def test_every_model_knows_the_float_model_it_is_made_from(name: str, runtime: str, origin: str) -> None:
    assert Variant(name, "", runtime, "", 1, "", "stage", "").origin == origin


def test_torch_and_onnx_say_the_same_of_the_same_faces(tiny_original: Path) -> None:
    run = made_original(tiny_original)
    crops = read_crops(run, load_splits(run)["test"])
    variants = collect_variants(run)
    torch, onnx, int8 = (
        score_all(load_scorer(run, variants[name], TEMPERATURE), crops) for name in ("fp32", "onnx_fp32", "onnx_int8")
    )
    assert torch.shape == (len(crops),)
    assert np.ptp(torch) > 0.05
    np.testing.assert_allclose(onnx, torch, atol=1e-4)
    np.testing.assert_allclose(int8, torch, atol=0.35)


def test_the_temperature_draws_probabilities_to_a_half(tiny_original: Path) -> None:
    run = made_original(tiny_original)
    crops = read_crops(run, load_splits(run)["test"][:8])
    cold, warm = (open_scorer("torch", run / "attentive_model.pth", each)(crops) for each in (1.0, 4.0))
    assert (np.abs(warm - 0.5) < np.abs(cold - 0.5)).all()


@pytest.mark.parametrize(("change", "got"), [("other", "other bytes"), ("gone", "no such file")])
def test_a_file_that_is_not_what_its_stage_left_is_refused(run: Path, change: str, got: str) -> None:
    variant = collect_variants(run)["onnx_int8"]
    if change == "other":
        shutil.copy(run / "attentive_fp32.onnx", run / variant.file)
    else:
        (run / variant.file).unlink()
    with pytest.raises(TrainingFailed, match=rf"attentive_int8.onnx as `quantize` left it, got {got}: run .*quantize"):
        load_scorer(run, variant, 1.0)


def test_models_of_an_earlier_checkpoint_are_refused(run: Path) -> None:
    document = json.loads((run / "fit.json").read_text())
    document["outputs"]["attentive_model.pth"] = "1" * 64
    (run / "fit.json").write_text(json.dumps(document))
    with pytest.raises(TrainingFailed, match=r"models of `quantize` .*earlier model: run `edgeattend train quantize"):
        collect_variants(run)


def test_a_record_that_lists_no_models_is_refused(run: Path) -> None:
    document = json.loads((run / "prune.json").read_text())
    document["results"] = {}
    (run / "prune.json").write_text(json.dumps(document))
    with pytest.raises(TrainingFailed, match=r"record of `prune` to list its models, got KeyError\('variants'\)"):
        collect_variants(run)


def test_an_unknown_runtime_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected the runtime torch, fx, onnx .*got 'tflite'"):
        open_scorer("tflite", tmp_path / "model", 1.0)
