"""The stage `face`: from a run of rendered people to a file that a peer runs; and how detectors are checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from peer.perception.crop import Box, Pixels
from peer.perception.face_model import FaceModel, Faces
from tests.training.pictures_run import make_pictures_run
from tests.training.rendered import draw, make_truth
from training.cli import app
from training.errors import TrainingFailed
from training.face import start_of
from training.face_check import THRESHOLDS, Answers, answers, best_threshold, look_at, summary
from training.face_network import FaceNetwork
from training.face_scenes import FACE, MAYBE, Scene
from training.faces.crops import USUAL, VIEW_SIDE, BoxMap
from training.faces.truth import Mode
from training.stage import read_record


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a detector that has learnt next to nothing."""
    out = tmp_path_factory.mktemp("face") / "run"
    make_pictures_run(out)
    command = ["face", "--out", str(out), "--to", str(out.parent / "there"), "--quick", "--jobs", "1"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.face.EMPTY_FRAMES", 50)
        patched.setattr("training.face.SCENES", 50)
        result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out


def test_the_file_and_its_card_lie_where_they_were_wanted_and_a_peer_runs_them(run: Path) -> None:
    there = run.parent / "there"
    for name in ("face.onnx", "face.json"):
        assert (run / "face" / name).read_bytes() == (there / name).read_bytes()
    assert FaceModel(there / "face.onnx").faces(np.zeros((120, 160, 3), np.uint8)).shape == (320, 4)
    card = json.loads((there / "face.json").read_text())
    assert card["threshold"] in THRESHOLDS
    assert card["train_images"] == 24
    assert card["metrics"]["images"] == 8
    assert set(card["metrics"]["found_by_view_side"]) == {"128", "200", "384", "560"}


def test_what_is_done_is_not_done_again(run: Path) -> None:
    before = (run / "face" / "face.json").read_bytes()
    result = CliRunner().invoke(app, ["face", "--out", str(run), "--to", str(run.parent / "there"), "--quick"])
    assert "done already" in result.output
    assert (run / "face" / "face.json").read_bytes() == before
    assert read_record(run, "face")["settings"]["steps"] == 20


def test_a_start_that_is_no_network_is_named(run: Path, tmp_path: Path) -> None:
    other = tmp_path / "network.pth"
    other.write_bytes(b"no network")
    with pytest.raises(TrainingFailed, match=r"expected a face detector's network\.pth at .*, got"):
        start_of(other)
    begun = start_of(run / "face" / "network.pth")
    assert begun is not None
    assert sum(one.numel() for one in begun.parameters()) == sum(one.numel() for one in FaceNetwork().parameters())


class Seeing:
    """A detector that says the same of every picture."""

    def __init__(self, box: Box | None) -> None:
        self._box = box

    def detect_still(self, bgr: Pixels) -> Box | None:
        del bgr
        return self._box


BOXES = BoxMap(USUAL, 0)
"""Round the drawn heads."""


def on_the_face(scale: float = 1.0) -> Box:
    """The wanted box in a frame of 640x480, or one `scale` as large."""
    wanted = BOXES.expected(make_truth())
    side = wanted.side * VIEW_SIDE * scale
    return Box(128 + wanted.x * VIEW_SIDE - side / 2, 48 + wanted.y * VIEW_SIDE - side / 2, side)


def test_a_box_on_the_face_is_found_and_its_errors_are_told() -> None:
    pictures = [(make_truth(), draw(make_truth()))]
    (found,) = look_at(Seeing(on_the_face(1.2)), pictures, BOXES, [VIEW_SIDE])
    assert (found.found, found.wrong) == (True, False)
    assert [found.off, found.ratio, found.overlap] == pytest.approx([0.0, 1.2, 1 / 1.44], abs=1e-6)


@pytest.mark.parametrize(("box", "wrong"), [(None, False), (Box(0, 0, 40), True), (on_the_face(2.0), True)])
def test_no_box_and_one_on_something_else_are_told_apart(box: Box | None, wrong: bool) -> None:
    (found,) = look_at(Seeing(box), [(make_truth(), draw(make_truth()))], BOXES, [VIEW_SIDE])
    assert (found.found, found.wrong) == (False, wrong)


def test_the_summary_counts_by_size_mode_and_tone() -> None:
    truths = [make_truth(skin_tone=2), make_truth(skin_tone=9), make_truth(mode=Mode.DOWN)]
    seen = look_at(Seeing(on_the_face()), [(truth, draw(truth)) for truth in truths], BOXES, [VIEW_SIDE, 128])
    told = summary(seen)
    assert told["found_by_view_side"] == {"384": 1.0, "128": 0.0}
    assert told["found_by_mode"] == {"attentive": 1.0, "down": 1.0}
    assert told["found_of_attentive_by_tone"] == {"1-3": 1.0, "7-10": 1.0}
    assert (told["images"], told["side_ratio_median"]) == (3, 1.0)
    lost = summary(look_at(Seeing(None), [(truths[0], draw(truths[0]))], BOXES, [VIEW_SIDE]))
    assert (lost["found"], lost["overlap_mean"]) == (0.0, None)


def test_the_threshold_finds_most_faces_for_least_that_are_none() -> None:
    faces, others = [0.9] * 50 + [0.5] * 50, [0.1] * 90 + [0.45] * 10
    assert 0.45 < best_threshold(Answers(faces, others)) <= 0.5
    assert best_threshold(Answers([0.9] * 100, [0.7] * 100)) > 0.7


class Certain(FaceModel):
    """Says of every view that there is a face in the middle, and a doubtful one in its corner."""

    def __init__(self) -> None:
        pass

    def faces(self, view: Pixels) -> Faces:
        del view
        return np.array([[0.9, 80, 60, 40], [0.3, 10, 10, 20]], np.float32)


def test_answers_on_faces_and_beside_them_are_told_apart_and_doubtful_faces_are_not_asked() -> None:
    blank = np.zeros((120, 160, 3), np.uint8)
    here, there = np.array([[82, 61, 40, FACE]], np.float32), np.array([[40, 60, 40, FACE]], np.float32)
    assert answers(Certain(), [Scene(blank, here)]) == Answers([pytest.approx(0.9)], [pytest.approx(0.3)])
    assert answers(Certain(), [Scene(blank, there)]) == Answers([0.0], [pytest.approx(0.9)])
    here[0, 3] = MAYBE
    assert answers(Certain(), [Scene(blank, here)]) == Answers([], [pytest.approx(0.3)])
