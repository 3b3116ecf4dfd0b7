"""Models, cards and calibrations that nobody made for us: a sentence and no label, never a crash or a wrong one."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.calibrations import FILE_NAME, Calibrations, CalibrationUnusable, Entry
from peer.perception import model_file
from peer.perception.calibration import Offset
from peer.perception.classifier import AttentionClassifier
from peer.perception.face_model import FACE_MODEL, FaceModel
from peer.perception.signals import SIGNAL_NAMES
from signaling.errors import ModelUnavailable
from tests.fuzz.budget import count, dice, examples
from tests.fuzz.damage import ODDITIES, each_damage, in_time, make_odd
from tests.peer.onnx_bytes import model, write_model

LONGEST_SENTENCE = 1500
"""Characters: a file must not fill the terminal of whoever reads it."""

GOOD = model(columns=8)
LOADERS: tuple[Callable[[Path], object], ...] = (AttentionClassifier, FaceModel)


def tried(load: Callable[[Path], object], path: Path) -> bool:
    """Whether `path` loads; if not, the error is a sentence that names the file."""
    try:
        in_time(lambda: load(path))
    except ModelUnavailable as error:
        assert error.message.startswith("expected ") and path.stem in error.message
        assert len(error.message) < LONGEST_SENTENCE
        return False
    return True


def looks(path: Path, random: Random) -> None:
    """A classifier that loads says a probability of whatever it sees, or fails in a way that costs the label alone."""
    try:
        reading = AttentionClassifier(path).look(
            np.frombuffer(random.randbytes(160 * 160 * 3), np.uint8).reshape(160, 160, 3)
        )
    except ModelUnavailable:
        return
    except Exception as error:
        assert "ONNXRuntimeError" in str(error)
        return
    assert 0.0 <= reading.score <= 1.0
    assert reading.signals is None or all(math.isfinite(getattr(reading.signals, name)) for name in SIGNAL_NAMES)


@pytest.mark.parametrize("load", LOADERS)
@pytest.mark.parametrize("kind", ODDITIES)
@pytest.mark.parametrize("suffix", [".onnx", ".json"])
def test_a_model_or_card_that_is_no_file_is_refused(
    tmp_path: Path, load: Callable[[Path], object], kind: str, suffix: str
) -> None:
    path = write_model(tmp_path / "m.onnx", GOOD)
    make_odd(path.with_suffix(suffix), kind)
    assert not tried(load, path)


def test_a_damaged_model_is_not_the_one_of_its_card(tmp_path: Path) -> None:
    path, random = write_model(tmp_path / "m.onnx", GOOD), dice(1)
    for data in each_damage(path, GOOD, count(40), random):
        assert tried(AttentionClassifier, path) == (data == GOOD)


def test_a_damaged_model_with_a_forged_card_is_refused_or_gives_probabilities(tmp_path: Path) -> None:
    path, random = tmp_path / "m.onnx", dice(2)
    for data in each_damage(path, GOOD, count(80), random):
        write_model(path, data, signals=SIGNAL_NAMES)
        if tried(AttentionClassifier, path):
            looks(path, random)


def test_a_damaged_face_model_with_a_forged_card_is_refused_or_gives_faces(tmp_path: Path) -> None:
    path, random, whole = tmp_path / "m.onnx", dice(3), FACE_MODEL.read_bytes()
    head = len(whole) // 40  # the graph stands before the weights; damage there tells more
    for data in each_damage(path, whole[:head], count(25), random):
        write_model(path, data + whole[head:])
        tried(FaceModel, path)
    for data in each_damage(path, whole, count(10), random):
        write_model(path, data)
        tried(FaceModel, path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(SIGNAL_NAMES),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("crop_scale", "threshold", "sha256", "signals")


@examples(60)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), JSON, min_size=1), left_out=st.sampled_from((None, *FIELDS)))
def test_a_card_with_any_values_is_refused_or_means_what_it_says(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, object], left_out: str | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "card.onnx"
    write_model(path, GOOD, signals=SIGNAL_NAMES)
    fields = json.loads(path.with_suffix(".json").read_text()) | changes
    fields.pop(left_out, None)
    path.with_suffix(".json").write_text(json.dumps(fields))
    if tried(AttentionClassifier, path):
        card = AttentionClassifier(path).card
        assert 0.0 < card.crop_scale <= 10.0 and 0.0 <= card.threshold <= 1.0
        assert card.sha256.lower() == hashlib.sha256(GOOD).hexdigest()


@pytest.mark.parametrize(
    "text",
    [
        b'{"x":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 100_000,
        b'{"threshold": NaN, "crop_scale": 1, "sha256": ""}',
        b'{"threshold": 1e999, "crop_scale": 1, "sha256": ""}',
        b'{"threshold": -0.5, "crop_scale": 1, "sha256": ""}',
        b'{"threshold": 0.5, "crop_scale": 1, "sha256": "' + b"a" * 10_000_000 + b'"}',
        '{"threshold": 0.5, "crop_scale": 1, "sha256": "ü"}'.encode("utf-16"),
        '{"threshold": 0.5, "crop_scale": 1, "sha256": "ü"}'.encode("latin-1"),
        b"\xef\xbb\xbf{}",
        b'{"threshold": 0.5, "crop_scale": 1, "sha256": "\\ud800"}',
        b'{"threshold": 0.5, "crop_scale": 1, "sha256": "\x1b[2J"}',
        b"1" * 5000,
        b"null",
    ],
    ids=lambda text: repr(text[:24]),
)
@pytest.mark.parametrize("load", LOADERS)
def test_a_card_in_no_form_is_refused(tmp_path: Path, load: Callable[[Path], object], text: bytes) -> None:
    path = write_model(tmp_path / "m.onnx", GOOD)
    path.with_suffix(".json").write_bytes(text)
    assert not tried(load, path)


def test_damaged_calibrations_are_not_used_and_the_next_one_begins_anew(tmp_path: Path) -> None:
    random, kept = dice(4), Calibrations(tmp_path)
    mine, other = Entry("Ana", "camera:0", "m1", Offset(12.5, -3.0)), Entry("Ben", "camera:0", "m1", Offset(yaw=-9.0))
    kept.save(mine)
    kept.save(other)
    for _ in each_damage(tmp_path / FILE_NAME, (tmp_path / FILE_NAME).read_bytes(), count(300), random):
        try:
            offset = kept.load("Ana", "camera:0", "m1")
        except CalibrationUnusable as error:
            assert FILE_NAME in error.message or "another" in error.message
            assert "Ana" not in error.message
        else:
            assert offset is None or (abs(offset.yaw) <= 40.0 and 0.25 <= offset.lid <= 1.5)
    kept.save(mine)
    assert kept.load("Ana", "camera:0", "m1") == mine.offset


@pytest.mark.parametrize("kind", [kind for kind in ODDITIES if kind not in ("missing", "folder")])
def test_calibrations_that_are_no_file_are_not_used_and_the_next_one_begins_anew(tmp_path: Path, kind: str) -> None:
    make_odd(tmp_path / FILE_NAME, kind)
    kept = Calibrations(tmp_path)
    with pytest.raises(CalibrationUnusable, match=FILE_NAME):
        in_time(lambda: kept.load("Ana", "camera:0", "m1"))
    mine = Entry("Ana", "camera:0", "m1", Offset(yaw=1.0))
    in_time(lambda: kept.save(mine))
    assert kept.load("Ana", "camera:0", "m1") == mine.offset


@pytest.mark.parametrize("people", [b"[" * 100_000, b'[{"name": ' + b"[" * 100_000, b'"' + b"a" * (2 << 20) + b'"'])
def test_calibrations_that_go_on_and_on_are_not_used(tmp_path: Path, people: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(b'{"version": 1, "people": ' + people)
    with pytest.raises(CalibrationUnusable, match=FILE_NAME):
        Calibrations(tmp_path).load("Ana", "camera:0", "m1")


def test_the_bounds_let_our_own_models_through() -> None:
    for path in FACE_MODEL.parent.glob("*.onnx"):
        assert path.stat().st_size * 10 < model_file.MAX_MODEL_BYTES
        assert path.with_suffix(".json").stat().st_size * 10 < model_file.MAX_CARD_BYTES
