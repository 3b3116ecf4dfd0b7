"""dataset_splits.json: what is read is what was written, and other images are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from training.errors import TrainingFailed
from training.splits import PARTS, load_splits


def test_splits_come_back_as_they_were_saved(tiny_run: Path) -> None:
    splits = load_splits(tiny_run)
    assert not set(splits.persons("train")) & set(splits.persons("test"))
    for part in PARTS:
        assert set(splits.labels(part)) == {0, 1}
        assert all(("not_attentive" in sample.file) == (sample.label == 0) for sample in splits[part])


def test_the_file_has_the_references_form(tiny_run: Path) -> None:
    document = json.loads((tiny_run / "dataset_splits.json").read_text())
    assert all((tiny_run / file).is_file() for file in document["val_files"] + document["test_files"])


def test_another_image_under_the_same_name_is_refused(tiny_run: Path) -> None:
    file = load_splits(tiny_run)["val"][0].file
    other = load_splits(tiny_run)["val"][1].file
    (tiny_run / file).write_bytes((tiny_run / other).read_bytes())
    with pytest.raises(TrainingFailed, match=r"expected the images that .* was made from, got others"):
        load_splits(tiny_run)


def test_a_missing_image_is_named(tiny_run: Path) -> None:
    file = load_splits(tiny_run)["train"][3].file
    (tiny_run / file).unlink()
    with pytest.raises(TrainingFailed, match=file):
        load_splits(tiny_run)


@pytest.mark.parametrize("broken", ["{", "[]", '{"train_files": []}', '{"settings": {}, "sha256": "", "augmented": 3}'])
def test_a_malformed_file_is_refused(tiny_run: Path, broken: str) -> None:
    (tiny_run / "dataset_splits.json").write_text(broken)
    with pytest.raises(TrainingFailed, match=r"expected the splits .*train prepare"):
        load_splits(tiny_run)


@pytest.mark.parametrize("label", [7, "1", True, None])
def test_a_label_that_is_none_is_refused(tiny_run: Path, label: object) -> None:
    path = tiny_run / "dataset_splits.json"
    document = json.loads(path.read_text())
    document["test_labels"][0] = label
    path.write_text(json.dumps(document))
    with pytest.raises(TrainingFailed, match=r"expected the splits that `prepare` writes at .*label"):
        load_splits(tiny_run)


@pytest.mark.parametrize("scale", [0, -1.0, 10**400])
def test_a_crop_scale_that_makes_no_crop_is_refused(tiny_run: Path, scale: float) -> None:
    path = tiny_run / "dataset_splits.json"
    document = json.loads(path.read_text())
    document["settings"]["crop_scale"] = scale
    path.write_text(json.dumps(document))
    with pytest.raises(TrainingFailed, match=r"crop_scale|OverflowError"):
        load_splits(tiny_run)
