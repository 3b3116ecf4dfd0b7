"""ONNX files: the contract of a device, torch's probabilities, and INT8 that follows them in few bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Pixels
from peer.perception.model_file import card_path
from training import onnx_model
from training.dataset import read_crops
from training.errors import TrainingFailed
from training.fidelity import compare_logits
from training.files import sha256_of
from training.model import AttentiveMobileNetV2, Deployed, load_checkpoint
from training.onnx_model import METHODS, Calibrated, export_onnx, logits, open_session, probabilities, quantize_onnx
from training.splits import load_splits

TEMPERATURE = 1.7
INT8_BYTES = 2_700_000


@pytest.fixture(scope="module")
def model(tiny_original: Path) -> torch.nn.Module:
    return load_checkpoint(tiny_original / "attentive_model.pth").model


@pytest.fixture(scope="module")
def fp32(model: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "attentive_fp32.onnx"
    export_onnx(model, path, TEMPERATURE)
    return path


@pytest.fixture(scope="module")
def quantized(fp32: Path, tiny_original: Path) -> tuple[Path, Calibrated]:
    path = fp32.with_name("attentive_int8.onnx")
    return path, quantize_onnx(fp32, path, read_crops(tiny_original, load_splits(tiny_original)["train"][::16]))


@pytest.fixture(scope="module")
def crops(tiny_original: Path) -> Pixels:
    return read_crops(tiny_original, load_splits(tiny_original)["val"])


def given_a_card(path: Path) -> Path:
    """A model as the peer takes it."""
    card = {"crop_scale": 1.0, "threshold": 0.5, "sha256": sha256_of(path)}
    card_path(path).write_text(json.dumps(card))
    return path


@pytest.mark.parametrize("kind", ["fp32", "int8"])
def test_a_participants_classifier_loads_and_scores_it(
    fp32: Path, quantized: tuple[Path, Calibrated], crops: Pixels, kind: str
) -> None:
    path = {"fp32": fp32, "int8": quantized[0]}[kind]
    classifier = AttentionClassifier(given_a_card(path))
    session = open_session(path)
    assert [session.get_inputs()[0].name, session.get_outputs()[0].name] == ["face", "attentive"]
    one, five = probabilities(session, crops[:1]), probabilities(session, crops[:5])
    assert (one.shape, five.shape) == ((1,), (5,))
    assert classifier.score(crops[0]) == pytest.approx(float(one[0]), abs=1e-6)
    assert five[0] == pytest.approx(float(one[0]), abs=1e-6)


def test_the_exported_file_says_what_torch_says(model: torch.nn.Module, fp32: Path, crops: Pixels) -> None:
    with torch.inference_mode():
        expected = Deployed(model, TEMPERATURE)(torch.from_numpy(crops)).numpy()
    assert np.abs(probabilities(open_session(fp32), crops) - expected).max() < 1e-4


def test_normalisation_stays_off_the_slow_path(fp32: Path) -> None:
    """Broadcast over three channels that lie innermost it takes a third of the INT8 model's time."""
    shapes = [list(tensor.dims) for tensor in graph_constants(fp32)]
    assert [480] in shapes
    assert [1, 3, 1, 1] not in shapes


def graph_constants(path: Path) -> list[onnx.TensorProto]:
    """Tensors that are nodes of their own."""
    nodes = onnx.load(path).graph.node
    return [node.attribute[0].t for node in nodes if node.op_type == "Constant"]


def test_the_temperature_is_inside(model: torch.nn.Module, fp32: Path, tmp_path: Path, crops: Pixels) -> None:
    export_onnx(model, tmp_path / "plain.onnx")
    plain = logits(tmp_path / "plain.onnx", crops)
    assert np.abs(plain).max() > 1
    np.testing.assert_allclose(logits(fp32, crops) * TEMPERATURE, plain, atol=1e-4)
    np.testing.assert_allclose(probabilities(open_session(fp32), crops), 1 / (1 + np.exp(-plain / TEMPERATURE)), 1e-4)


def test_batch_normalisation_is_in_the_weights(fp32: Path) -> None:
    assert "BatchNormalization" not in {node.op_type for node in onnx.load(fp32).graph.node}


def test_a_model_that_changes_between_runs_is_not_exported(tmp_path: Path) -> None:
    class Moody(AttentiveMobileNetV2):
        """Gives something else each time it is asked."""

        calls = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            Moody.calls += 1
            return super().forward(images) + float(Moody.calls)

    with pytest.raises(TrainingFailed, match=r"expected .*onnx to give torch's probabilities within"):
        export_onnx(Moody().eval(), tmp_path / "moody.onnx")
    assert not list(tmp_path.iterdir())


def test_int8_follows_fp32(fp32: Path, quantized: tuple[Path, Calibrated], crops: Pixels) -> None:
    path, calibrated = quantized
    fidelity = compare_logits(logits(fp32, crops), logits(path, crops))
    assert not fidelity.faults
    assert calibrated.sqnr_db.keys() == METHODS.keys()
    assert calibrated.sqnr_db[calibrated.method] == max(calibrated.sqnr_db.values())


def test_int8_is_small_and_of_the_fast_types(quantized: tuple[Path, Calibrated]) -> None:
    assert quantized[0].stat().st_size <= INT8_BYTES
    graph = onnx.load(quantized[0]).graph
    types = {tensor.name: tensor.data_type for tensor in graph.initializer}
    weights = [
        types[node.input[0]] for node in graph.node if node.op_type == "DequantizeLinear" and node.input[0] in types
    ]
    activations = [types[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert set(weights) == {onnx.TensorProto.INT8, onnx.TensorProto.INT32}  # INT32: biases
    assert weights.count(onnx.TensorProto.INT8) == 53
    assert set(activations) == {onnx.TensorProto.UINT8}


def test_one_crop_is_enough_to_calibrate_and_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, fp32: Path, tmp_path: Path, crops: Pixels
) -> None:
    monkeypatch.setattr(onnx_model, "METHODS", {"min-max": METHODS["min-max"]})
    quantize_onnx(fp32, tmp_path / "one.onnx", crops[:1])
    assert probabilities(open_session(tmp_path / "one.onnx"), crops[:2]).shape == (2,)
    with pytest.raises(TrainingFailed, match="expected crops to calibrate with, got none"):
        quantize_onnx(fp32, tmp_path / "none.onnx", crops[:0])
    assert not (tmp_path / "none.onnx").exists()
