"""The attentiveness model in ONNX Runtime, held to the contract of DESIGN.md section 4 and to nothing more.

First input (N, 160, 160, 3) uint8 RGB, first output (N,) float probability, and a card `<model>.json` beside it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import onnxruntime

from peer.perception.crop import CROP_SIDE, Pixels
from signaling.errors import ModelUnavailable

SILENT = 4
"""ONNX Runtime's log severity: fatal errors only, since every other one comes back as an exception."""


class ModelCard(msgspec.Struct, frozen=True):
    """What the peer needs of the card; other fields are for people."""

    crop_scale: Annotated[float, msgspec.Meta(gt=0.0, le=10.0)]
    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    sha256: str


class AttentionClassifier:
    """One loaded model. Raises `ModelUnavailable`, naming what was expected and what came, if it cannot work."""

    def __init__(self, path: Path) -> None:
        data = _read(path)
        self.card = _read_card(path)
        digest = hashlib.sha256(data).hexdigest()
        if digest != self.card.sha256.lower():
            raise ModelUnavailable(
                f"expected {path} with the sha256 of its card, {self.card.sha256[:12]}…, got {digest[:12]}…:"
                " the file is damaged, or the card belongs to another model"
            )
        self._session = open_session(path, data)
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name
        _check_signature(path, self._session)
        self._check_trial(path)

    def score(self, crop: Pixels) -> float:
        """The probability, 0..1, that the person of `crop`, (160, 160, 3) uint8 RGB, is attentive."""
        (scores,) = self._session.run([self._output], {self._input: crop[np.newaxis]})
        return float(scores[0])

    def _check_trial(self, path: Path) -> None:
        """Run once: a graph can have the right signature and still fail, and the first run is the slow one."""
        blank = np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8)
        try:
            (scores,) = self._session.run([self._output], {self._input: blank[np.newaxis]})
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            raise ModelUnavailable(f"expected {path} to run on one crop, got: {_first_line(error)}") from error
        if scores.shape != (1,) or not 0.0 <= float(scores[0]) <= 1.0:  # also false for NaN
            raise ModelUnavailable(
                f"expected {path} to give one probability, shape (1,) in 0..1, got shape {scores.shape}: {scores!r:.60}"
            )


def card_path(model: Path) -> Path:
    """Where the card of `model` lies."""
    return model.with_suffix(".json")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"expected a model file at {path}, got: {error.strerror or error}") from error


def _read_card(path: Path) -> ModelCard:
    card = card_path(path)
    try:
        return msgspec.json.decode(_read(card), type=ModelCard)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ModelUnavailable(
            f"expected a model card with crop_scale, threshold and sha256 at {card}, got: {error}"
        ) from error


def open_session(path: Path, data: bytes) -> Any:
    """An ONNX Runtime session as a participant has it; `path` is for the error. Raises `ModelUnavailable`."""
    options = onnxruntime.SessionOptions()
    # One thread without spinning: at 2-3 ms per image more threads cost more than they save, and on a busy
    # machine the whole meeting waits for those that spin.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if _saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = SILENT
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise ModelUnavailable(f"expected an ONNX model in {path}, got: {_first_line(error)}") from error


def _saturates() -> bool:
    """Whether this CPU is an x86 without VNNI: it adds up pairs of U8 x S8 products in 16 bits, which overflow.

    ONNX Runtime then computes exactly, at a price, if it is told to: INT8 follows FP32 at 21 dB instead of 16 on an
    emulated Haswell. With VNNI the plain way is exact and twice as fast. Only Linux says what the CPU has.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "vnni")
    return "vnni" not in flags


def _check_signature(path: Path, session: Any) -> None:
    given, result = session.get_inputs()[0], session.get_outputs()[0]
    if given.type != "tensor(uint8)" or len(given.shape) != 4 or given.shape[1:] != [CROP_SIDE, CROP_SIDE, 3]:
        raise ModelUnavailable(
            f"expected {path} to take (N, {CROP_SIDE}, {CROP_SIDE}, 3) tensor(uint8), got {given.shape} {given.type}"
        )
    if result.type != "tensor(float)" or len(result.shape) != 1:
        raise ModelUnavailable(f"expected {path} to give (N,) tensor(float), got {result.shape} {result.type}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
