"""Weights in half precision: half the bytes, the same answers, and FP32 arithmetic once the file is loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

from peer.perception.runtime import onnxruntime
from training.dataset import read_crops
from training.errors import TrainingFailed
from training.half import LEAST_VALUES, halve_weights
from training.model import load_checkpoint
from training.onnx_model import export_onnx, open_session, probabilities
from training.splits import load_splits


@pytest.fixture(scope="module")
def fp32(tiny_original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("half") / "fp32.onnx"
    export_onnx(load_checkpoint(tiny_original / "attentive_model.pth").model, path, 1.3)
    return path


@pytest.fixture(scope="module")
def half(fp32: Path) -> Path:
    path = fp32.with_name("half.onnx")
    halve_weights(fp32, path)
    return path


def test_the_file_has_half_the_bytes(fp32: Path, half: Path) -> None:
    assert half.stat().st_size < 0.52 * fp32.stat().st_size


def test_it_says_what_fp32_says_but_for_rounding(fp32: Path, half: Path, tiny_original: Path) -> None:
    crops = read_crops(tiny_original, load_splits(tiny_original)["val"])
    expected, found = (probabilities(open_session(path), crops) for path in (fp32, half))
    assert 0 < np.abs(found - expected).max() < 0.01
    assert np.ptp(found) > 0.1


def test_its_outputs_and_input_are_those_of_fp32(fp32: Path, half: Path) -> None:
    whole, halved = onnx.load(fp32).graph, onnx.load(half).graph
    assert (list(halved.input), list(halved.output)) == (list(whole.input), list(whole.output))


def test_small_tensors_keep_every_bit(fp32: Path, half: Path) -> None:
    before, after = ({each.name: each for each in onnx.load(path).graph.initializer} for path in (fp32, half))
    small = [name for name, each in before.items() if numpy_helper.to_array(each).size < LEAST_VALUES]
    assert "model.head.4.weight" in small
    assert all(after[name] == before[name] for name in small)
    assert {each.data_type for name, each in after.items() if name not in small} == {TensorProto.FLOAT16}


def test_a_runtime_computes_in_fp32_from_the_start(half: Path, tmp_path: Path) -> None:
    """The casts are gone once the file is loaded: they cost nothing at each picture."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "loaded.onnx")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 3  # else it says that the file written is for this kind of machine
    onnxruntime.InferenceSession(half, options, providers=["CPUExecutionProvider"])
    loaded = onnx.load(tmp_path / "loaded.onnx").graph
    assert TensorProto.FLOAT16 not in {each.data_type for each in loaded.initializer}
    assert sum(node.op_type == "Cast" for node in loaded.node) == 1, "of the crop's bytes alone"


@pytest.mark.parametrize("value", [7e4, float("nan")])
def test_a_weight_that_half_precision_cannot_hold_is_refused(value: float, fp32: Path, tmp_path: Path) -> None:
    model = onnx.load(fp32)
    tensor = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    values = numpy_helper.to_array(tensor).copy()
    values.flat[0] = value
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, tmp_path / "large.onnx")
    with pytest.raises(TrainingFailed, match=r"expected weights up to 65,504 in large.onnx, got one of (70000|nan)"):
        halve_weights(tmp_path / "large.onnx", tmp_path / "half.onnx")
    assert not (tmp_path / "half.onnx").exists()
