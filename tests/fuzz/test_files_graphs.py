"""ONNX graphs that mean harm, each with a card that fits: refused with a sentence, in bounded time and memory."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from peer.perception import model_file
from peer.perception.classifier import AttentionClassifier
from peer.perception.face_model import FaceModel
from peer.perception.runtime import MAX_ARENA_BYTES
from peer.perception.signals import SIGNAL_NAMES
from signaling.errors import ModelUnavailable
from tests.fuzz.damage import in_time
from tests.peer.onnx_bytes import write_model

pytest.importorskip("onnx")

from tests.peer import onnx_graphs

OUTSIDE = (
    "../../etc/passwd",
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "/dev/zero",
    "/proc/self/maps",
    "",
    "here",
)
GRAPHS: dict[str, Callable[[], bytes]] = {
    "endless": onnx_graphs.endless,
    "2 GB": lambda: onnx_graphs.hungry(500_000_000),
    "20 TB": lambda: onnx_graphs.hungry(5 * 10**12),
    "less than nothing": lambda: onnx_graphs.hungry(-1),
    "recursive": onnx_graphs.recursive,
    "without inputs": onnx_graphs.without_inputs,
    "without outputs": onnx_graphs.without_outputs,
    "sequence": onnx_graphs.sequence,
    "two inputs": onnx_graphs.two_inputs,
    "other shape": onnx_graphs.other_shape,
    "unknown operator": onnx_graphs.unknown_operator,
    "future": onnx_graphs.future,
    "long names": lambda: onnx_graphs.long_names(20_000),
    **{f"weights in {where!r}": lambda where=where: onnx_graphs.outside(where) for where in OUTSIDE},  # type: ignore[misc]
}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Weights that lie beside the model may be there; nobody wants to wait ten seconds for each."""
    monkeypatch.setattr(model_file, "PATIENCE_S", 0.3)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").write_bytes(bytes(64))


@pytest.mark.parametrize("kind", GRAPHS)
@pytest.mark.parametrize("load", [AttentionClassifier, FaceModel])
def test_a_graph_that_means_harm_is_refused(tmp_path: Path, load: Callable[[Path], object], kind: str) -> None:
    path = write_model(tmp_path / "m.onnx", GRAPHS[kind]())
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelUnavailable) as caught:
        in_time(lambda: load(path))
    assert caught.value.message.startswith("expected ") and "m.onnx" in caught.value.message
    assert len(caught.value.message) < 1500
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 1.5 * MAX_ARENA_BYTES / 1024


def test_a_card_that_promises_signals_does_not_make_a_graph_give_them(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", onnx_graphs.long_names(9), signals=SIGNAL_NAMES)
    with pytest.raises(ModelUnavailable, match=r"m\.onnx"):
        AttentionClassifier(path)
