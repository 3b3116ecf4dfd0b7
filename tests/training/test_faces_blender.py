"""The renderer with Blender itself, in its own environment: a few images, killed in the middle, gone on with."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.faces.render import SIZE
from training.faces.truth import TRUTH_FILE, read_truth

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-faces/bin/python"
ASSETS = ROOT.parent / "shared/assets/makehuman"

pytestmark = [
    pytest.mark.skipif(not PYTHON.exists(), reason="no .venv-faces with Blender (. scripts/environment faces)"),
    pytest.mark.skipif(not ASSETS.is_dir(), reason=f"no MakeHuman assets at {ASSETS}"),
]


def start(out: Path, count: int) -> subprocess.Popen[bytes]:
    command = [str(PYTHON), "-m", "training", "render", "--assets", str(ASSETS), "--out", str(out), "--jobs", "1"]
    return subprocess.Popen([*command, "--count", str(count)], cwd=ROOT, start_new_session=True)


def lines(out: Path) -> int:
    truth = out / TRUTH_FILE
    return truth.read_bytes().count(b"\n") if truth.exists() else 0


def test_a_killed_render_goes_on_and_shows_people_whose_eyes_are_as_the_truth_says(tmp_path: Path) -> None:
    process = start(tmp_path, 400)
    while lines(tmp_path) < 3:
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = lines(tmp_path)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "images").iterdir()}
    assert start(tmp_path, there + 1).wait() == 0
    truths = read_truth(tmp_path)
    assert [truth.id for truth in truths] == list(range(there + 1))
    for truth in truths:
        picture = cv2.imread(str(tmp_path / truth.file))
        assert picture.shape == (SIZE, SIZE, 3)
        assert picture.std() > 8  # somebody is there
    kept = [name for name in sorted(before)[:3] if (tmp_path / "images" / name).stat().st_mtime_ns == before[name]]
    assert len(kept) == 3
    attentive, closed = (np.asarray(cv2.imread(str(tmp_path / truths[number].file)), float) for number in (0, 1))
    left, top, right, bottom = (round(edge * SIZE) for edge in truths[0].head_box)
    assert truths[0].scene == truths[1].scene and truths[1].lid_left < 0.1 < truths[0].lid_left
    # Twins: the same person, pose and light; what differs lies in the face.
    assert np.abs(attentive - closed)[top:bottom, left:right].mean() > np.abs(attentive - closed)[:20].mean()
