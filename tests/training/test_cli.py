"""The commands: help without heavy imports, and errors as one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.conftest import ROOT
from training.cli import main

STAGES = ("prepare", "fit", "evaluate", "quantize", "prune", "compare", "export", "all", "sample", "check")
HEAVY = ("torch", "torchvision", "sklearn", "pandas", "matplotlib", "onnx")


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository's root."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=100
    )


def test_every_stage_explains_itself_without_loading_torch() -> None:
    script = f"""
import sys
from typer.testing import CliRunner
from edgeattend import app
for stage in {STAGES!r}:
    result = CliRunner().invoke(app, ["train", stage, "--help"])
    assert result.exit_code == 0, result.output
    assert "--out" in result.output, result.output
print([name for name in {HEAVY!r} if name in sys.modules])
"""
    done = python("-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_missing_training_packages_are_one_sentence() -> None:
    script = """
import sys
sys.modules["torch"] = None
sys.argv = ["edgeattend", "train", "fit", "--out", "nowhere"]
import edgeattend
edgeattend.main()
"""
    done = python("-c", script)
    assert done.returncode == 1
    assert done.stderr.startswith("edgeattend: expected the training packages, got no torch")
    assert done.stderr.count("\n") == 1


def exit_code(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> object:
    """How `python -m training ...` ends; in this process, since each new one takes seconds to load torch."""
    monkeypatch.setattr(sys, "argv", ["training", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize("stage", ["fit", "evaluate", "quantize", "prune", "compare", "export"])
def test_a_stage_without_the_one_before_says_what_to_run(
    stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, stage, "--out", tmp_path) == 1
    said = capsys.readouterr().err
    assert said.startswith("training: expected ")
    assert "run" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("wrong", [[], ["--data", "y", "--split", "nobody"], ["--data", "y", "--seed", "-1"]])
def test_wrong_usage_ends_with_two(wrong: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exit_code(monkeypatch, "prepare", "--out", tmp_path, *wrong) == 2
