"""The commands: help without heavy imports, and errors as one sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from signaling.errors import ConfigInvalid
from tests.training.conftest import ROOT
from training.cli import app, main
from training.faces.fit import EPOCHS, GUIDE_EPOCHS
from training.faces.plan import PEAK_RATE
from training.faces.recover import RATE
from training.prune import PruneConfig

STAGES = (
    "prepare", "fit", "evaluate", "quantize", "prune", "compare", "export", "all", "sample", "check", "render", "clips",
)  # fmt: skip
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


class Told:
    """Stands for a stage's `run`: keeps the configuration that it is given."""

    def __init__(self) -> None:
        self.config: Any = None

    def __call__(self, config: Any) -> None:
        self.config = config


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    found = Told()
    for stage in ("fit", "prune", "export"):
        monkeypatch.setattr(f"training.{stage}.run", found)
    return found


def invoked(told: Told, out: Path, *arguments: object) -> Any:
    """What a stage is told; raises what the command raises."""
    command = [str(arguments[0]), "--out", str(out), *map(str, arguments[1:])]
    result = CliRunner().invoke(app, command)
    if result.exception is not None:
        raise result.exception
    return told.config


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A run folder that looks like one of rendered people."""
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/meta.json").write_text("{}")
    return tmp_path


def test_fit_takes_what_a_run_of_rendered_people_needs(told: Told, rendered: Path) -> None:
    given = ("--init", "other.pth", "--epochs", 7, "--learning-rate", 1e-3)
    config = invoked(told, rendered, "fit", *given)
    assert (config.init, config.epochs, config.learning_rate) == (Path("other.pth"), 7, 1e-3)
    assert invoked(told, rendered, "fit", "--minutes", 12.5).minutes == 12.5
    with pytest.raises(ConfigInvalid, match=r"expected --init or --weights, got both: other.pth and none"):
        invoked(told, rendered, "fit", "--init", "other.pth", "--weights", "none")


def test_a_quick_fit_is_one_epoch_of_rendered_people_too(told: Told, rendered: Path, tmp_path: Path) -> None:
    quick = invoked(told, rendered, "fit", "--quick", "--minutes", 30)
    assert (quick.epochs, quick.minutes) == (1, None)
    (tmp_path / "videos").mkdir()
    of_videos = invoked(told, tmp_path / "videos", "fit", "--quick")
    assert of_videos.epochs is None
    assert (of_videos.head_epochs, of_videos.finetune_epochs, of_videos.scratch_epochs) == (1, 1, 1)


def test_fit_refuses_the_stages_of_videos_for_rendered_people(
    rendered: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--head-epochs", 3, "--scratch-epochs", 0)
    assert exit_code(monkeypatch, "fit", "--out", rendered, "--weights", "none", *given) == 1
    said = capsys.readouterr().err
    assert "expected --scratch-epochs, --head-epochs for a run of videos only" in said
    assert "give --epochs or --minutes" in said


def test_prune_leaves_the_rate_to_the_kind_of_run_unless_it_is_given(told: Told, rendered: Path) -> None:
    usual = invoked(told, rendered, "prune")
    assert usual == PruneConfig(rendered)
    assert usual.learning_rate is None
    assert invoked(told, rendered, "prune", "--learning-rate", 2e-4).learning_rate == 2e-4


def test_export_says_where_the_browsers_model_goes(told: Told, rendered: Path) -> None:
    assert invoked(told, rendered, "export").browser_to is None
    assert invoked(told, rendered, "export", "--browser-to", "static/models").browser_to == Path("static/models")


def test_the_defaults_that_help_tells_are_those_of_the_stages() -> None:
    """Help may not import the stages, which are heavy: the numbers stand there a second time."""
    said = {
        stage: " ".join(str(option.help) for option in get_command(app).commands[stage].params)  # type: ignore[attr-defined]
        for stage in ("fit", "prune")
    }
    assert f"{EPOCHS} and {GUIDE_EPOCHS}" in said["fit"]
    assert float(said["fit"].partition("highest; by default ")[2].split()[0].rstrip(".")) == PEAK_RATE
    assert float(said["prune"].partition("rendered people ")[2].split()[0].rstrip(".")) == RATE
