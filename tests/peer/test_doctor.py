from __future__ import annotations

from pathlib import Path

import pytest

from peer import doctor
from peer.join import DEFAULT_MODEL
from peer.perception.face_model import FaceModel
from peer.perception.signals import SIGNAL_NAMES
from signaling.check import Check, Verdict
from tests.peer.onnx_bytes import model, write_model

NO_CAMERA = 97


def model_check(path: Path) -> Check:
    return next(check for check in doctor.checks(NO_CAMERA, path) if check.name == "model")


def test_the_shipped_model_works_on_a_face() -> None:
    checks = doctor.checks(NO_CAMERA, DEFAULT_MODEL)
    assert [check.verdict for check in checks] == [Verdict.WARNING, Verdict.OK, Verdict.OK]


def test_a_missing_face_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peer.doctor.FaceModel", lambda: FaceModel(tmp_path / "face.onnx"))
    check = doctor.checks(NO_CAMERA, DEFAULT_MODEL)[-1]
    assert (check.name, check.verdict) == ("face detector", Verdict.FAILED)
    assert "face.onnx" in check.found


def test_it_says_whether_a_model_can_say_why(tmp_path: Path) -> None:
    plain = write_model(tmp_path / "plain.onnx", model())
    assert model_check(plain).found.endswith("does not say why")
    telling = write_model(tmp_path / "telling.onnx", model(columns=8), signals=SIGNAL_NAMES)
    assert model_check(telling).found.endswith("says why")
    assert "not" not in model_check(telling).found


def test_a_model_that_cannot_work_is_named(tmp_path: Path) -> None:
    check = model_check(tmp_path / "none.onnx")
    assert check.verdict is Verdict.FAILED
    assert "none.onnx" in check.found
