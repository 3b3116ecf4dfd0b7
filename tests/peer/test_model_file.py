from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from peer.perception import model_file
from peer.perception.classifier import ModelCard
from peer.perception.model_file import open_session, read_model, run
from signaling.errors import ModelUnavailable
from tests.peer.onnx_bytes import INPUT, OUTPUT, model, write_model

FACE = {INPUT: np.zeros((1, 160, 160, 3), np.uint8)}


def test_a_pipe_in_the_place_of_a_model_or_card_is_not_waited_for(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model())
    for file, words in (
        (path.with_suffix(".json"), r"a model card at .*m\.json"),
        (path, r"a model file at .*m\.onnx"),
    ):
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(ModelUnavailable, match=f"expected {words}, got: a pipe or a device, no file"):
            read_model(path, ModelCard, "everything")


def test_a_model_or_card_that_is_too_large_is_not_loaded(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model())
    os.truncate(path.with_suffix(".json"), model_file.MAX_CARD_BYTES + 1)
    with pytest.raises(ModelUnavailable, match=r"m\.json, got: a file of more than 1,048,576 bytes"):
        read_model(path, ModelCard, "everything")
    os.truncate(path, model_file.MAX_MODEL_BYTES + 1)
    with pytest.raises(ModelUnavailable, match=r"m\.onnx, got: a file of more than 134,217,728 bytes"):
        read_model(path, ModelCard, "everything")


def test_a_card_without_a_bottom_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model())
    path.with_suffix(".json").write_text('{"more":' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(ModelUnavailable, match=r"card with everything at .*m\.json, got: .*recursion"):
        read_model(path, ModelCard, "everything")


def test_a_card_whose_sha256_is_none_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model(), sha256="\x1b[2J")
    with pytest.raises(ModelUnavailable, match=r"matching regex .* `\$.sha256`"):
        read_model(path, ModelCard, "everything")


def test_a_graph_without_inputs_or_outputs_is_refused() -> None:
    graphs = pytest.importorskip("tests.peer.onnx_graphs", exc_type=ImportError)
    for data, found in ((graphs.without_inputs(), "0 inputs and 1"), (graphs.without_outputs(), "1 inputs and 0")):
        with pytest.raises(ModelUnavailable, match=f"m.onnx, got {found} outputs"):
            open_session(Path("m.onnx"), data)


def test_a_model_that_is_refused_leaves_standard_output_alone(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ModelUnavailable, match=r"expected an ONNX model in m\.onnx"):
        open_session(Path("m.onnx"), model().replace(b"Sigmoid", b"Sigmo\xff\xff"))
    assert capfd.readouterr() == ("", "")


def test_a_model_whose_names_are_no_utf_8_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match=r"names in UTF-8 in m\.onnx"):
        open_session(Path("m.onnx"), model(shape=("NNNN", 160, 160, 3)).replace(b"NNNN", b"N\xff\xffN"))


def test_another_format_of_onnx_runtime_is_refused() -> None:
    with pytest.raises(ModelUnavailable, match=r"expected an ONNX model in m\.onnx, got: .*protobuf"):
        open_session(Path("m.onnx"), b"\x10\0\0\0ORTM" + bytes(100))


def test_a_loop_without_an_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = pytest.importorskip("tests.peer.onnx_graphs", exc_type=ImportError)
    monkeypatch.setattr(model_file, "PATIENCE_S", 0.1)
    session = open_session(Path("m.onnx"), graphs.endless())
    with pytest.raises(Exception, match="terminate flag"):
        run(session, [OUTPUT], FACE)


def test_a_graph_that_asks_for_gigabytes_gets_none() -> None:
    graphs = pytest.importorskip("tests.peer.onnx_graphs", exc_type=ImportError)
    session = open_session(Path("m.onnx"), graphs.hungry(500_000_000))
    with pytest.raises(Exception, match="Available memory"):
        run(session, [OUTPUT], FACE)
