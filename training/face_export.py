"""The face detector's file as devices run it, and its card: written aside, run by a peer's own code, then put in
place, for peers and for browsers alike."""

from __future__ import annotations

import hashlib
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from peer.perception.face_model import VIEW_HEIGHT, VIEW_WIDTH, FaceModel
from peer.perception.model_file import open_session
from training.errors import TrainingFailed
from training.face_network import DeployedFaceNetwork, FaceNetwork
from training.files import write_bytes, write_json, writing

MODEL_NAME, CARD_NAME = "face.onnx", "face.json"
INPUT, OUTPUT = "frame", "faces"

OPSET = 17
"""As the attention model."""

PARITY_SCORE, PARITY_PIXELS = 1e-4, 1e-2
"""How far the file may be from torch."""


def export(network: FaceNetwork, path: Path) -> float:
    """Write the file; BatchNorm goes into the weights. Returns the largest difference of a score to torch's.

    Raises `TrainingFailed` when it does not say what torch says.
    """
    deployed = DeployedFaceNetwork(network).cpu().eval()
    frames = np.random.default_rng(0).integers(0, 256, (4, 1, VIEW_HEIGHT, VIEW_WIDTH, 3), np.uint8)
    with writing(path) as aside:
        with warnings.catch_warnings():
            # The exporter that torch prefers needs packages (onnxscript) for what this one does well; torch is pinned.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                deployed,
                (torch.from_numpy(frames[0]),),
                str(aside),
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=[OUTPUT],
            )
        onnx.checker.check_model(str(aside), full_check=True)
        session = open_session(aside, aside.read_bytes())
        found = np.stack([session.run([OUTPUT], {INPUT: frame})[0] for frame in frames])
        with torch.inference_mode():
            wanted = np.stack([deployed(torch.from_numpy(frame)).numpy() for frame in frames])
    score = float(np.abs(found[..., 0] - wanted[..., 0]).max())
    pixels = float(np.abs(found[..., 1:] - wanted[..., 1:]).max())
    if not (score <= PARITY_SCORE and pixels <= PARITY_PIXELS):
        raise TrainingFailed(
            f"expected {path.name} to give torch's scores within {PARITY_SCORE} and boxes within {PARITY_PIXELS}"
            f" pixels, got {score:.2g} and {pixels:.2g} beside them"
        )
    return score


def card_of(data: bytes, threshold: float, more: dict[str, Any]) -> dict[str, Any]:
    """What lies beside the file."""
    return {"threshold": threshold, "sha256": hashlib.sha256(data).hexdigest(), **more}


def place(model: bytes, card: dict[str, Any], folders: Sequence[Path]) -> None:
    """Put both into each of `folders`, once a peer's own code has run them there.

    Raises `TrainingFailed` and `ModelUnavailable`; then that folder is as it was.
    """
    for target in folders:
        try:
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target, prefix=".export.") as name:
                aside = Path(name)
                write_bytes(aside / MODEL_NAME, model)
                write_json(aside / CARD_NAME, card)
                FaceModel(aside / MODEL_NAME)
                (aside / CARD_NAME).replace(target / CARD_NAME)
                (aside / MODEL_NAME).replace(target / MODEL_NAME)
        except OSError as error:
            raise TrainingFailed(
                f"expected to be allowed to write in {target}, got: {error.strerror or error}"
            ) from error
