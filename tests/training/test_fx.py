"""FX graph mode: both engines follow FP32, a file gives back the model, and qnnpack's wrong clamp is kept out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from training import fx
from training.errors import TrainingFailed
from training.fidelity import compare_logits
from training.fx import ENGINES, QNNPACK, X86, PlainReLU6, QuantizedModel, load_fx, quantize_fx, save_fx
from training.model import load_checkpoint
from training.quantize import normalised, torch_logits
from training.splits import load_splits

FOLLOWS_DB = 5.0
"""The tiny model is calibrated on few images here; what is wrong has 0 dB and less."""

pytestmark = pytest.mark.skipif(
    not set(ENGINES) <= set(torch.backends.quantized.supported_engines), reason="this PyTorch lacks an engine"
)


@pytest.fixture(scope="module")
def model(tiny_original: Path) -> nn.Module:
    return load_checkpoint(tiny_original / "attentive_model.pth").model


@pytest.fixture(scope="module")
def calibrating(tiny_original: Path) -> Tensor:
    return normalised(tiny_original, load_splits(tiny_original)["train"][::20])


@pytest.fixture(scope="module")
def images(tiny_original: Path) -> Tensor:
    return normalised(tiny_original, load_splits(tiny_original)["val"][::4])


@pytest.fixture(scope="module")
def quantized(model: nn.Module, calibrating: Tensor) -> dict[str, QuantizedModel]:
    return {engine: quantize_fx(model, calibrating, engine) for engine in ENGINES}


@pytest.mark.parametrize("engine", ENGINES)
def test_int8_follows_fp32(model: nn.Module, quantized: dict[str, QuantizedModel], images: Tensor, engine: str) -> None:
    fidelity = compare_logits(torch_logits(model, images), torch_logits(quantized[engine], images))
    assert fidelity.sqnr_db > FOLLOWS_DB


@pytest.mark.parametrize("engine", ENGINES)
def test_a_file_gives_back_the_same_logits(
    quantized: dict[str, QuantizedModel], images: Tensor, engine: str, tmp_path: Path
) -> None:
    path = tmp_path / "quantized.pth"
    save_fx(path, quantized[engine], split_sha256="0", meta={"stage": "quantize"})
    assert path.stat().st_size < 3_000_000
    loaded = load_fx(path)
    assert loaded.engine == engine
    np.testing.assert_array_equal(torch_logits(loaded, images), torch_logits(quantized[engine], images))


def test_both_engines_live_in_one_process(quantized: dict[str, QuantizedModel], images: Tensor) -> None:
    before = torch.backends.quantized.engine
    first = {engine: torch_logits(quantized[engine], images[:2]) for engine in ENGINES}
    for engine in reversed(ENGINES):
        np.testing.assert_array_equal(torch_logits(quantized[engine], images[:2]), first[engine])
    assert torch.backends.quantized.engine == before


def test_the_float_model_stays_as_it_was(model: nn.Module, quantized: dict[str, QuantizedModel]) -> None:
    assert quantized
    assert any(isinstance(layer, nn.ReLU6) for layer in model.modules())
    assert not any(isinstance(layer, PlainReLU6) for layer in model.modules())


@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() == "DEFAULT", reason="seen on x86")
def test_qnnpacks_own_clamp_is_still_wrong(
    monkeypatch: pytest.MonkeyPatch, model: nn.Module, calibrating: Tensor, images: Tensor
) -> None:
    """When this fails with a new PyTorch, `PlainReLU6` can go."""
    monkeypatch.setattr(fx, "PlainReLU6", nn.ReLU6)
    broken = quantize_fx(model, calibrating[:4], QNNPACK)
    assert compare_logits(torch_logits(model, images), torch_logits(broken, images)).sqnr_db < FOLLOWS_DB / 2


def test_no_images_are_refused(model: nn.Module, calibrating: Tensor) -> None:
    with pytest.raises(TrainingFailed, match="expected images to calibrate with, got none"):
        quantize_fx(model, calibrating[:0], X86)


def test_an_engine_that_is_not_there_is_named(model: nn.Module, calibrating: Tensor) -> None:
    with pytest.raises(TrainingFailed, match=r"expected a PyTorch with the quantized engine 'abacus', got one with"):
        quantize_fx(model, calibrating, "abacus")


def test_a_float_checkpoint_is_no_quantized_model(tiny_original: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected a quantized AttentiveMobileNetV2 at .*train quantize"):
        load_fx(tiny_original / "attentive_model.pth")


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(TrainingFailed, match=r"expected a quantized AttentiveMobileNetV2 at"):
        load_fx(tmp_path / "broken.pth")
