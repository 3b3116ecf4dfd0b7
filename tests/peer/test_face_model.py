from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from peer.perception.face_model import FACE_MODEL, VIEW_HEIGHT, VIEW_WIDTH, FaceModel
from signaling.errors import ModelUnavailable
from tests.peer.clips import ROOT
from tests.peer.onnx_bytes import model, write_model


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The shipped model and its card, to be spoilt."""
    path = tmp_path / FACE_MODEL.name
    for file in (FACE_MODEL, FACE_MODEL.with_suffix(".json")):
        shutil.copy(file, tmp_path)
    return path


def test_browsers_run_the_same_file() -> None:
    for name in ("face.onnx", "face.json"):
        assert (ROOT / "static" / "models" / name).read_bytes() == (FACE_MODEL.parent / name).read_bytes()


def test_the_shipped_model_is_small_and_answers_with_boxes_in_pixels() -> None:
    assert FACE_MODEL.stat().st_size < 300_000
    faces = FaceModel().faces(np.zeros((VIEW_HEIGHT, VIEW_WIDTH, 3), np.uint8))
    assert faces.ndim == 2 and faces.shape[1] == 4
    assert np.all((faces[:, 0] >= 0) & (faces[:, 0] <= 1))
    assert np.all(faces[:, 3] > 0)


def test_a_missing_file_is_named(copy: Path) -> None:
    copy.unlink()
    with pytest.raises(ModelUnavailable, match=r"face\.onnx.*No such file"):
        FaceModel(copy)


def test_a_truncated_file_is_not_the_one_of_its_card(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable, match="sha256"):
        FaceModel(copy)


def test_a_card_without_a_threshold_is_refused(copy: Path) -> None:
    card = copy.with_suffix(".json")
    fields = json.loads(card.read_text())
    del fields["threshold"]
    card.write_text(json.dumps(fields))
    with pytest.raises(ModelUnavailable, match=r"threshold and sha256 at .*face\.json"):
        FaceModel(copy)


def test_another_model_is_refused_by_what_it_takes_or_gives(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"to take \(1, 120, 160, 3\)"):
        FaceModel(write_model(tmp_path / "attention.onnx", model()))
    with pytest.raises(ModelUnavailable, match=r"to give \(1, N, 4\)"):
        FaceModel(write_model(tmp_path / "flat.onnx", model(shape=(1, 120, 160, 3))))


def test_garbage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"expected an ONNX model in .*garbage\.onnx"):
        FaceModel(write_model(tmp_path / "garbage.onnx", b"no model at all"))


def test_what_cannot_be_faces_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for found in (
        np.full((1, 3, 4), np.nan, np.float32),
        np.zeros((1, 0, 4), np.float32),
        np.zeros((2, 3, 4), np.float32),
        np.zeros((1, 3), np.float32),
    ):
        monkeypatch.setattr("peer.perception.face_model.run", lambda *_, found=found: [found])
        with pytest.raises(ModelUnavailable, match=r"face\.onnx to give finite faces of shape \(1, N, 4\)"):
            FaceModel(copy)
