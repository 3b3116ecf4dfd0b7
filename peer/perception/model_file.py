"""A model's file and the card `<model>.json` beside it, read and held against each other; and how a peer runs one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from peer.perception.runtime import onnxruntime
from signaling.errors import ModelUnavailable

SILENT = 4
"""ONNX Runtime's log severity: fatal errors only, since every other one comes back as an exception."""


class _Card(Protocol):
    @property
    def sha256(self) -> str: ...


Card = TypeVar("Card", bound=_Card)


def card_path(model: Path) -> Path:
    """Where the card of `model` lies."""
    return model.with_suffix(".json")


def read_model(path: Path, card: type[Card], fields: str) -> tuple[bytes, Card]:
    """The bytes of a model and its card, whose `fields` are named in an error. Raises `ModelUnavailable`."""
    data = _read(path)
    found = _read_card(path, card, fields)
    digest = hashlib.sha256(data).hexdigest()
    if digest != found.sha256.lower():
        raise ModelUnavailable(
            f"expected {path} with the sha256 of its card, {found.sha256[:12]}…, got {digest[:12]}…:"
            " the file is damaged, or the card belongs to another model"
        )
    return data, found


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelUnavailable(f"expected a model file at {path}, got: {error.strerror or error}") from error


def _read_card(path: Path, card: type[Card], fields: str) -> Card:
    where = card_path(path)
    try:
        return msgspec.json.decode(_read(where), type=card)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ModelUnavailable(f"expected a model card with {fields} at {where}, got: {error}") from error


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
        raise ModelUnavailable(f"expected an ONNX model in {path}, got: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """Of what ONNX Runtime says, which goes on for pages."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


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
