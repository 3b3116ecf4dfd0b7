"""--weights: what the network starts from, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import pytest
import torch

from training.errors import TrainingFailed
from training.model import AttentiveMobileNetV2
from training.weights import available, start_from


@pytest.fixture
def model() -> AttentiveMobileNetV2:
    return AttentiveMobileNetV2()


def snapshot(model: torch.nn.Module) -> dict[str, Any]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_none_leaves_the_network_as_it_is(model: AttentiveMobileNetV2) -> None:
    before = snapshot(model)
    start_from(model, "none")
    assert same(before, snapshot(model))


def test_a_checkpoint_of_ours_is_taken_whole(model: AttentiveMobileNetV2, tiny_original: Path) -> None:
    file = tiny_original / "attentive_model.pth"
    start_from(model, str(file))
    assert same(torch.load(file, weights_only=True)["model_state_dict"], snapshot(model))


def test_of_torchvisions_file_the_classifier_is_left_out(model: AttentiveMobileNetV2, tmp_path: Path) -> None:
    other = AttentiveMobileNetV2()
    state = other.backbone.state_dict() | {"classifier.1.weight": torch.zeros(1000, 1280)}
    torch.save(state, tmp_path / "mobilenet_v2.pth")
    head = snapshot(model.head)
    start_from(model, str(tmp_path / "mobilenet_v2.pth"))
    assert same(other.backbone.state_dict(), snapshot(model.backbone))
    assert same(head, snapshot(model.head))


@pytest.mark.parametrize(
    "state", [{"features.0.0.weight": torch.zeros(3)}, {"conv1.weight": torch.zeros(64, 3, 7, 7)}, {}]
)
def test_another_architecture_is_refused(model: AttentiveMobileNetV2, tmp_path: Path, state: dict[str, Any]) -> None:
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(TrainingFailed, match=r"expected weights of mobilenet_v2 or .* got another architecture"):
        start_from(model, str(tmp_path / "other.pth"))


def test_what_is_no_file_of_weights_is_refused(model: AttentiveMobileNetV2, tmp_path: Path) -> None:
    (tmp_path / "text.pth").write_text("no weights")
    torch.save([1, 2], tmp_path / "list.pth")
    for name, message in (
        ("missing.pth", "No such file"),
        ("text.pth", "text.pth, got a file that is damaged .*: take --weights"),
        ("list.pth", "got list"),
    ):
        with pytest.raises(TrainingFailed, match=message):
            start_from(model, str(tmp_path / name))


def test_without_a_network_imagenet_says_what_else_to_take(
    model: AttentiveMobileNetV2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    with pytest.raises(TrainingFailed, match=r"ImageNet.*Name or service not known.*--weights FILE.*--weights none"):
        start_from(model, "imagenet")


def test_auto_means_from_scratch_where_nothing_can_be_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", no_network)
    choice, warning = available()
    assert choice == "none"
    assert warning.startswith("warning: training from scratch")
    assert "Name or service not known" in warning
