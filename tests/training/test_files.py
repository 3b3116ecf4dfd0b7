"""Files are whole or absent, and a disk that is full or locked is said in one sentence."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from training.errors import TrainingFailed
from training.files import read_json, remove, sha256_of, write_bytes, write_json, write_text, writing

FULL = Path("/dev/full")
"""A device on which every write finds the disk full."""


def test_what_is_written_is_there_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "report.md", "größer\n")
    write_bytes(tmp_path / "new" / "data.bin", b"\0\1")
    write_json(tmp_path / "new" / "record.json", {"name": "größer", "values": [1, 2.5, None]})
    assert (tmp_path / "new" / "report.md").read_bytes() == "größer\n".encode()
    assert (tmp_path / "new" / "data.bin").read_bytes() == b"\0\1"
    assert json.loads((tmp_path / "new" / "record.json").read_bytes()) == {"name": "größer", "values": [1, 2.5, None]}
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_until_the_block_ends_the_old_file_stands_under_its_name(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_text("old")
    with writing(path) as aside:
        aside.write_text("half")
        assert (path.read_text(), aside.suffix, aside.parent) == ("old", ".pth", tmp_path)
        aside.write_text("new")
    assert path.read_text() == "new"
    assert not aside.exists()


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path, old: str | None, error: type[BaseException]) -> None:
    path = tmp_path / "model.pth"
    if old is not None:
        path.write_text(old)
    with pytest.raises(error), writing(path) as aside:
        aside.write_text("half")
        raise error
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ([] if old is None else [old])


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_full_disk_is_said_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_text("old")
    (tmp_path / f".model.{os.getpid()}.partial.bin").symlink_to(FULL)
    with pytest.raises(TrainingFailed, match=r"expected room on the disk for .*model\.bin, got none: free some"):
        write_bytes(path, b"new")
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


def test_a_used_up_quota_is_a_full_disk(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="expected room on the disk"), writing(tmp_path / "model.bin"):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EIO, errno.ENAMETOOLONG])
def test_a_file_that_cannot_be_written_is_said(tmp_path: Path, code: int) -> None:
    told = pytest.raises(TrainingFailed, match=r"expected to be allowed to write .*model\.bin, got: no")
    with told, writing(tmp_path / "model.bin"):
        raise OSError(code, "no")


@pytest.mark.parametrize("name", ["file/model.bin", "file/deeper/model.bin", "folder"])
def test_a_file_where_a_folder_should_be_and_the_other_way_round_are_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(TrainingFailed, match="expected to be allowed to write"):
        write_bytes(tmp_path / name, b"new")
    assert {entry.name for entry in tmp_path.iterdir()} == {"file", "folder"}


def test_a_file_is_taken_away_and_one_that_cannot_be_is_said(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text("{}")
    remove(path)
    remove(path)
    assert not path.exists()
    path.mkdir()
    with pytest.raises(TrainingFailed, match=r"expected to be allowed to write .*record\.json"):
        remove(path)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")]])
def test_numbers_that_json_has_no_word_for_are_refused(tmp_path: Path, value: object) -> None:
    with pytest.raises(TrainingFailed, match=r"expected finite numbers in table\.json"):
        write_json(tmp_path / "table.json", value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe\xff"])
def test_json_that_is_not_there_or_none_is_refused_with_the_advice(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "record.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingFailed, match=r"expected the record at .*record\.json, got.*: run it again"):
        read_json(path, what="the record", advice="run it again")


def test_the_hash_is_that_of_the_whole_file(tmp_path: Path) -> None:
    data = os.urandom((1 << 20) + 7)  # more than one piece
    (tmp_path / "data").write_bytes(data)
    assert sha256_of(tmp_path / "data") == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("text", ['{"x": NaN}', "[-Infinity]", "[" * 100_000, "\xff"])
def test_what_json_has_no_word_for_and_what_has_no_bottom_is_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "record.json").write_text(text, encoding="latin-1")
    with pytest.raises(TrainingFailed, match=r"expected a record at .*record\.json, got no JSON .*: do something"):
        read_json(tmp_path / "record.json", what="a record", advice="do something")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "record.json")
    with pytest.raises(TrainingFailed, match="a pipe or a device"):
        read_json(tmp_path / "record.json", what="a record", advice="do something")
    with pytest.raises(OSError, match="a pipe or a device"):
        sha256_of(tmp_path / "record.json")
