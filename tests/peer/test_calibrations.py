from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from peer.calibrations import FILE_NAME, MAX_BYTES, Calibrations, CalibrationUnusable, Entry
from peer.perception.calibration import Offset

ANA = Entry("Ana", "camera:0", "m1", Offset(12.5, -3.0, 10.0, -8.0, 0.8))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "config" / "edgeattend"


def test_what_was_kept_is_found_again_by_name_and_source(folder: Path) -> None:
    kept = Calibrations(folder)
    assert kept.load("Ana", "camera:0", "m1") is None
    kept.save(ANA)
    kept.save(Entry("Ana", "camera:1", "m1", Offset(yaw=-5.0)))
    kept.save(Entry("Ben", "camera:0", "m1", Offset(yaw=7.0)))
    again = Calibrations(folder)
    assert again.load("Ana", "camera:0", "m1") == ANA.offset
    assert again.load("Ana", "camera:1", "m1") == Offset(yaw=-5.0)
    assert again.load("Ben", "camera:0", "m1") == Offset(yaw=7.0)
    assert again.load("Ben", "camera:1", "m1") is None


def test_a_newer_calibration_takes_the_place_of_the_older(folder: Path) -> None:
    kept = Calibrations(folder)
    kept.save(ANA)
    kept.save(Entry("Ana", "camera:0", "m2", Offset(yaw=1.0)))
    assert kept.load("Ana", "camera:0", "m2") == Offset(yaw=1.0)
    assert len(json.loads((folder / FILE_NAME).read_text())["people"]) == 1


def test_only_its_owner_may_read_the_file(folder: Path) -> None:
    Calibrations(folder).save(ANA)
    assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == [FILE_NAME]


def test_a_calibration_made_with_another_model_is_not_used(folder: Path) -> None:
    Calibrations(folder).save(ANA)
    with pytest.raises(CalibrationUnusable, match="another"):
        Calibrations(folder).load("Ana", "camera:0", "m2")


GOOD = {"version": 1, "people": [{"name": "Ana", "source": "camera:0", "model": "m1", "offset": {"yaw": 12.5}}]}


def damaged(**offset: object) -> str:
    return json.dumps(GOOD | {"people": [GOOD["people"][0] | {"offset": offset}]})  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "damaged"),
        ("{", "damaged"),
        (json.dumps(GOOD)[:-5], "damaged"),
        ("[1]", "damaged"),
        ("\udcff", "damaged"),
        (json.dumps(GOOD | {"people": "Ana"}), "damaged"),
        (json.dumps(GOOD | {"version": 2, "people": {}}), "expected calibrations of version 1 .*, got version 2"),
        (damaged(yaw="left"), "damaged"),
        (damaged(yaw=170.0), "damaged"),
        (damaged(lid=0.0), "damaged"),
        ('{"version": 1, "people": ' + "[" * 100_000, "damaged"),
        ('{"more": ' + "[" * 100_000 + "]" * 100_000 + ', "version": 1}', "damaged"),
        (json.dumps(GOOD) + " " * MAX_BYTES, "a file of more than"),
    ],
)
def test_a_bad_file_is_named_and_not_used_and_the_next_calibration_begins_anew(
    folder: Path, text: str, expected: str
) -> None:
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_bytes(text.encode(errors="surrogateescape"))
    kept = Calibrations(folder)
    with pytest.raises(CalibrationUnusable, match=expected) as caught:
        kept.load("Ana", "camera:0", "m1")
    assert FILE_NAME in caught.value.message
    assert "Ana" not in caught.value.message
    kept.save(ANA)
    assert kept.load("Ana", "camera:0", "m1") == ANA.offset


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE_NAME)
    with pytest.raises(CalibrationUnusable, match="a pipe or a device"):
        Calibrations(tmp_path).load("Ana", "camera:0", "m1")
    Calibrations(tmp_path).save(ANA)
    assert Calibrations(tmp_path).load("Ana", "camera:0", "m1") == ANA.offset


def test_forgetting_takes_every_source_of_that_name_and_nobody_elses(folder: Path) -> None:
    kept = Calibrations(folder)
    kept.save(ANA)
    kept.save(Entry("Ana", "camera:1", "m1", Offset()))
    kept.save(Entry("Ben", "camera:0", "m1", Offset()))
    kept.forget("Ana")
    assert "Ana" not in (folder / FILE_NAME).read_text()
    assert kept.load("Ben", "camera:0", "m1") == Offset()
    kept.forget("Ben")
    assert not (folder / FILE_NAME).exists()
    kept.forget("Ben")


def test_forgetting_leaves_no_damaged_file_behind_either(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / FILE_NAME).write_text('{"people": [{"name": "Ana"')
    Calibrations(folder).forget("Ana")
    assert not (folder / FILE_NAME).exists()


def test_a_place_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CalibrationUnusable, match=f"expected to write .*{FILE_NAME}"):
        Calibrations(tmp_path / "file").save(ANA)
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(CalibrationUnusable, match=f"expected to read .*{FILE_NAME}"):
        Calibrations(tmp_path).load("Ana", "camera:0", "m1")
    with pytest.raises(CalibrationUnusable, match=f"expected to write .*{FILE_NAME}"):
        Calibrations(tmp_path).save(ANA)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(FILE_NAME)] == [FILE_NAME]
    with pytest.raises(CalibrationUnusable, match=f"expected to write .*{FILE_NAME}"):
        Calibrations(tmp_path).forget("Ana")
