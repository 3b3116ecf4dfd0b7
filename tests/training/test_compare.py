"""The comparison: what is measured, how it is told, and a plot in which every name can be read."""

from __future__ import annotations

import csv
import itertools
import json
import shutil
from pathlib import Path

import cv2
import pytest

from signaling.errors import ConfigInvalid
from tests.training.made_run import comparison_of, made_original, row
from training import compare, timing
from training.compare import CompareConfig
from training.errors import TrainingFailed
from training.label_layout import Rectangle, place_labels
from training.latency_plot import draw_comparison, in_panels
from training.memory import BARE, Memory, measure
from training.splits import PARTS, load_splits, save_splits
from training.tables import comparison_markdown, parameters_of, terminal_lines
from training.variants import collect_variants


@pytest.fixture
def run(tiny_original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the whole run; memory that needs no processes, and times that need no warming up."""
    monkeypatch.setattr(timing, "WARM_UP_ROUNDS", 0)
    monkeypatch.setattr(
        compare, "measure", lambda runtime, _path=None: Memory(2**20 * (28 if runtime == BARE else 100), ())
    )
    return Path(shutil.copytree(made_original(tiny_original), tmp_path / "run"))


def test_all_models_are_compared_on_the_same_images(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compare.run(CompareConfig(run, repeats=2))
    document = json.loads((run / "comparison.json").read_text())
    rows = {each["name"]: each for each in document["variants"]}
    assert list(rows) == [variant.name for variant in collect_variants(run).all]
    assert all(each.keys() == row("onnx_int8").keys() for each in document["variants"])
    assert (document["part"], document["images"], document["persons"]) == ("test", 34, 2)
    whole, same = rows["fp32"], rows["onnx_fp32"]
    assert whole["accuracy_loss_points"] == 0
    assert whole["speedup_batch1"] == whole["speedup_batch5"] == 1
    assert same["roc_auc"] == pytest.approx(whole["roc_auc"], abs=0.01)
    assert same["size_bytes"] == (run / "attentive_fp32.onnx").stat().st_size
    assert rows["onnx_int8"]["size_mb"] < 0.3 * whole["size_mb"]
    assert rows["structural_no_ft_onnx_fp32"]["parameters"] < whole["parameters"]
    assert (whole["peak_rss_mib"], whole["added_rss_mib"]) == (100, 72)
    assert all(each["ms_batch1"] > 0 and each["total_cpu_s"] > 0 for each in document["variants"])
    with (run / "comparison.csv").open(newline="") as stream:
        assert [line["name"] for line in csv.DictReader(stream)] == list(rows)
    assert cv2.imread(str(run / "comparison.png")).shape[1] == 1500
    assert "ONNX INT8" in capsys.readouterr().out


def test_what_is_done_is_left_alone_until_a_model_changes(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compare, "draw_comparison", lambda _comparison, path: path.write_bytes(b"a picture"))
    config = CompareConfig(run, part="val", repeats=1)
    compare.run(config)
    before = (run / "comparison.json").stat().st_mtime_ns
    capsys.readouterr()
    compare.run(config)
    assert "done already" in capsys.readouterr().out
    assert (run / "comparison.json").stat().st_mtime_ns == before
    (run / "prune.json").unlink()
    compare.run(config)
    assert "`prune` has not run" in capsys.readouterr().out
    assert len(json.loads((run / "comparison.json").read_text())["variants"]) == 3
    assert "so it flatters them" in (run / "comparison.md").read_text()


def test_the_training_part_is_refused(run: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"expected --part val or test, got 'train'"):
        compare.run(CompareConfig(run, part="train"))


def test_a_model_of_other_splits_is_refused_since_it_may_know_the_test_images(run: Path) -> None:
    splits = load_splits(run)
    save_splits(run, {part: splits[part] if part == "train" else splits[part][1:] for part in PARTS}, splits.settings)
    with pytest.raises(TrainingFailed, match=r"attentive_model.pth to be trained on the splits .*run `fit` again"):
        compare.run(CompareConfig(run, repeats=1))
    assert not (run / "comparison.json").exists()


def test_a_changed_model_is_refused_and_nothing_looks_finished(run: Path) -> None:
    shutil.copy(run / "attentive_fp32.onnx", run / "attentive_int8.onnx")
    with pytest.raises(TrainingFailed, match="other bytes"):
        compare.run(CompareConfig(run, repeats=1))
    assert not (run / "compare.json").exists()
    assert not (run / "comparison.json").exists()


def test_the_table_reads_as_the_references() -> None:
    rows = [
        row("fp32", accuracy=0.98533, speedup_batch5=1.0, ms_batch1=15.4, ms_batch5=9.8, size_mb=9.466, remark="a | b"),
        row("unstructured_ft", nonzero_parameters=922_368),
    ]
    lines = comparison_markdown(comparison_of(rows)).splitlines()
    assert lines[0].startswith(
        "| Model variant | Accuracy | Balanced | AUC | ms/image b1 | ms/image b5 | Speed-up b5 |"
    )
    assert lines[2] == ("| fp32 | 98.53% | 98.46% | 0.9983 | 15.40 | 9.80 | 1.0x | 9.47 | 2,305,921 | 106 | a \\| b |")
    assert "2,305,921 (922,368 not 0)" in lines[3]
    assert all(line.replace("\\|", "").count("|") == 12 for line in lines[:4])
    assert "1,500 images of 16 persons, split by `subject` (nobody in two parts)" in lines[5]


def test_the_terminals_columns_are_straight() -> None:
    comparison = comparison_of([row("fp32"), row("structural_no_ft_onnx_int8", ms_batch1=123.4)])
    comparison["missing_stages"] = ["prune"]
    *table, said = terminal_lines(comparison)
    assert len({len(line) for line in table}) == 1
    assert said == "`prune` has not run, so its models are left out."


def test_parameters_that_are_zero_are_told_only_where_there_are_many() -> None:
    assert parameters_of({"parameters": 1000, "nonzero_parameters": 999}) == "1,000"


def test_a_participants_process_has_no_torch_and_needs_more_than_bare_python(tiny_original: Path) -> None:
    bare = measure(BARE)
    onnx = measure("onnx", made_original(tiny_original) / "attentive_int8.onnx")
    assert bare.loaded == ()
    assert onnx.loaded == ("onnxruntime",)
    assert 10 * 2**20 < bare.peak_bytes < onnx.peak_bytes - 20 * 2**20
    assert onnx.peak_bytes < 250 * 2**20, "this process has torch loaded: its memory must not count"


def test_a_model_that_does_not_load_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no model")
    with pytest.raises(TrainingFailed, match=r"broken.onnx to run in onnx, got exit code 1: .*expected an ONNX model"):
        measure("onnx", tmp_path / "broken.onnx")


def test_models_that_lose_much_have_a_panel_of_their_own() -> None:
    rows = [
        row(name, accuracy=each) for name, each in (("a", 0.99), ("fp32", 0.97), ("b", 0.95), ("c", 0.5), ("d", 0.3))
    ]
    assert [[each["name"] for each in panel] for panel in in_panels(rows)] == [["a", "fp32", "b"], ["c", "d"]]
    rows = [row(name, accuracy=each) for name, each in (("lucky", 0.9), ("fp32", 0.6), ("other", 0.55))]
    assert len(in_panels(rows)) == 1


def test_no_label_covers_another_or_a_point() -> None:
    points = [(100 + 12.0 * (index % 4), 200 + 9.0 * (index // 4)) for index in range(8)]
    frame = Rectangle(0, 0, 900, 450)
    placed = place_labels(points, [(130.0, 36.0)] * len(points), frame)
    assert all(a.overlap(b) == 0 for a, b in itertools.combinations(placed, 2))
    assert all(box.outside(frame) == pytest.approx(0) for box in placed)
    assert not any(box.left < x < box.right and box.bottom < y < box.top for box in placed for x, y in points)


def test_one_model_alone_makes_a_plot_too(tmp_path: Path) -> None:
    draw_comparison(comparison_of([row("fp32", accuracy=1.0)]), tmp_path / "one.png")
    assert cv2.imread(str(tmp_path / "one.png")) is not None
