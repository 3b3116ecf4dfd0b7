"""The whole way on a small data set with DAiSEE's flaws: videos in, a model that a device runs out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgeattend import app
from peer.perception.classifier import AttentionClassifier
from tests.training.conftest import clip_crops
from tests.training.daisee_tree import make_tree
from training.memory import Memory

STAGES = ("prepare", "fit", "evaluate", "quantize", "prune", "compare", "export")


@pytest.mark.timeout(400)
def test_videos_become_a_model_that_a_device_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process per model, half of the test's time; test_compare measures for real.
    monkeypatch.setattr("training.compare.measure", lambda *_: Memory(100 << 20, ()))
    monkeypatch.setattr("training.prune.QUICK_RATIOS", (0.3, 0.9))
    make_tree(tmp_path / "DAiSEE")
    run = tmp_path / "run"
    command = ["train", "all", "--data", str(tmp_path / "DAiSEE"), "--out", str(run), "--quick", "--per-class", "40"]
    command += ["--weights", "none", "--precision", "bf16"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output or done.exception

    records = {stage: json.loads((run / f"{stage}.json").read_text()) for stage in STAGES}
    assert all(record["versions"] and record["outputs"] for record in records.values())
    variants = {row["name"] for row in json.loads((run / "comparison.json").read_text())["variants"]}
    assert {"fp32", "fx_int8_qnnpack", "fx_int8_x86", "onnx_fp32", "onnx_int8", "unstructured_ft"} <= variants
    assert {"structural_no_ft", "structural_ft", "structural_ft_onnx_int8"} <= variants

    classifier = AttentionClassifier(run / "attention.onnx")
    assert classifier.card.crop_scale == 1.0
    scores = [classifier.score(crop) for _, _, crop in clip_crops("ana")]
    assert all(0.0 <= score <= 1.0 for score in scores)

    again = CliRunner().invoke(app, command)
    assert again.exit_code == 0
    assert again.output.count("is done already") == len(STAGES)
    assert {stage: json.loads((run / f"{stage}.json").read_text()) for stage in STAGES} == records
