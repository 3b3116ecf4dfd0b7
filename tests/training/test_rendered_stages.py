"""Every stage after `fit` works on a model with signals: files carry them, and browsers and peers get the same one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from peer.perception.classifier import AttentionClassifier
from peer.perception.signals import SIGNAL_NAMES
from tests.training.made_run import listed, record, write_comparison
from tests.training.pictures_run import make_pictures_run
from training import cells, export, onnx_model, prune, quantize
from training.calibration import Calibration, save_calibration
from training.cells import Cells, Recovery
from training.dataset import read_crops
from training.export import ExportConfig
from training.files import sha256_of
from training.fx import load_fx
from training.images import read_crop
from training.model import (
    HEAD_PARAMETERS,
    PARAMETERS,
    AttentiveMobileNetV2,
    Deployed,
    count,
    has_signals,
    load_checkpoint,
    save_checkpoint,
    standardised,
)
from training.onnx_model import open_session, probabilities, signals_of
from training.prune import PruneConfig
from training.quantize import QuantizeConfig, normalised, torch_logits, torch_signals
from training.signals import NAMES
from training.splits import load_splits
from training.structural import prune_structural
from training.tradeoff import Method
from training.variants import collect_variants, load_scorer

MODEL = "attentive_model.pth"
INT8_BYTES = 2_700_000
SIGNALS_PARAMETERS = 8 * 1280 + 8


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a model that has learnt nothing, but whose BatchNorms have seen the pictures."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("stages") / "run"
    splits = make_pictures_run(folder)
    model = AttentiveMobileNetV2(signals=True)
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = None  # statistics of all that was seen
    with torch.no_grad():
        model.train().outputs(normalised(folder, splits["train"]))
    save_checkpoint(folder / MODEL, model, split_sha256=splits.sha256, meta={})
    record(folder, "fit", [listed("fp32", "FP32", MODEL, parameters=count(model))], inputs=[])
    save_calibration(folder, Calibration(1.4, 0.5), split_sha256=splits.sha256, validation={})
    return folder


@pytest.fixture(scope="module")
def model(made: Path) -> AttentiveMobileNetV2:
    found = load_checkpoint(made / MODEL).model
    assert isinstance(found, AttentiveMobileNetV2)
    return found


@pytest.fixture(scope="module")
def images(made: Path) -> torch.Tensor:
    return normalised(made, load_splits(made)["val"])


@pytest.fixture(scope="module")
def quantized(made: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_model, "METHODS", {"min-max": onnx_model.METHODS["min-max"]})
        quantize.run(QuantizeConfig(made, calibration_images=8))
    return made


@pytest.fixture(scope="module")
def pruned(quantized: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_model, "METHODS", {"min-max": onnx_model.METHODS["min-max"]})
        prune.run(PruneConfig(quantized, ratios=(0.9,), finetune_epochs=1, device="cpu", workers=0))
    return quantized


def test_signals_are_one_small_layer_on_the_references_network(model: AttentiveMobileNetV2) -> None:
    assert count(model) == PARAMETERS + SIGNALS_PARAMETERS
    assert count(model.head) == HEAD_PARAMETERS
    assert not has_signals(AttentiveMobileNetV2())


@torch.no_grad()
def test_forward_is_the_decision_that_read_gives_with_the_signals(
    model: AttentiveMobileNetV2, images: torch.Tensor
) -> None:
    logits, signals = model.read(images)
    assert (logits.shape, signals.shape) == ((len(images), 1), (len(images), len(NAMES)))
    assert torch.equal(model(images), logits)


def test_another_exposure_is_the_same_picture() -> None:
    picture = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(standardised(0.5 * picture - 0.7), standardised(picture), atol=0.1, rtol=0)
    flat = standardised(torch.full((1, 3, 8, 8), -2.0))
    assert flat.abs().max() < 1e-3  # and not noise blown up


def test_a_pruned_model_keeps_its_signals(model: AttentiveMobileNetV2, images: torch.Tensor, tmp_path: Path) -> None:
    pruned = prune_structural(model, 0.9)
    save_checkpoint(tmp_path / "pruned.pth", pruned, split_sha256="", meta={})
    loaded = load_checkpoint(tmp_path / "pruned.pth").model
    assert count(loaded) < 0.02 * PARAMETERS
    np.testing.assert_array_equal(torch_signals(loaded, images), torch_signals(pruned, images))


def test_onnx_files_have_a_second_output_that_says_what_torch_says(
    quantized: Path, model: AttentiveMobileNetV2
) -> None:
    crops = read_crops(quantized, load_splits(quantized)["val"])
    with torch.inference_mode():
        expected, signals = Deployed(model, 1.4)(torch.from_numpy(crops))
    session = open_session(quantized / "attentive_fp32.onnx")
    assert [output.name for output in session.get_outputs()] == ["attentive", "signals"]
    np.testing.assert_allclose(signals_of(session, crops), signals.numpy(), atol=0.1)
    np.testing.assert_allclose(probabilities(session, crops), expected.numpy(), atol=2e-3)
    assert np.ptp(signals_of(session, crops), axis=0)[:2].min() > 0.01
    int8 = open_session(quantized / "attentive_int8.onnx")
    assert [output.name for output in int8.get_outputs()] == ["attentive", "signals"]
    assert (quantized / "attentive_int8.onnx").stat().st_size <= INT8_BYTES


def test_each_file_tells_how_its_signals_follow_fp32(quantized: Path) -> None:
    found = json.loads((quantized / "quantize.json").read_text())["results"]["signals"]
    assert found["onnx_fp32"].keys() == set(NAMES)
    assert found["onnx_fp32"]["yaw"]["max_difference"] < 0.1
    assert found["onnx_int8"]["yaw"]["correlation"] > 0.5
    report = (quantized / "quantize/report.md").read_text()
    assert "The signals beside FP32's" in report


def test_an_fx_file_gives_back_decision_and_signals(
    quantized: Path, model: AttentiveMobileNetV2, images: torch.Tensor
) -> None:
    record = json.loads((quantized / "quantize.json").read_text())
    for name in (entry["file"] for entry in record["results"]["variants"] if entry["runtime"] == "fx"):
        loaded = load_fx(quantized / name)
        assert has_signals(loaded)
        heads = loaded.graph.state_dict()
        for own in ("signals.weight", "head.1.weight", "decision.scales"):  # in float, as they were
            assert torch.equal(heads[own], model.state_dict()[own])
        assert np.isfinite(torch_signals(loaded, images)).all()
        assert torch_logits(loaded, images).shape == (len(images),)


def test_every_variant_scores_crops(pruned: Path) -> None:
    crops = read_crops(pruned, load_splits(pruned)["val"][:2])
    variants = collect_variants(pruned).all
    assert {"structural_ft", "structural_ft_onnx_fp32", "structural_ft_onnx_int8"} <= {each.name for each in variants}
    for variant in variants:
        assert load_scorer(pruned, variant, 1.0)(crops).shape == (2,), variant.name


def test_pruned_models_recover_on_signals_under_the_full_model(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taught: list[tuple[int, int, float]] = []

    def recovered(pruned: torch.nn.Module, teacher: torch.nn.Module, *_: object, **options: float) -> None:
        taught.append((count(pruned), count(teacher), options["learning_rate"]))

    monkeypatch.setattr(cells, "recover", recovered)
    splits = load_splits(made)
    Cells(made, splits, Recovery(1, 1e-3), device=torch.device("cpu"), workers=0).make(Method.STRUCTURAL, 0.8)
    ((few, all_of_them, rate),) = taught
    assert few < 0.1 * all_of_them == pytest.approx(0.1 * (PARAMETERS + SIGNALS_PARAMETERS))
    assert rate == 1e-3


def test_both_files_go_where_they_run_and_their_cards_name_the_signals(
    quantized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "MIN_AGREEMENT", 0.0)
    write_comparison(quantized, fp32=0.9, onnx_int8=0.9)
    export.run(ExportConfig(quantized, to=tmp_path / "peer", browser_to=tmp_path / "static"))
    crop = read_crop(quantized / load_splits(quantized)["test"][0].file)
    readings = []
    for path in (tmp_path / "peer/attention.onnx", tmp_path / "static/attention.onnx"):
        card = json.loads(path.with_suffix(".json").read_text())
        assert card["signals"] == list(SIGNAL_NAMES)
        assert "rule 1" in card["label"]
        assert card["trained_on"]["data"] == "rendered people"
        readings.append(AttentionClassifier(path).look(crop))
        assert readings[-1].signals is not None
    told = AttentionClassifier(with_card(quantized / "attentive_fp32.onnx", card)).look(crop)
    assert readings[1].score == pytest.approx(told.score, abs=0.01)
    text = (quantized / "model-card.md").read_text()
    assert "second output" in text.lower()
    assert "The labels are a rule on head, gaze and lids" in text and "opinions of ten-second clips" not in text


def with_card(model: Path, card: dict[str, object]) -> Path:
    """`model` as a participant takes it, with another's card."""
    model.with_suffix(".json").write_text(json.dumps(card | {"sha256": sha256_of(model)}))
    return model
