from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from peer.join import DEFAULT_MODEL
from peer.perception.classifier import AttentionClassifier
from peer.perception.signals import SIGNAL_NAMES, Reading
from signaling.errors import ModelUnavailable
from tests.peer.onnx_bytes import FLOAT, model, write_model


def crop(value: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((160, 160, 3), value, np.uint8)


def test_a_model_of_the_contract_scores(tmp_path: Path) -> None:
    classifier = AttentionClassifier(write_model(tmp_path / "m.onnx", model()))
    assert classifier.score(crop(0)) == pytest.approx(0.5)
    assert classifier.score(crop(200)) == pytest.approx(1.0)
    assert classifier.card.crop_scale == 1.25


def test_a_fixed_batch_of_one_is_fine(tmp_path: Path) -> None:
    fixed = model(shape=(1, 160, 160, 3))
    assert AttentionClassifier(write_model(tmp_path / "m.onnx", fixed)).score(crop(0)) == pytest.approx(0.5)


def test_the_shipped_model_gives_a_probability() -> None:
    assert 0.0 <= AttentionClassifier(DEFAULT_MODEL).score(crop(128)) <= 1.0


def test_the_shipped_model_is_small_and_says_why() -> None:
    assert DEFAULT_MODEL.stat().st_size <= 2_700_000
    card = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text())
    assert (card["precision"], card["signals"]) == ("int8", list(SIGNAL_NAMES))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model())
    path.unlink()
    with pytest.raises(ModelUnavailable, match=r"m\.onnx.*No such file"):
        AttentionClassifier(path)


def test_a_missing_card_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(model())
    with pytest.raises(ModelUnavailable, match=r"m\.json"):
        AttentionClassifier(path)


def test_a_truncated_file_is_not_the_one_of_its_card(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model())
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelUnavailable, match="sha256"):
        AttentionClassifier(path)


@pytest.mark.parametrize("data", [b"", b"not a model at all", model()[:60], b"\xff" * 1000])
def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ModelUnavailable, match=r"expected .*m\.onnx"):
        AttentionClassifier(write_model(tmp_path / "m.onnx", data))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (model(shape=("N", 128, 128, 3)), r"160, 160.*128"),
        (model(shape=("N", 3, 160, 160)), r"160, 160, 3.*3, 160"),
        (model(shape=("N", 160)), r"160, 160.*'N', 160\]"),
        (model(element=FLOAT), r"uint8.*float"),
        (model(keep_dims=True), r"give \(N,\)"),
        (model(last_op="Log"), "probability"),
    ],
    ids=["too small", "channels first", "rank 2", "float input", "rank 4 output", "not a probability"],
)
def test_a_model_of_another_form_is_refused_by_what_it_takes_or_gives(
    tmp_path: Path, data: bytes, expected: str
) -> None:
    with pytest.raises(ModelUnavailable, match=expected):
        AttentionClassifier(write_model(tmp_path / "m.onnx", data))


@pytest.mark.parametrize("card", [{"crop_scale": 0}, {"crop_scale": "big"}, {"threshold": 2}, {"sha256": None}])
def test_a_card_that_makes_no_sense_is_refused(tmp_path: Path, card: dict[str, object]) -> None:
    with pytest.raises(ModelUnavailable, match=r"card.*m\.json"):
        AttentionClassifier(write_model(tmp_path / "m.onnx", model(), **card))


def test_a_card_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model())
    path.with_suffix(".json").write_bytes(b"\xff\xfe{")
    with pytest.raises(ModelUnavailable, match=r"card.*m\.json"):
        AttentionClassifier(path)


def test_a_model_without_signals_gives_readings_without(tmp_path: Path) -> None:
    classifier = AttentionClassifier(write_model(tmp_path / "m.onnx", model()))
    assert not classifier.has_signals
    assert classifier.look(crop(0)) == Reading(0.5)


def test_signals_that_the_card_does_not_list_are_left_alone(tmp_path: Path) -> None:
    classifier = AttentionClassifier(write_model(tmp_path / "m.onnx", model(columns=5)))
    assert not classifier.has_signals
    assert classifier.look(crop(0)).signals is None


def test_each_signal_is_the_column_that_the_card_names_so(tmp_path: Path) -> None:
    names = ["unknown_to_us", *reversed(SIGNAL_NAMES)]
    path = write_model(tmp_path / "m.onnx", model(columns=9), signals=names)
    classifier = AttentionClassifier(path)
    assert classifier.has_signals
    signals = classifier.look(crop(10)).signals
    assert signals is not None
    assert {name: getattr(signals, name) for name in SIGNAL_NAMES} == {
        name: pytest.approx(10.0 * (names.index(name) + 1)) for name in SIGNAL_NAMES
    }
    assert signals.closed == pytest.approx(20.0)


@pytest.mark.parametrize(
    ("data", "names", "expected"),
    [
        (model(), SIGNAL_NAMES, "expected .* an output 'signals', since its card lists signals, got attentive"),
        (model(columns=7), SIGNAL_NAMES, r"expected .* signals \(N, 8\).* as many as its card lists, got \['N', 7\]"),
        (model(columns=9), SIGNAL_NAMES, r"\(N, 8\).* got \['N', 9\]"),
        (model(columns=8, flat_signals=True), SIGNAL_NAMES, r"\(N, 8\).* got \['N'\]"),
        (model(columns=8, signals_op="Log"), SIGNAL_NAMES, r"expected .* finite signals of shape \(1, 8\)"),
        (model(columns=8), SIGNAL_NAMES[:7], "to list each of the signals yaw, .*, closed once, got yaw, .*mouth_open"),
        (model(columns=8), (*SIGNAL_NAMES[:7], "yaw"), "once"),
        (model(columns=9), (*SIGNAL_NAMES, "yaw"), "once"),
        (model(columns=8), (), "got none"),
        (model(columns=8), "yaw", r"card.*m\.json"),
    ],
    ids=["none", "few", "many", "rank 1", "not finite", "one missing", "one twice", "nine", "empty", "no list"],
)
def test_a_card_and_a_graph_that_disagree_on_signals_are_refused(
    tmp_path: Path, data: bytes, names: object, expected: str
) -> None:
    with pytest.raises(ModelUnavailable, match=expected):
        AttentionClassifier(write_model(tmp_path / "m.onnx", data, signals=names))


def test_what_is_no_probability_later_on_is_no_reading(tmp_path: Path) -> None:
    classifier = AttentionClassifier(write_model(tmp_path / "m.onnx", model(last_op="Cos")))
    assert classifier.score(crop(0)) == 1.0
    with pytest.raises(ModelUnavailable, match=r"m\.onnx to give one probability"):
        classifier.look(crop(3))
    numbers = AttentionClassifier(write_model(tmp_path / "n.onnx", model(last_op="Atanh")))
    with pytest.raises(ModelUnavailable, match="nan"):
        numbers.look(crop(2))


def test_signals_that_are_not_finite_later_on_are_no_reading(tmp_path: Path) -> None:
    path = write_model(tmp_path / "m.onnx", model(columns=8, signals_op="Atanh"), signals=SIGNAL_NAMES)
    with pytest.raises(ModelUnavailable, match="finite signals"):
        AttentionClassifier(path).look(crop(2))
