"""A model's file and the card `<model>.json` beside it, read and held against each other; and how a peer runs one.

The card says that a file is whole, not that it is honest: who makes a model makes its card. So a session is bounded in
time and memory, too.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
from numpy.typing import NDArray

from peer.perception.runtime import onnxruntime
from signaling.errors import ModelUnavailable
from signaling.files import read_bounded

SILENT = 4
"""ONNX Runtime's log severity: fatal errors only, since every other one comes back as an exception."""

MAX_MODEL_BYTES = 128 << 20
"""Fourteen times the largest model of ours: one beyond it would not run five times a second anywhere."""
MAX_CARD_BYTES = 1 << 20
"""Ours have 4,000."""

PATIENCE_S = 10.0
"""For one run: ours take 3 ms, and a machine on which it takes this long is no use for labels. A graph can have a loop
without an end."""

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-fA-F]{64}$")]


class _Card(Protocol):
    @property
    def sha256(self) -> str: ...


Card = TypeVar("Card", bound=_Card)


def card_path(model: Path) -> Path:
    """Where the card of `model` lies."""
    return model.with_suffix(".json")


def read_model(path: Path, card: type[Card], fields: str) -> tuple[bytes, Card]:
    """The bytes of a model and its card, whose `fields` are named in an error. Raises `ModelUnavailable`."""
    try:
        data = read_bounded(path, MAX_MODEL_BYTES)
    except OSError as error:
        raise ModelUnavailable(f"expected a model file at {path}, got: {error.strerror or error}") from error
    found = _read_card(path, card, fields)
    digest = hashlib.sha256(data).hexdigest()
    if digest != found.sha256.lower():
        raise ModelUnavailable(
            f"expected {path} with the sha256 of its card, {found.sha256[:12]}…, got {digest[:12]}…:"
            " the file is damaged, or the card belongs to another model"
        )
    return data, found


def _read_card(path: Path, card: type[Card], fields: str) -> Card:
    where = card_path(path)
    try:
        return msgspec.json.decode(read_bounded(where, MAX_CARD_BYTES), type=card)
    except OSError as error:
        raise ModelUnavailable(f"expected a model card at {where}, got: {error.strerror or error}") from error
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
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
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not whatever the bytes look like
    options.add_session_config_entry("session.use_env_allocators", "1")  # of `peer.perception.runtime`: bounded
    try:
        # Its fallback would try the same once more, and print that on standard output, where `--json` has events.
        session = onnxruntime.InferenceSession(data, options, ["CPUExecutionProvider"], enable_fallback=0)
    except Exception as error:  # ONNX Runtime's errors have no common base but Exception
        raise ModelUnavailable(f"expected an ONNX model in {path}, got: {first_line(error)}") from error
    try:
        for side in (*session.get_inputs(), *session.get_outputs()):
            _ = side.name, side.type, side.shape
    except UnicodeError as error:  # ONNX Runtime checks no names
        raise ModelUnavailable(f"expected an ONNX model with names in UTF-8 in {path}, got: {error}") from error
    if not (session.get_inputs() and session.get_outputs()):
        raise ModelUnavailable(
            f"expected a model with inputs and outputs in {path}, got {len(session.get_inputs())} inputs and"
            f" {len(session.get_outputs())} outputs"
        )
    return session


def run(session: Any, outputs: Sequence[str], inputs: Mapping[str, NDArray[Any]]) -> list[Any]:
    """What `session` gives, ended with an error when it takes longer than `PATIENCE_S`. Raises whatever ONNX Runtime
    raises, which has no common base but `Exception`."""
    options = onnxruntime.RunOptions()
    options.log_severity_level = SILENT
    watch = threading.Timer(PATIENCE_S, lambda: setattr(options, "terminate", True))
    watch.name, watch.daemon = "edgeattend-patience", True
    watch.start()
    try:
        found: list[Any] = session.run(outputs, inputs, options)
        return found
    finally:
        watch.cancel()


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
