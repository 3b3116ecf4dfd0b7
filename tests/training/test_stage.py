"""A stage is current until its settings, its inputs or its outputs change, and its record says what ran."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from training.errors import TrainingFailed
from training.files import sha256_of
from training.stage import Stage, name_in, read_record

SETTINGS = {"seed": 42, "ratios": [0.1, 0.9]}


def make_stage(run: Path, settings: dict[str, Any] | None = None) -> Stage:
    return Stage(run, "fit", SETTINGS if settings is None else settings, [run / "input.json"])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder in which `fit` is complete."""
    (tmp_path / "input.json").write_text("{}")
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "curves.csv").write_text("loss\n")
    make_stage(tmp_path).complete(outputs=[tmp_path / "fit" / "curves.csv"], results={"accuracy": 0.5})
    return tmp_path


def test_a_complete_stage_is_current(run: Path) -> None:
    assert make_stage(run).is_current()


def test_a_stage_that_never_ran_is_not(run: Path) -> None:
    assert not Stage(run, "evaluate", SETTINGS, []).is_current()


@pytest.mark.parametrize(
    "change",
    [
        lambda run: (run / "input.json").write_text("[]"),
        lambda run: (run / "fit" / "curves.csv").write_text("other\n"),
        lambda run: (run / "fit" / "curves.csv").unlink(),
        lambda run: (run / "fit.json").write_text("{"),
        lambda run: (run / "fit.json").write_text('{"stage": "fit"}'),
        lambda run: make_stage(run).forget(),
    ],
    ids=["input changed", "output changed", "output gone", "record broken", "record of something else", "forgotten"],
)
def test_a_stage_is_not_current_after(run: Path, change: Callable[[Path], object]) -> None:
    change(run)
    assert not make_stage(run).is_current()


@pytest.mark.parametrize("settings", [{}, {**SETTINGS, "seed": 43}, {**SETTINGS, "ratios": [0.1]}])
def test_a_stage_with_other_settings_is_not_current(run: Path, settings: dict[str, Any]) -> None:
    assert not make_stage(run, settings).is_current()


def test_a_stage_with_one_more_input_is_not_current(run: Path) -> None:
    (run / "more.json").write_text("{}")
    assert not Stage(run, "fit", SETTINGS, [run / "input.json", run / "more.json"]).is_current()


def test_forgetting_twice_is_fine(run: Path) -> None:
    make_stage(run).forget()
    make_stage(run).forget()


def test_a_file_where_the_run_folder_should_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(TrainingFailed, match=r"expected to be allowed to write .*fit\.json.* another --out"):
        Stage(tmp_path / "run", "fit", SETTINGS, []).forget()


def test_a_missing_input_is_named_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected .*input\.json, which `fit` reads, got no such file: run the"):
        make_stage(tmp_path)


def test_the_record_says_what_ran(run: Path) -> None:
    record = read_record(run, "fit")
    assert record["settings"] == SETTINGS
    assert record["results"] == {"accuracy": 0.5}
    assert record["inputs"] == {"input.json": sha256_of(run / "input.json")}
    assert record["outputs"] == {"fit/curves.csv": sha256_of(run / "fit" / "curves.csv")}
    assert record["versions"].keys() >= {"python", "machine", "torch", "numpy"}
    assert record["seconds"] >= 0
    assert record["started"].endswith("+00:00")


def test_a_record_that_is_missing_names_the_command_that_writes_it(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected the record of `fit` at .*: run `edgeattend train fit --out"):
        read_record(tmp_path, "fit")
    with pytest.raises(TrainingFailed, match=r"run `edgeattend train prepare --data DAiSEE --out"):
        read_record(tmp_path, "prepare")
    (tmp_path / "pictures").mkdir()
    with pytest.raises(TrainingFailed, match=r"run `edgeattend train prepare --faces FACES --out"):
        read_record(tmp_path, "prepare")


@pytest.mark.parametrize("content", ["[]", json.dumps({"settings": {}})])
def test_a_record_of_something_else_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "fit.json").write_text(content)
    with pytest.raises(TrainingFailed, match=r"expected the record of `fit` at .*, got something else: run `edge"):
        read_record(tmp_path, "fit")


def test_files_are_named_from_the_run_folder_wherever_they_lie(tmp_path: Path) -> None:
    assert name_in(tmp_path / "run", tmp_path / "run" / "fit" / "curves.csv") == "fit/curves.csv"
    assert name_in(tmp_path / "run", tmp_path / "other" / "faces") == "../other/faces"


def test_a_file_on_another_drive_keeps_its_whole_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_windows(*_: object) -> str:
        raise ValueError("path is on mount 'D:', start on mount 'C:'")

    monkeypatch.setattr("os.path.relpath", on_windows)
    assert name_in(tmp_path / "run", tmp_path / "labels.csv") == (tmp_path / "labels.csv").as_posix()
