"""What the network starts from: ImageNet's weights, those of a file, or none."""

from __future__ import annotations

from http.client import HTTPException
from pathlib import Path
from typing import Any

from training.errors import TrainingFailed
from training.model import ARCHITECTURE, AttentiveMobileNetV2, read_tensors
from training.vision import MobileNet_V2_Weights

IMAGENET = MobileNet_V2_Weights.IMAGENET1K_V1
"""Of torchvision's two sets the older one, 71.9 % on ImageNet, as `pretrained=True` gave it to the reference."""


def available() -> tuple[str, str]:
    """What `--weights auto` means here, "imagenet" or "none", and a sentence of warning for the latter."""
    try:
        _downloaded()
    except TrainingFailed as error:
        return "none", f"warning: training from scratch, which takes longer and needs more images; {error.message}"
    return "imagenet", ""


def start_from(model: AttentiveMobileNetV2, weights: str) -> None:
    """Put the weights that `--weights` names into `model`.

    A file is a state dict of torchvision's mobilenet_v2 (its classifier is left out), or one of our checkpoints
    (taken whole, with its head). Raises `TrainingFailed`.
    """
    if weights == "none":
        return
    if weights == "imagenet":
        state = _downloaded()
    else:
        document = read_tensors(Path(weights), what="weights", advice="take --weights imagenet, none or another file")
        state = document.get("model_state_dict", document)
    try:
        if any(name.startswith("features.") for name in state):
            backbone = {name: value for name, value in state.items() if not name.startswith("classifier.")}
            model.backbone.load_state_dict(backbone)
        else:
            model.load_state_dict(state)
    except (RuntimeError, AttributeError, TypeError) as error:  # also where it is no state dict at all
        first = str(error).splitlines()[-1].strip()[:200]
        raise TrainingFailed(
            f"expected weights of mobilenet_v2 or {ARCHITECTURE} in {weights}, got another architecture ({first})"
        ) from error


def _downloaded() -> dict[str, Any]:
    try:
        return IMAGENET.get_state_dict(progress=False, check_hash=True)  # type: ignore[no-any-return]
    except (OSError, HTTPException, RuntimeError) as error:  # the last one is a hash that does not fit
        raise TrainingFailed(
            f"expected to download the ImageNet weights, got: {error}: take --weights FILE, a state dict of"
            " torchvision's mobilenet_v2 that was downloaded elsewhere, or --weights none to train from scratch"
        ) from error
