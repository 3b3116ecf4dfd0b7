"""AttentiveMobileNetV2: the reference's network, its checkpoints, and the wrapper that a device runs.

MobileNetV2: Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018. The head is the
reference document's, chapter 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from peer.perception.crop import CROP_SIDE
from signaling.files import check_regular
from training.decision import Decision
from training.errors import TrainingFailed
from training.files import check_unpacked, writing
from training.signals import SIGNALS, in_units
from training.vision import mobilenet_v2

PARAMETERS = 2_305_921
HEAD_PARAMETERS = 82_049
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ARCHITECTURE = "AttentiveMobileNetV2"
MODEL_FILE = "attentive_model.pth"
"""In the run folder: the model as trained, from which all others are made."""

MAX_FILE_BYTES = 1 << 30
"""Of tensors in a file: ours have 30 MB with the optimizer's state."""
MAX_NUMBERS = 10 * PARAMETERS
"""In a state dict: a tensor of a few bytes can pass for one of a million million."""

SIGNALS_KEY = "signals.weight"
"""In a state dict: whether the model has signals."""

DARKEST = 0.1
"""Least standard deviation, in units of ImageNet's, that a picture is divided by: below it there is only noise."""


class AttentiveMobileNetV2(nn.Module):
    """(N, 3, 160, 160) float32, normalised by ImageNet's statistics -> (N, 1) logits of "attentive".

    With `signals` it has a linear layer more, which tells where the head and the eyes are turned and how open they
    are (`training.signals`), and decides from that and the reference's own logit (`training.decision`). Such a
    network first takes each picture's own mean and contrast away: rooms and cameras differ more than renderers do.
    """

    def __init__(self, *, signals: bool = False) -> None:
        super().__init__()
        self.backbone = mobilenet_v2(weights=None)
        features = self.backbone.classifier[1].in_features
        self.backbone.classifier = nn.Identity()
        self.head = nn.Sequential(
            nn.Dropout(0.35), nn.Linear(features, 64), nn.ReLU(inplace=True), nn.Dropout(0.25), nn.Linear(64, 1)
        )
        assert (count(self), count(self.head)) == (PARAMETERS, HEAD_PARAMETERS)
        self.signals = nn.Linear(features, len(SIGNALS)) if signals else None
        self.decision = Decision() if signals else None

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        if self.decision is None:
            return self.head(self.backbone(images))  # type: ignore[no-any-return]
        return self.decision(*self.outputs(images))  # type: ignore[no-any-return]

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 1) logits and (N, 8) signals in their units; only where there are signals."""
        assert self.decision is not None
        own, raw = self.outputs(images)
        return self.decision(own, raw), in_units(raw)

    def outputs(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """What is trained: the reference head's (N, 1) logits, and (N, 8) signals as the network has them."""
        assert self.signals is not None
        features = self.backbone(standardised(images))
        return self.head(features), self.signals(features)


def standardised(images: Tensor) -> Tensor:
    """(N, 3, H, W), each with mean 0 and standard deviation 1 over all of it."""
    centred = images - images.mean(dim=(1, 2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(1, 2, 3), keepdim=True) + DARKEST**2).sqrt()


class Deployed(nn.Module):
    """What a device runs, by DESIGN.md's contract: (N, 160, 160, 3) uint8 RGB -> (N,) probability.

    A model with signals gives a second output: (N, 8) in the units of `training.signals`.

    Normalisation, temperature (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017) and sigmoid live
    inside, so that no runtime can do them differently.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, temperature: float = 1.0) -> None:
        super().__init__()
        self.model = model
        self.temperature = temperature
        # For a whole line of pixels: ONNX Runtime works in NHWC here, and broadcasts three numbers ten times slower.
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).repeat(CROP_SIDE), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(IMAGENET_STD).repeat(CROP_SIDE), persistent=False)

    def forward(self, crops: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Probabilities, and signals where the model has them."""
        lines = (crops.reshape(-1, CROP_SIDE, CROP_SIDE * 3).to(torch.float32) - self.mean) / self.std
        images = lines.reshape(-1, CROP_SIDE, CROP_SIDE, 3).permute(0, 3, 1, 2)
        if not has_signals(self.model):
            return self._probabilities(self.model(images))
        logits, signals = self.model.read(images)  # type: ignore[operator]
        return self._probabilities(logits), signals

    def _probabilities(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits.squeeze(1) / self.temperature)


@dataclass(frozen=True)
class Checkpoint:
    """A model and what it was made from. `split_sha256`: of the splits it was trained on."""

    model: nn.Module
    split_sha256: str | None
    meta: dict[str, Any]

    def check_trained_on(self, split_sha256: str, path: Path) -> None:
        """Raise `TrainingFailed` unless the model, which came from `path`, was trained on these very splits."""
        if self.split_sha256 == split_sha256:
            return
        owner = f"of the splits {self.split_sha256[:12]}…" if self.split_sha256 else "that names no splits"
        raise TrainingFailed(
            f"expected {path} to be trained on the splits {split_sha256[:12]}…, got a model {owner}: it may have been"
            " trained on images that are for testing now, and would look better than it is; run `fit` again"
        )


def has_signals(model: nn.Module) -> bool:
    """Whether `model`, of any arithmetic, reads signals beside its logit."""
    return getattr(model, "signals", None) is not None


def count(module: nn.Module) -> int:
    """Parameters, pruned or not."""
    return sum(parameter.numel() for parameter in module.parameters())


def save_checkpoint(path: Path, model: nn.Module, *, split_sha256: str, meta: dict[str, Any]) -> None:
    """Write the state dict in the reference's form, with what belongs to it. Raises `TrainingFailed`."""
    document = {
        "model_state_dict": {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()},
        "architecture": ARCHITECTURE,
        "split_sha256": split_sha256,
        "meta": meta,
    }
    with writing(path) as aside, aside.open("wb") as stream:  # given a path, torch hides that the disk is full
        torch.save(document, stream)


def read_tensors(path: Path, *, what: str, advice: str) -> dict[str, Any]:
    """What torch saved at `path`. Raises `TrainingFailed`: "expected `what` at `path`, got …: `advice`"."""
    try:
        check_regular(path)
        if is_zipfile(path):
            check_unpacked(path, MAX_FILE_BYTES)
        document = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise TrainingFailed(f"expected {what} at {path}, got: {error.strerror or error}: {advice}") from error
    except Exception as error:  # anything; not repeated, since torch's advice is to let the file run code
        raise TrainingFailed(
            f"expected {what} at {path}, got a file that is damaged or holds more than tensors: {advice}"
        ) from error
    if not isinstance(document, dict):
        raise TrainingFailed(f"expected {what} at {path}, got {type(document).__name__}: {advice}")
    return document


def load_checkpoint(path: Path) -> Checkpoint:
    """A float model of this architecture, whole or structurally pruned: the tensors' shapes say which.

    Also takes the reference's own files, which hold the bare state dict. Raises `TrainingFailed`.
    """
    document = read_tensors(
        path, what=f"a checkpoint of {ARCHITECTURE}", advice="take a copy that is whole, or train it again"
    )
    state = document.get("model_state_dict", document)
    split_sha256, meta = document.get("split_sha256"), document.get("meta", {})
    if not isinstance(split_sha256, str | None) or not isinstance(meta, dict):
        raise TrainingFailed(
            f"expected a checkpoint of {ARCHITECTURE} at {path}, got one with a split_sha256 of"
            f" {type(split_sha256).__name__} and a meta of {type(meta).__name__}"
        )
    try:
        check_state(state)
        model = AttentiveMobileNetV2(signals=SIGNALS_KEY in state)
        shrink_to(model, state)
        model.load_state_dict(state)
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, 32, 32))  # whether each layer takes what the one before it gives
    except (RuntimeError, KeyError, AttributeError, TypeError, IndexError, ValueError, MemoryError) as error:
        last = (str(error).splitlines() or [repr(error)])[-1].strip()[:200]
        raise TrainingFailed(
            f"expected a checkpoint of {ARCHITECTURE} at {path}, got another architecture ({last})"
        ) from error
    return Checkpoint(model, split_sha256, meta)


def check_state(state: object) -> None:
    """Raise `TypeError` or `ValueError` unless `state` is a state dict of finite numbers, not too many."""
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise TypeError("expected names with tensors")
    numbers = sum(value.numel() for value in state.values())
    if numbers > MAX_NUMBERS:
        raise ValueError(f"expected at most {MAX_NUMBERS:,} numbers, got {numbers:,}")
    for name, value in state.items():
        if not value.isfinite().all():
            raise ValueError(f"expected finite numbers in {name}")


def shrink_to(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Give each layer of `model` the number of channels that `state` has for it, as structural pruning left them."""
    for name, layer in model.named_modules():
        if isinstance(layer, nn.Conv2d):
            outputs, per_group, *_ = state[f"{name}.weight"].shape
            if layer.groups > 1:  # MobileNetV2 groups only depthwise: one channel each
                layer.groups = outputs
            layer.out_channels, layer.in_channels = outputs, per_group * layer.groups
            layer.weight = nn.Parameter(torch.empty_like(state[f"{name}.weight"]))
        elif isinstance(layer, nn.BatchNorm2d):
            channels = state[f"{name}.weight"].shape[0]
            layer.num_features = channels
            for own in ("weight", "bias"):
                setattr(layer, own, nn.Parameter(torch.empty(channels)))
            layer.running_mean, layer.running_var = torch.empty(channels), torch.empty(channels)
        elif isinstance(layer, nn.Linear):
            layer.out_features, layer.in_features = state[f"{name}.weight"].shape
            layer.weight = nn.Parameter(torch.empty_like(state[f"{name}.weight"]))
            layer.bias = nn.Parameter(torch.empty(layer.out_features))
