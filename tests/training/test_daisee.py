"""DAiSEE on disk: what is found, what cannot be used and why, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from training.daisee import read_daisee
from training.drops import Reason
from training.errors import TrainingFailed

HEADER = "ClipID,Boredom,Engagement,Confusion,Frustration \n"


def add_clip(data: Path, part: str, person: str, clip: str, video: str | None = None) -> Path:
    folder = data / "DataSet" / part / person / clip
    folder.mkdir(parents=True)
    path = folder / (video or f"{clip}.avi")
    path.write_bytes(b"a video")
    return path


def add_labels(data: Path, rows: str, name: str = "TrainLabels.csv", header: str = HEADER) -> None:
    (data / "Labels").mkdir(parents=True, exist_ok=True)
    (data / "Labels" / name).write_text(header + rows)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two labelled clips of two persons, and room for a flaw."""
    add_clip(tmp_path, "Train", "1", "11")
    add_clip(tmp_path, "Test", "2", "21")
    add_labels(tmp_path, "11.avi,0,2,0,0\n21.avi,0,1,0,0\n")
    return tmp_path


def drops_of(data: Path) -> dict[str, Reason]:
    return {drop.clip: drop.reason for drop in read_daisee(data).drops}


def test_clips_come_with_part_and_engagement(data: Path) -> None:
    found = read_daisee(data)
    assert [(clip.person, clip.clip, clip.part, clip.engagement, clip.label) for clip in found.clips] == [
        ("1", "11", "train", 2, 1),
        ("2", "21", "test", 1, 0),
    ]
    assert found.drops == []


@pytest.mark.parametrize("cell", ["31", "31.avi", "31.AVI", "31.mp4", " 31.avi "])
def test_a_label_names_its_clip_with_any_extension_or_none(data: Path, cell: str) -> None:
    add_clip(data, "Validation", "3", "31", "31.MP4")
    add_labels(data, f"{cell},0,3.0,0,0\n", "ValidationLabels.csv", "\ufeff ClipID,Boredom, engagement ,A,B\n")
    assert [clip.engagement for clip in read_daisee(data).clips if clip.clip == "31"] == [3]


def test_a_video_may_have_another_name_than_its_folder(data: Path) -> None:
    add_clip(data, "Train", "3", "first", "31.avi")
    add_labels(data, "31.avi,0,0,0,0\n", "More.csv")
    found = read_daisee(data)
    assert [clip.clip for clip in found.clips] == ["11", "21", "first"]
    assert found.drops == []


def test_what_cannot_be_used_is_named_with_its_reason(data: Path) -> None:
    for clip in ("32", "33", "34", "35"):
        add_clip(data, "Train", "3", clip)
    (data / "DataSet" / "Train" / "3" / "36").mkdir()
    add_labels(data, "33,0,4,0,0\n34,0,1,0,0\n34,0,2,0,0\n35,0,,0,0\n99,0,1,0,0\n\n,,\n", "More.csv")
    assert drops_of(data) == {
        "32": Reason.NO_LABEL,
        "33": Reason.BAD_LABEL,
        "34": Reason.CONTRADICTION,
        "35": Reason.BAD_LABEL,
        "36": Reason.EMPTY_FOLDER,
        "99": Reason.NO_VIDEO,
    }
    assert len(read_daisee(data).clips) == 2


def test_the_same_label_twice_is_no_contradiction(data: Path) -> None:
    add_labels(data, "11.avi,0,2,0,0\n21.avi,0,1,0,0\n21,3,1,3,3\n", "AllLabels.csv")
    assert drops_of(data) == {}


def test_of_several_videos_the_one_with_the_clips_name_is_taken(data: Path) -> None:
    folder = add_clip(data, "Train", "3", "31").parent
    (folder / "2.avi").write_bytes(b"another")
    (folder / "._31.avi").write_bytes(b"left by macOS")
    add_clip(data, "Test", "3", "31")  # the same clip in a second part
    add_labels(data, "31,0,2,0,0\n", "More.csv")
    found = read_daisee(data)
    assert [clip.video for clip in found.clips if clip.clip == "31"] == [folder / "31.avi"]
    assert [(drop.reason, drop.detail) for drop in found.drops] == [
        (Reason.SECOND_VIDEO, "DataSet/Train/3/31/2.avi"),
        (Reason.SECOND_VIDEO, "DataSet/Test/3/31/31.avi"),
    ]


def test_the_fingerprint_follows_labels_and_videos(data: Path) -> None:
    before = read_daisee(data).fingerprint()
    assert read_daisee(data).fingerprint() == before
    add_labels(data, "11.avi,0,3,0,0\n21.avi,0,1,0,0\n")
    relabelled = read_daisee(data).fingerprint()
    (data / "DataSet" / "Train" / "1" / "11" / "11.avi").write_bytes(b"a longer video")
    assert len({before, relabelled, read_daisee(data).fingerprint()}) == 3


def test_missing_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected DAiSEE's folder at .*nowhere.*--data"):
        read_daisee(tmp_path / "nowhere")
    with pytest.raises(TrainingFailed, match=r"expected Labels/ in"):
        read_daisee(tmp_path)
    (tmp_path / "Labels").mkdir()
    with pytest.raises(TrainingFailed, match=r"expected DAiSEE's labels, such as TrainLabels.csv, .*got no CSV file"):
        read_daisee(tmp_path)
    add_labels(tmp_path, "11,0,1,0,0\n")
    with pytest.raises(TrainingFailed, match=r"expected DataSet/ in"):
        read_daisee(tmp_path)
    (tmp_path / "DataSet" / "Other").mkdir(parents=True)
    with pytest.raises(TrainingFailed, match=r"expected Train/, Validation/ and Test/ in"):
        read_daisee(tmp_path)
    (tmp_path / "DataSet" / "Train").mkdir()
    with pytest.raises(TrainingFailed, match=r"expected labelled videos in .*, got none \(label without a video\)"):
        read_daisee(tmp_path)


@pytest.mark.parametrize("content", ["", HEADER, HEADER + ",,,,\n"])
def test_empty_labels_are_refused(data: Path, content: str) -> None:
    add_labels(data, "", header=content)
    with pytest.raises(TrainingFailed, match=r"expected labels in .*, got no row in TrainLabels.csv"):
        read_daisee(data)


def test_labels_without_a_column_for_engagement_are_refused(data: Path) -> None:
    add_labels(data, "11,0\n", header="ClipID,Boredom\n")
    with pytest.raises(TrainingFailed, match=r"expected the columns ClipID and Engagement in .*, got 'ClipID,Boredom'"):
        read_daisee(data)


def test_one_class_only_is_refused(data: Path) -> None:
    add_labels(data, "11,0,2,0,0\n21,0,3,0,0\n")
    with pytest.raises(TrainingFailed, match=r"expected clips of both classes in .*, got 2 attentive .* and 0 not"):
        read_daisee(data)


def test_labels_in_a_pipe_are_not_waited_for(data: Path) -> None:
    os.mkfifo(data / "Labels" / "AllLabels.csv")
    with pytest.raises(TrainingFailed, match=r"expected labels in .*AllLabels\.csv, got: a pipe or a device"):
        read_daisee(data)


def test_a_name_that_is_no_utf_8_is_shown(data: Path) -> None:
    (data / "DataSet" / "Train" / os.fsdecode(b"caf\xe9")).mkdir()
    with pytest.raises(TrainingFailed, match=r"names in UTF-8 in .*Train, got 'caf.udce9': rename it"):
        read_daisee(data)
