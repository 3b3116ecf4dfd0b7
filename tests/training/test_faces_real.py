"""The check on real faces: read, scored as a device does, and told in numbers alone. The faces here are drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from peer.join import DEFAULT_MODEL
from peer.perception.crop import Pixels
from tests.training.conftest import ROOT
from training.cli import app
from training.errors import TrainingFailed
from training.faces.real import RealConfig, pose_rows, read_faces, run, score

SHARED = ROOT.parent / "shared"
CMU = SHARED / "eval" / "cmu_faces_dev.npz"
POSES = ("straight", "left", "right", "up")


class FakeCard:
    """Of a model that says how bright a crop is."""

    crop_scale = 1.25
    threshold = 0.4
    sha256 = "0" * 64


class FakeClassifier:
    """Bright is attentive; it keeps what it was shown."""

    card = FakeCard()

    def __init__(self, _path: Path | None = None) -> None:
        self.shown: list[Pixels] = []

    def score(self, crop: Pixels) -> float:
        self.shown.append(crop)
        return float(crop.mean() / 255)


def write_faces(path: Path, **changes: object) -> Path:
    """Four people in four poses, with and without sunglasses: straight ones are bright, sunglasses darken."""
    rows = [(person, pose, dark) for person in range(4) for pose in POSES for dark in (False, True)]
    images = np.zeros((len(rows), 60, 64), np.uint8)
    for number, (person, pose, dark) in enumerate(rows):
        images[number] = (180 if pose == "straight" else 60) + 5 * person - 60 * dark
    arrays = {
        "images": images,
        "person": np.array([row[0] for row in rows]),
        "pose": np.array([row[1] for row in rows]),
        "sunglasses": np.array([row[2] for row in rows]),
    }
    np.savez(path, **{name: value for name, value in (arrays | changes).items() if value is not None})  # type: ignore[arg-type]
    return path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.faces.real.AttentionClassifier", FakeClassifier)


@pytest.mark.usefixtures("fake")
def test_numbers_are_told_by_sunglasses_and_pose_and_nothing_else_is_written(tmp_path: Path) -> None:
    faces, out = write_faces(tmp_path / "faces.npz"), tmp_path / "numbers" / "check.json"
    options = ["--faces", str(faces), "--model", "any.onnx", "--out", str(out), "--bootstrap", "100"]
    result = CliRunner().invoke(app, ["check", *options])
    assert result.exit_code == 0, result.output
    found = json.loads(out.read_text())
    assert found["subsets"]["without sunglasses"]["metrics"] == {
        "roc_auc": 1.0, "balanced_accuracy": 1.0, "recall": 1.0, "specificity": 1.0,
    }  # fmt: skip
    assert found["subsets"]["all"]["images"] == 32 and found["subsets"]["all"]["persons"] == 4
    assert "| straight | no | 4 | 100.0% | 0.735 |" in result.output
    assert "| straight | yes | 4 | 100.0% | 0.500 |" in result.output
    assert "| up | yes | 4 | 0.0% | 0.029 |" in result.output
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["check.json", "faces.npz"]


def test_each_face_is_looked_at_five_times_and_the_mean_counts(tmp_path: Path) -> None:
    images = np.zeros((32, 60, 64), np.uint8)
    images[:, 26 - 12 : 26 + 12, 31 - 12 : 31 + 12] = 200  # larger boxes see more of the dark round it
    faces = read_faces(write_faces(tmp_path / "faces.npz", images=images))
    classifier = FakeClassifier()
    means = score(classifier, faces)  # type: ignore[arg-type]
    seen = [crop.mean() / 255 for crop in classifier.shown[:5]]
    assert len(classifier.shown) == 5 * 32
    assert means[0] == pytest.approx(np.mean(seen))
    for crop in classifier.shown[:5]:
        assert np.abs(crop.astype(int) - crop[::-1, ::-1]).mean() < 8  # the head is in the middle
    assert seen == sorted(seen, reverse=True) and seen[0] > seen[-1] + 0.1


def test_poses_are_listed_straight_first(tmp_path: Path) -> None:
    faces = read_faces(write_faces(tmp_path / "faces.npz"))
    rows = pose_rows(faces, np.linspace(0, 1, 32), 0.5)
    assert [(row.pose, row.sunglasses) for row in rows[:4]] == [
        ("straight", False), ("straight", True), ("left", False), ("left", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pose": None}, r"expected an .npz file with images, person, pose, sunglasses as docs/training.md tells"),
        ({"images": np.zeros((32, 60, 64))}, r"expected images \(n, H, W\) uint8 .* got images \(32, 60, 64\) float64"),
        ({"person": np.zeros(31)}, r"expected images .* person \(31,\)"),
        ({"pose": np.full(32, "left")}, "expected faces that are 'straight' and others"),
    ],
)
def test_files_of_another_form_are_refused_in_one_sentence(
    changes: dict[str, object], said: str, tmp_path: Path
) -> None:
    with pytest.raises(TrainingFailed, match=said):
        read_faces(write_faces(tmp_path / "faces.npz", **changes))


def test_no_file_and_no_archive_are_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected real faces at .*, got: No such file"):
        read_faces(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(TrainingFailed, match=r"expected an .npz file with images"):
        read_faces(tmp_path / "text.npz")


@pytest.mark.skipif(not CMU.is_file(), reason="real faces are not handed on: needs ../shared/eval")
def test_the_shipped_model_tells_straight_from_turned_on_real_people(tmp_path: Path) -> None:
    run(RealConfig(faces=CMU, model=DEFAULT_MODEL, out=tmp_path / "check.json", bootstrap=0, seed=1))
    for name in ("without sunglasses", "with sunglasses"):
        found = json.loads((tmp_path / "check.json").read_text())["subsets"][name]["metrics"]
        assert found["roc_auc"] >= 0.97
        assert found["balanced_accuracy"] >= 0.90
        assert found["recall"] >= 0.93


def test_an_array_beside_an_archive_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    (tmp_path / "empty.npz").touch()
    for name in ("one.npy", "empty.npz"):
        with pytest.raises(TrainingFailed, match=rf"expected an \.npz file with .* at .*{name}"):
            read_faces(tmp_path / name)
