"""ONNX Runtime reports to its maker unless it is told not to before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
import {module}
from pathlib import Path
from peer.perception.model_file import open_session
model = Path("peer/models/attention.onnx")
open_session(model, model.read_bytes())
"""
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("module", ["peer.perception.classifier", "training.onnx_model"])
def test_nothing_is_written_about_this_machine(tmp_path: Path, module: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    code = LOAD.format(module=module)
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=kept | home, check=True)
    assert [path for path in tmp_path.rglob("*") if "onnx" in path.name.lower() or "Microsoft" in path.parts] == []
