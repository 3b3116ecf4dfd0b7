"""The stage `prepare --faces`: from a folder of rendered faces to crops, splits and pictures, and all its flaws."""

from __future__ import annotations

import csv
import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from typer.testing import CliRunner

from peer.perception.crop import crop_face
from signaling.errors import ConfigInvalid
from tests.training.rendered import draw, make_truth, truths_of, write_folder
from training.cli import app
from training.errors import TrainingFailed
from training.faces.crops import USUAL, BoxMap, FaceBox
from training.faces.folder import Shot
from training.faces.label import LabelRule
from training.faces.look import Sighting
from training.faces.pictures import SIDE, Pictures, load_pictures
from training.faces.place import Sight, place
from training.faces.prepare import FacesConfig, run
from training.faces.truth import Mode
from training.images import read_crop
from training.splits import PARTS, load_splits
from training.stage import read_record

PEOPLE = 9


@pytest.fixture(scope="module")
def folder_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered faces with one of each flaw."""
    folder = write_folder(tmp_path_factory.mktemp("rendered") / "faces", truths_of(PEOPLE))
    stray = draw(make_truth(5))
    cv2.imwrite(str(folder / "images" / "stray.png"), stray)
    (folder / "images" / ".0000003.partial.png").write_bytes(b"of a render that was killed")
    (folder / "images" / "0000001.png").unlink()
    (folder / "images" / "0000002.png").write_bytes(b"no image")
    cv2.imwrite(str(folder / "images" / "0000003.png"), stray[:50])
    with (folder / "truth.jsonl").open("ab") as stream:
        lost = make_truth(900, person=4, head_box=(1.2, 0.2, 1.6, 0.8))
        stream.write(msgspec.json.encode(lost) + b'\n{"id": 901, "file": "imag')
    cv2.imwrite(str(folder / "images" / "0000900.png"), stray)
    return folder


@pytest.fixture(scope="module")
def prepared_original(folder_original: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run folder, and what the command said."""
    out = tmp_path_factory.mktemp("prepared") / "run"
    command = ["prepare", "--faces", str(folder_original), "--out", str(out), "--jobs", "1"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    return out, result.output


@pytest.fixture
def folder(folder_original: Path, tmp_path: Path) -> Path:
    """Rendered faces to change; their times stay."""
    return Path(shutil.copytree(folder_original, tmp_path / "faces"))


@pytest.fixture
def prepared(prepared_original: tuple[Path, str], folder: Path, tmp_path: Path) -> Path:
    """A run folder to change, of `folder`."""
    out = Path(shutil.copytree(prepared_original[0], tmp_path / "run"))
    record = json.loads((out / "prepare.json").read_text())
    record["settings"]["faces"] = "../faces"
    record["inputs"] = {"../faces/truth.jsonl": next(iter(record["inputs"].values()))}
    (out / "prepare.json").write_text(json.dumps(record))
    return out


def config(faces: Path, out: Path, **changes: object) -> FacesConfig:
    """As the fixture has it."""
    usual = FacesConfig(faces=faces, out=out, crop_scale=1.25, jobs=1, seed=42, force=False)
    return replace(usual, **changes)  # type: ignore[arg-type]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def pictures_of(out: Path) -> Pictures:
    return load_pictures(out, load_splits(out).sha256)


def test_every_flaw_is_counted_with_its_name_and_stops_nothing(prepared: Path) -> None:
    drops = [
        (row["person"], row["class"], row["reason"], row["detail"]) for row in rows(prepared / "prepare/drops.csv")
    ]
    assert drops == [
        ("000000", "not_attentive", "truth without an image", "images/0000001.png"),
        ("000004", "attentive", "no head in the image", "images/0000900.png, head box (1.2, 0.2, 1.6, 0.8)"),
        ("", "unlabelled", "image without truth", "images/stray.png"),
        ("000000", "attentive", "image does not decode", "images/0000002.png"),
        ("000000", "not_attentive", "image not square", "images/0000003.png"),
    ]


def test_splits_hold_every_person_once_with_the_rules_labels(prepared: Path) -> None:
    splits = load_splits(prepared)
    persons = [set(splits.persons(part)) for part in PARTS]
    assert len(set.union(*persons)) == sum(len(part) for part in persons) == PEOPLE
    truths = {Path(truth.file).stem: truth for truth in pictures_of(prepared).truths}
    for part in PARTS:
        for sample in splits[part]:
            truth = truths[Path(sample.file).stem]
            assert sample.label == LabelRule().attentive(truth) == (truth.mode is Mode.ATTENTIVE)
            assert sample.person == f"{truth.person:06d}" and sample.clip == truth.scene
    assert splits.crop_scale == 1.25
    assert splits.settings["per_class"] is None and splits.settings["rule_version"] == LabelRule().version


def test_pictures_are_the_rendered_ones_in_the_order_of_their_ids(prepared: Path, folder: Path) -> None:
    pictures = pictures_of(prepared)
    assert [truth.id for truth in pictures.truths] == [0, *range(4, 72)]
    assert pictures.images.shape == (69, SIDE, SIDE, 3) and pictures.images.dtype == np.uint8
    for number in (0, 7, 68):
        drawn = cv2.imread(str(folder / pictures.truths[number].file))
        expected = cv2.cvtColor(cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), cv2.COLOR_BGR2RGB)
        assert (pictures.images[number] == expected).all()
    part_of = {sample.file[-11:-4]: part for part in PARTS for sample in load_splits(prepared)[part]}
    assert list(pictures.parts) == [part_of[f"{truth.id:07d}"] for truth in pictures.truths]


def test_a_crop_is_the_products_crop_of_the_box_beside_it(prepared: Path, folder: Path) -> None:
    pictures = pictures_of(prepared)
    for row in rows(prepared / "faces" / "index.csv")[::7]:
        number = pictures.by_crop()[Path(row["file"]).stem]
        x, y, side = (float(row[name]) for name in ("x", "y", "side"))
        assert pictures.boxes[number].tolist() == pytest.approx([SIDE * x, SIDE * y, SIDE * side], abs=0.02)
        bgr = cv2.imread(str(folder / pictures.truths[number].file))
        wanted = crop_face(bgr, FaceBox(x, y, side).in_pixels(bgr.shape[0]), 1.25)
        assert np.abs(read_crop(prepared / row["file"]).astype(int) - wanted).mean() < 3  # JPEG's losses
        assert (row["box"] == "found") == pictures.detected[number]


def test_the_record_and_the_tables_tell_what_the_detector_did(prepared: Path) -> None:
    record = read_record(prepared, "prepare")
    results = record["results"]
    table = {row["mode"]: row for row in rows(prepared / "prepare" / "detections.csv")}
    assert list(table) == ["attentive", "away", "down", "gaze_off", "closed", "all"]
    assert [table["all"][name] for name in ("images", "found", "wrong", "lost")] == ["69", "61", "0", "8"]
    assert [table[mode]["recall"] for mode in ("attentive", "away")] == ["1.0", "0.0"]
    assert results["detections"][-1]["recall"] == round(61 / 69, 4)
    assert results["images"] == 69 and results["people"] == PEOPLE
    assert results["drops"]["image without truth"] == 1
    assert results["splits_sha256"] == load_splits(prepared).sha256
    assert {"pictures/images.npy", "pictures/meta.json", "dataset_splits.json"} <= record["outputs"].keys()
    assert "warning: the detector found fewer than 64 faces" in results["warnings"][-1]


def test_sheets_and_summary_are_there_to_look_at(prepared: Path) -> None:
    for name in ("modes", "part-train", "part-val", "part-test", "lost"):
        sheet = cv2.imread(str(prepared / "prepare" / f"{name}.jpg"))
        assert sheet is not None and sheet.shape[1] == 8 * 168 + 8
    assert not (prepared / "prepare" / "wrong.jpg").exists()
    assert "| all | 69 | 61 | 0 | 8 | 0.8841 |" in (prepared / "prepare" / "summary.md").read_text()


def test_the_command_ends_with_a_few_plain_lines(prepared_original: tuple[Path, str]) -> None:
    lines = prepared_original[1].splitlines()
    assert "69 images of 9 rendered people" in lines[0]
    assert "the detector found 88.4% of the faces (attentive 100%, away 0%," in lines[1]
    assert "image without truth 1" in lines[2]
    assert all(line.startswith("prepare: ") for line in lines)


def test_a_second_run_does_nothing(prepared: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in prepared.rglob("*.*")}
    run(config(folder, prepared))
    assert "`prepare` is done already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in prepared.rglob("*.*")} == before


def test_more_images_are_searched_alone_and_all_are_cut_again(prepared: Path, folder: Path) -> None:
    looks = {path.name: path.stat().st_mtime_ns for path in (prepared / "faces" / "looks").iterdir()}
    assert sorted(looks) == ["00000.json", "00001.json", "00002.json"]
    stale = prepared / "faces" / "attentive" / "0000005.jpg"
    stale.write_bytes(b"of another rule")
    more = truths_of(12)[72:]
    known = (folder / "truth.jsonl").read_bytes().rpartition(b"\n")[0] + b"\n"
    write_folder(folder, more)
    (folder / "truth.jsonl").write_bytes(known + (folder / "truth.jsonl").read_bytes())
    run(config(folder, prepared))
    assert len(pictures_of(prepared).truths) == 69 + 24
    again = {
        path.name
        for path in (prepared / "faces" / "looks").iterdir()
        if looks.get(path.name) != path.stat().st_mtime_ns
    }
    assert again == {"00002.json"}
    assert not stale.exists()


def test_an_image_that_was_rendered_again_is_searched_again(prepared: Path, folder: Path) -> None:
    place = pictures_of(prepared).by_crop()["0000005"]
    assert pictures_of(prepared).detected[place]
    image = folder / "images" / "0000005.png"
    assert pictures_of(prepared).truths[place].mode is not Mode.AWAY
    cv2.imwrite(str(image), np.full((96, 96, 3), 60, np.uint8))
    run(config(folder, prepared))
    assert not pictures_of(prepared).detected[place]
    assert (pictures_of(prepared).images[place] == 60).all()


@pytest.mark.parametrize("gone", ["pictures/images.npy", "faces/attentive/0000004.jpg"])
def test_what_is_gone_is_made_again(prepared: Path, folder: Path, gone: str) -> None:
    whole = load_splits(prepared).sha256
    (prepared / gone).unlink()
    run(config(folder, prepared))
    assert (prepared / gone).is_file()
    assert load_splits(prepared).sha256 == whole


def test_a_full_disk_is_said_and_leaves_nothing_that_looks_done(
    prepared: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        def __getattr__(self, _name: str) -> object:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("training.faces.pictures.np.lib.format.write_array_header_1_0", Full())
        patch.setattr("training.faces.pictures.np.lib.format.write_array_header_1_0", lambda *_: Full().write)
        with pytest.raises(TrainingFailed, match=r"expected room on the disk for .*images.npy, got none"):
            run(config(folder, prepared, seed=43))
    assert not (prepared / "prepare.json").exists() and not (prepared / "dataset_splits.json").exists()
    assert not (prepared / "pictures" / "meta.json").exists()
    assert not list((prepared / "pictures").glob(".*"))


def test_pictures_of_other_splits_or_damaged_ones_are_refused(prepared: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected the pictures in .* to be those of the splits ffffffffffff…"):
        load_pictures(prepared, "f" * 64)
    sha256 = load_splits(prepared).sha256
    boxes = np.load(prepared / "pictures" / "boxes.npy")
    np.save(prepared / "pictures" / "boxes.npy", boxes[:-1])
    with pytest.raises(TrainingFailed, match="expected 69 pictures of 192x192 with as many boxes"):
        load_pictures(prepared, sha256)
    (prepared / "pictures" / "images.npy").write_bytes(b"half a")
    with pytest.raises(TrainingFailed, match="expected rendered pictures in"):
        load_pictures(prepared, sha256)


def test_a_face_found_elsewhere_gets_the_truths_box_and_is_called_wrong() -> None:
    truth, boxes = make_truth(), BoxMap(USUAL, 0)
    shot, expected = Shot(truth, Path("a.png"), 0, 0), boxes.expected(truth)
    near = FaceBox(expected.x + 0.01, expected.y, expected.side)
    far = FaceBox(0.9, 0.9, 0.1)
    sights = [place(shot, Sighting(box), "test", boxes, LabelRule()) for box in (near, far, None)]
    assert [one.sight for one in sights] == [Sight.FOUND, Sight.WRONG, Sight.LOST]
    assert [one.box for one in sights] == [near, expected, expected]
    assert [one.wrong for one in sights] == [None, far, None]


def test_a_folder_without_truth_or_without_any_image_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected the truth of rendered faces at .*truth.jsonl, got: .*render"):
        run(config(tmp_path, tmp_path / "run"))
    (tmp_path / "truth.jsonl").write_bytes(msgspec.json.encode(make_truth()) + b"\n")
    with pytest.raises(TrainingFailed, match=r"expected rendered images in .* got 1 lines of truth and no image"):
        run(config(tmp_path, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_faces_of_one_class_only_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path / "faces", [make_truth(8 * person) for person in range(4)])
    with pytest.raises(TrainingFailed, match="expected images of both classes in the part 'train'"):
        run(config(tmp_path / "faces", tmp_path / "run"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "expected either --data or --faces, got none of them"),
        (["--data", "a", "--faces", "b"], "expected either --data or --faces, got both of them"),
        (["--faces", "b", "--per-class", "30"], "expected --per-class with --data only"),
        (["--faces", "b", "--split", "frames"], "expected --split with --data only"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(options: list[str], said: str, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["prepare", "--out", str(tmp_path / "run"), *options])
    assert isinstance(result.exception, ConfigInvalid)
    assert result.exception.message.startswith(said)
