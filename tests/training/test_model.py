"""The network has the reference's size, and a checkpoint comes back as it was saved or is refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from training.dataset import read_crops
from training.errors import TrainingFailed
from training.model import (
    HEAD_PARAMETERS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    PARAMETERS,
    AttentiveMobileNetV2,
    Deployed,
    count,
    load_checkpoint,
    save_checkpoint,
)
from training.splits import load_splits
from training.structural import prune_structural
from training.vision import mobilenet_v2

IMAGES = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 3, 160, 160)).astype(np.float32))


@pytest.fixture(scope="module")
def trained(tiny_original: Path) -> nn.Module:
    """The session's small trained model."""
    return load_checkpoint(tiny_original / "attentive_model.pth").model


@torch.inference_mode()
def logits(model: nn.Module) -> torch.Tensor:
    return model.eval()(IMAGES)


def test_it_has_as_many_parameters_as_the_reference_should_say() -> None:
    model = AttentiveMobileNetV2()
    assert (count(model), count(model.head)) == (PARAMETERS, HEAD_PARAMETERS) == (2_305_921, 82_049)
    assert logits(model).shape == (2, 1)


def test_a_checkpoint_comes_back_as_it_was_saved(trained: nn.Module, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "model.pth", trained, split_sha256="abc", meta={"stage": "fit", "epochs": 3})
    loaded = load_checkpoint(tmp_path / "model.pth")
    assert (loaded.split_sha256, loaded.meta) == ("abc", {"stage": "fit", "epochs": 3})
    assert not loaded.model.training
    assert torch.equal(logits(loaded.model), logits(trained))


def test_the_references_bare_state_dict_loads(trained: nn.Module, tmp_path: Path) -> None:
    torch.save(trained.state_dict(), tmp_path / "model.pth")
    loaded = load_checkpoint(tmp_path / "model.pth")
    assert (loaded.split_sha256, loaded.meta) == (None, {})
    assert torch.equal(logits(loaded.model), logits(trained))


@pytest.mark.parametrize(("ratio", "parameters"), [(0.5, None), (0.9, 30_477)])
def test_a_structurally_pruned_model_comes_back_with_its_own_size(
    trained: nn.Module, tmp_path: Path, ratio: float, parameters: int | None
) -> None:
    pruned = prune_structural(trained, ratio)
    assert count(pruned) == parameters or parameters is None
    save_checkpoint(tmp_path / "pruned.pth", pruned, split_sha256="abc", meta={})
    loaded = load_checkpoint(tmp_path / "pruned.pth").model
    assert count(loaded) == count(pruned) < PARAMETERS
    assert torch.equal(logits(loaded), logits(pruned))
    for layer, original in zip(loaded.modules(), pruned.modules(), strict=True):
        assert repr(layer) == repr(original)  # the numbers that exporters read agree with the weights


OTHERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "plain MobileNetV2": lambda state: mobilenet_v2(weights=None).state_dict(),
    "a layer too many": lambda state: state | {"head.7.weight": torch.zeros(1)},
    "a layer too few": lambda state: {key: value for key, value in state.items() if key != "head.4.bias"},
    "a head that does not fit": lambda state: state | {"head.1.weight": torch.zeros(64, 999)},
    "a flat convolution": lambda state: state | {"backbone.features.0.0.weight": torch.zeros(864)},
    "numbers for tensors": lambda state: dict.fromkeys(state, 3),
    "nothing": lambda state: {},
    "a list": lambda state: [1, 2],
    "a tensor": lambda state: torch.zeros(3),
    "a list for the state": lambda state: {"model_state_dict": [1]},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_a_checkpoint_of_something_else_is_refused(
    trained: nn.Module, tmp_path: Path, other: Callable[[dict[str, Any]], Any]
) -> None:
    torch.save(other(dict(trained.state_dict())), tmp_path / "other.pth")
    with pytest.raises(TrainingFailed, match=r"expected a checkpoint of AttentiveMobileNetV2 at .*other\.pth, got \S"):
        load_checkpoint(tmp_path / "other.pth")


class Trap:
    """What a pickle may do to whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path("trapped").touch, ()


def test_a_file_that_would_run_code_is_refused_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"model_state_dict": Trap()}, "trap.pth")
    with pytest.raises(TrainingFailed, match=r"at trap\.pth, got a file that is damaged or holds more than tensors"):
        load_checkpoint(Path("trap.pth"))
    assert not Path("trapped").exists()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04cut off", b"\x80\x02cut off"])
def test_garbage_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(TrainingFailed, match=r"at .*model\.pth, got a file that is damaged .*: take a copy"):
        load_checkpoint(tmp_path / "model.pth")


def test_half_a_checkpoint_is_refused(trained: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    save_checkpoint(path, trained, split_sha256="", meta={})
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TrainingFailed, match="got a file that is damaged"):
        load_checkpoint(path)


def test_a_missing_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingFailed, match=r"expected a checkpoint .*none\.pth, got: No such file or directory: take"
    ):
        load_checkpoint(tmp_path / "none.pth")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_leaves_the_earlier_checkpoint(trained: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_text("old")
    (tmp_path / f".model.{os.getpid()}.partial.pth").symlink_to("/dev/full")
    with pytest.raises(TrainingFailed, match="expected room on the disk"):
        save_checkpoint(path, trained, split_sha256="", meta={})
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_deployed_is_normalisation_then_the_model_then_temperature_and_sigmoid(
    trained: nn.Module, tiny_original: Path, temperature: float
) -> None:
    crops = read_crops(tiny_original, load_splits(tiny_original)["test"][:4])
    images = (crops / 255.0 - IMAGENET_MEAN) / IMAGENET_STD
    with torch.inference_mode():
        found = Deployed(trained, temperature).eval()(torch.from_numpy(crops)).numpy()
        answer = trained(torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))).numpy().squeeze(1)
    assert found.shape == (4,)
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-answer / temperature)), atol=1e-5)
    assert np.ptp(found) > 0.01  # they are not all the same anyway


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"model_state_dict": 5}, "names with tensors"),
        ({"model_state_dict": {"head.1.weight": torch.zeros(1).expand(64, 10**12)}}, "at most 23,059,210 numbers"),
        ({"model_state_dict": {"head.1.weight": torch.tensor([float("nan")])}}, "finite numbers in head.1.weight"),
        ({"model_state_dict": {}, "split_sha256": 5}, "a split_sha256 of int"),
        ({"model_state_dict": {}, "meta": []}, "a meta of list"),
    ],
)
def test_a_checkpoint_that_no_model_wrote_is_refused(tmp_path: Path, document: dict[str, Any], words: str) -> None:
    torch.save(document, tmp_path / "model.pth")
    with pytest.raises(TrainingFailed, match=rf"expected a checkpoint of .* at .*model\.pth, got .*{words}"):
        load_checkpoint(tmp_path / "model.pth")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.pth")
    with pytest.raises(TrainingFailed, match="a pipe or a device"):
        load_checkpoint(tmp_path / "model.pth")
