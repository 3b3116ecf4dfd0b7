"""The stage `prepare` from videos to splits, on a small DAiSEE with its flaws."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
from typer.testing import CliRunner

from tests.training.daisee_tree import make_tree, video_path
from training.cli import app
from training.errors import TrainingFailed
from training.faces.pictures import has_pictures
from training.index import Face, read_index
from training.prepare import PrepareConfig, check_faces, run
from training.splits import PARTS, load_splits
from training.stage import read_record


@pytest.fixture(scope="module")
def tree_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("tree") / "DAiSEE")


@pytest.fixture(scope="module")
def prepared_original(tree_original: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run folder, and what the command said."""
    out = tmp_path_factory.mktemp("prepared") / "run"
    options = ["--per-class", "30", "--jobs", "2"]
    result = CliRunner().invoke(app, ["prepare", "--data", str(tree_original), "--out", str(out), *options])
    assert result.exit_code == 0, result.output
    return out, result.output


@pytest.fixture
def tree(tree_original: Path, tmp_path: Path) -> Path:
    """A data set to change."""
    return Path(shutil.copytree(tree_original, tmp_path / "DAiSEE"))


@pytest.fixture
def prepared(prepared_original: tuple[Path, str], tmp_path: Path) -> Path:
    """A run folder to change."""
    return Path(shutil.copytree(prepared_original[0], tmp_path / "run"))


def config(data: Path, out: Path, **changes: Any) -> PrepareConfig:
    """As the fixture has it."""
    usual = PrepareConfig(
        data=data, out=out, split="subject", per_class=30, reference=False, reuse=None, crop_scale=1.0, jobs=1,
        seed=42, force=False,
    )  # fmt: skip
    return replace(usual, **changes)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def times(run_folder: Path) -> dict[str, int]:
    """When each file was written."""
    return {path.relative_to(run_folder).as_posix(): path.stat().st_mtime_ns for path in run_folder.rglob("*.*")}


def test_splits_hold_every_person_once_and_copies_in_training_only(prepared: Path) -> None:
    splits = load_splits(prepared)
    persons = [set(splits.persons(part)) for part in PARTS]
    assert len(set.union(*persons)) == sum(len(part) for part in persons) == 8
    assert splits.labels("train").sum() * 2 == len(splits["train"]) > 36
    assert any(sample.source for sample in splits["train"])
    assert not any(sample.source for part in ("val", "test") for sample in splits[part])  # type: ignore[index]
    assert splits.settings["split"] == "subject" and splits.crop_scale == 1.0


def test_the_index_names_every_crop(prepared: Path) -> None:
    faces = read_index(prepared)
    assert [face.file for face in faces] == sorted((face.file for face in faces), key=lambda file: Path(file).name)
    on_disk = {path.relative_to(prepared).as_posix() for path in (prepared / "faces").rglob("*.jpg")}
    assert {face.file for face in faces} == on_disk
    assert {face.part for face in faces if face.person == "110007"} == {"val"}


def test_every_drop_is_reported_with_person_class_and_reason(prepared: Path) -> None:
    drops = [row for row in rows(prepared / "prepare" / "drops.csv") if row["reason"] != "no face"]
    assert [(row["person"], row["clip"], row["class"], row["reason"]) for row in drops] == [
        ("110001", "1100011003", "unlabelled", "no label"),
        ("110004", "1100041004", "unlabelled", "no video in the folder"),
        ("", "9999991001", "unlabelled", "label without a video"),
        ("110002", "1100021003", "not_attentive", "video does not open"),
        ("110004", "1100041003", "not_attentive", "video ends early"),
    ]
    people = {(row["person"], row["class"]): row for row in rows(prepared / "prepare" / "people.csv")}
    assert people["110004", "not_attentive"]["clips"] == "2"
    assert people["110004", "not_attentive"]["video ends early"] == "1"
    assert people["110007", "attentive"]["frames"] == "6"


def test_the_record_counts_what_the_tables_hold(prepared: Path) -> None:
    record = read_record(prepared, "prepare")
    results = record["results"]
    faces = read_index(prepared)
    assert results["faces"]["attentive"] == sum(face.label for face in faces)
    assert results["faces_of_people"]["110008"] == {"attentive": 6}
    assert results["drops"]["no label"] == 1
    assert results["parts"]["train"]["attentive"] == load_splits(prepared).labels("train").sum()
    assert results["splits_sha256"] == load_splits(prepared).sha256
    assert {"faces/index.csv", "dataset_splits.json", "prepare/drops.csv"} <= record["outputs"].keys()
    assert len(record["inputs"]) == 4


def test_sheets_and_summary_are_there_to_look_at(prepared: Path) -> None:
    names = ["faces-attentive", "faces-not_attentive", "part-train", "part-val", "part-test", "augmented"]
    for name in names:
        sheet = cv2.imread(str(prepared / "prepare" / f"{name}.jpg"))
        assert sheet is not None and sheet.shape[1] == 8 * 168 + 8
    wanted = load_splits(prepared).labels("train").sum()
    assert f"| train | {wanted} | {wanted} |" in (prepared / "prepare" / "summary.md").read_text()


def test_the_command_ends_with_a_few_plain_lines(prepared_original: tuple[Path, str]) -> None:
    lines = prepared_original[1].splitlines()
    assert "18 clips of 8 people" in lines[0]
    assert "dropped: " in lines[1] and "no label 1" in lines[1]
    wanted = load_splits(prepared_original[0]).labels("train").sum()
    assert lines[2].startswith(f"prepare: train: {wanted} attentive and {wanted} not attentive images of ")
    assert all(line.startswith("prepare: ") for line in lines)


def test_a_second_run_does_nothing(prepared: Path, tree_original: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = times(prepared)
    run(config(tree_original, prepared))
    assert "`prepare` is done already" in capsys.readouterr().out
    assert times(prepared) == before


def test_a_killed_run_goes_on_where_it_stopped(prepared: Path, tree_original: Path) -> None:
    whole = load_splits(prepared)
    (prepared / "prepare.json").unlink()
    (prepared / "dataset_splits.json").unlink()
    killed = sorted((prepared / "faces" / "clips").glob("*.json"))[::6]
    for record in killed:
        record.unlink()
    half = prepared / "faces" / "attentive" / "110001_1100011001_00003.jpg"
    half.write_bytes(b"half a")
    stray = prepared / "faces" / "attentive" / "110001_1100011001_00099.jpg"
    stray.write_bytes(b"of other settings")
    before = times(prepared)
    run(config(tree_original, prepared))
    assert load_splits(prepared).sha256 == whole.sha256
    assert not stray.exists()
    again = {name for name, time in times(prepared).items() if before.get(name) != time and "faces/clips/" in name}
    assert again == {record.relative_to(prepared).as_posix() for record in killed}


def test_a_run_of_rendered_people_becomes_one_of_videos(prepared: Path, tree_original: Path) -> None:
    (prepared / "pictures").mkdir()
    (prepared / "pictures/meta.json").write_text("{}")
    (prepared / "prepare.json").unlink()
    run(config(tree_original, prepared))
    assert not has_pictures(prepared)


@pytest.mark.parametrize("used", [True, False], ids=["in the splits", "spare"])
def test_an_image_that_is_gone_is_cut_again(prepared: Path, tree_original: Path, used: bool) -> None:
    whole = load_splits(prepared)
    files = {sample.source or sample.file for part in PARTS for sample in whole[part]}
    gone = next(face.file for face in read_index(prepared) if (face.file in files) == used)
    (prepared / gone).unlink()
    run(config(tree_original, prepared))
    assert (prepared / gone).is_file()
    assert load_splits(prepared).sha256 == whole.sha256


def test_new_labels_make_it_run_again_and_touch_only_their_clips(prepared: Path, tree: Path) -> None:
    labels = [tree / "Labels" / f"{name}Labels.csv" for name in ("Validation", "All")]
    for path in labels:
        path.write_text(path.read_text().replace("1100051001.avi,0,3", "1100051001.avi,0,0"))
    for path in tree.rglob("*.*"):  # a copy of the data set has new times
        original = json.loads(record.read_text()) if (record := record_of(prepared, path.stem)).is_file() else None
        if original:
            os.utime(path, ns=(0, original["identity"]["video_modified_ns"]))
    before = times(prepared)
    run(config(tree, prepared))
    again = {name for name, time in times(prepared).items() if before.get(name) != time and "faces/clips/" in name}
    assert again == {"faces/clips/110005_1100051001.json"}
    assert {face.label for face in read_index(prepared) if face.clip == "1100051001"} == {0}
    assert not list((prepared / "faces" / "attentive").glob("110005_1100051001_*"))


def record_of(run_folder: Path, clip: str) -> Path:
    return run_folder / "faces" / "clips" / f"{clip[:6]}_{clip}.json"


def test_other_splits_take_the_faces_of_a_run_and_frames_warns(
    prepared_original: tuple[Path, str], tree_original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = prepared_original[0], tmp_path / "frames"
    run(config(tree_original, out, split="frames", reuse=source))
    assert "warning: --split frames puts frames of the same people" in capsys.readouterr().out
    splits = load_splits(out)
    assert set(splits.persons("train")) & set(splits.persons("test"))
    assert not list((out / "faces").rglob("*.jpg"))
    assert [face.clip for face in read_index(out)] == [face.clip for face in read_index(source)]
    assert all((out / face.file).is_file() for face in read_index(out))
    drops = [(folder / "prepare" / "drops.csv").read_text() for folder in (out, source)]
    assert drops[0] == drops[1]
    with pytest.raises(TrainingFailed, match=r"expected --reuse to name the run that cut the faces, got .*frames"):
        run(config(tree_original, tmp_path / "third", reuse=out))


def test_the_references_order_is_one_of_frames(
    prepared_original: tuple[Path, str], tree_original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reference"
    run(config(tree_original, out, reference=True, reuse=prepared_original[0]))
    assert "warning: --split frames" in capsys.readouterr().out
    assert load_splits(out).settings["split"] == "frames"
    assert read_record(out, "prepare")["settings"]["reference"] is True


def test_faces_of_another_scale_or_other_data_or_no_run_are_refused(
    prepared: Path, tree: Path, tree_original: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingFailed, match=r"expected crops of the same --crop-scale \(1.25\) in .*, got 1.0"):
        run(config(tree_original, tmp_path / "a", reuse=prepared, crop_scale=1.25))
    video_path(tree, "110008", "1100081001").write_bytes(b"another video")
    with pytest.raises(TrainingFailed, match="expected crops of the same --data"):
        run(config(tree, tmp_path / "a", reuse=prepared))
    next((prepared / "faces" / "attentive").glob("*.jpg")).unlink()
    with pytest.raises(TrainingFailed, match=r"expected the faces of clip \d+ in .*, got not all of them: run"):
        run(config(tree_original, tmp_path / "a", reuse=prepared))
    with pytest.raises(TrainingFailed, match="expected --reuse to name another run than --out"):
        run(config(tree_original, prepared, reuse=prepared))
    assert (prepared / "prepare.json").exists()
    with pytest.raises(TrainingFailed, match="expected the record of `prepare`"):
        run(config(tree_original, tmp_path / "a", reuse=tmp_path))


def test_a_person_in_two_official_parts_is_refused_before_any_face_is_cut(tree: Path, tmp_path: Path) -> None:
    clip = video_path(tree, "110001", "1100011001").parent
    shutil.copytree(clip.parent, tree / "DataSet" / "Test" / "110001")
    shutil.rmtree(clip)
    with pytest.raises(TrainingFailed, match=r"expected every person in one official part, got .*110001 in train and"):
        run(config(tree, tmp_path / "run", split="official"))
    assert not (tmp_path / "run").exists()


def test_a_full_disk_is_said_and_the_next_run_goes_on(
    prepared_original: tuple[Path, str], tree_original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bytes = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        if "dataset_splits" in path.name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write_bytes(path, data)

    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(TrainingFailed, match=r"expected room on the disk for .*dataset_splits.json, got none"):
            run(config(tree_original, out, reuse=prepared_original[0]))
    assert not (out / "prepare.json").exists() and not (out / "dataset_splits.json").exists()
    run(config(tree_original, out, reuse=prepared_original[0]))
    assert load_splits(out)["train"]


def test_faces_of_one_class_only_are_refused() -> None:
    face = Face("a.jpg", "1", "11", "train", 2, 1, 0, 0.0, 0.0, 0.0, 100.0)
    for faces in ([face, face], []):
        with pytest.raises(TrainingFailed, match=rf"expected faces of both classes, got {len(faces)} attentive and 0"):
            check_faces(faces)
