"""One clip's faces: which frames, which files, and that a broken video stops nothing."""

from __future__ import annotations

import errno
import os
import wave
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from peer.perception.crop import Pixels
from tests.training.daisee_tree import AWAY, LOOKS, frames_of, write_video
from training.daisee import Clip
from training.drops import Drop, Reason
from training.errors import TrainingFailed
from training.extract import Extracted, Task, crashed, extract_clip, read_done, safe


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a second, 8 frames at 15 per second."""
    return write_video(tmp_path_factory.mktemp("video") / "11.avi", frames_of("zuri", "plain", LOOKS))


def task_of(run: Path, video: Path, crop_scale: float = 1.0) -> Task:
    return Task(run, Clip("1", "11", "train", video, 2), crop_scale)


def extracted(run: Path, video: Path) -> Extracted:
    return extract_clip(task_of(run, video))[1]


def reasons(found: Extracted) -> list[Reason]:
    return [drop.reason for drop in found.drops]


def test_five_frames_per_second_give_their_faces(tmp_path: Path, video: Path) -> None:
    found = extracted(tmp_path, video)
    assert [face.frame for face in found.faces] == [0, 3, 6]
    assert [face.time_s for face in found.faces] == [0.0, 0.2, 0.4]
    assert [face.file for face in found.faces] == [f"faces/attentive/1_11_{n:05d}.jpg" for n in (0, 3, 6)]
    crop = cv2.imread(str(tmp_path / found.faces[0].file))
    assert crop is not None and crop.shape == (160, 160, 3)
    assert (found.frames, found.drops) == (3, [])


def test_crops_show_the_face_in_its_colours(tmp_path: Path, video: Path) -> None:
    face = extracted(tmp_path, video).faces[0]
    frame = next(frames_of("zuri", "plain", LOOKS))
    left, top, side = (round(value) for value in (face.left, face.top, face.side))
    expected = cv2.resize(frame[top : top + side, left : left + side], (160, 160), interpolation=cv2.INTER_AREA)
    crop = cv2.imread(str(tmp_path / face.file))
    assert crop is not None
    assert np.abs(crop.astype(int) - expected).mean() < 6


@pytest.mark.parametrize(("rate", "frames"), [(1000, [0, 6]), (3, list(range(8))), (60, [0])])
def test_any_rate_works_and_an_absurd_one_counts_as_thirty(tmp_path: Path, rate: int, frames: list[int]) -> None:
    video = write_video(tmp_path / "11.avi", frames_of("zuri", "plain", LOOKS), rate)
    assert [face.frame for face in extracted(tmp_path, video).faces] == frames


def test_frames_without_a_face_are_dropped_one_by_one(tmp_path: Path) -> None:
    dark: Pixels = np.zeros((480, 640, 3), np.uint8)
    found = extracted(tmp_path, write_video(tmp_path / "11.avi", iter([dark] * 7)))
    assert [(drop.frame, drop.reason) for drop in found.drops] == [(n, Reason.NO_FACE) for n in (0, 3, 6)]
    assert found.faces == []


def test_a_truncated_video_gives_what_is_left_of_it(tmp_path: Path) -> None:
    video = write_video(tmp_path / "11.avi", frames_of("mei", "plain", AWAY, 16))
    os.truncate(video, video.stat().st_size // 2)
    found = extracted(tmp_path, video)
    assert found.faces
    assert reasons(found) == [Reason.ENDS_EARLY]
    assert found.drops[0].detail.endswith("of 16 frames")


def test_a_video_that_is_damaged_inside_goes_on_behind_it(tmp_path: Path) -> None:
    video = write_video(tmp_path / "11.avi", frames_of("zuri", "plain", LOOKS, 32))
    data = bytearray(video.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 4000] = bytes(4000)
    video.write_bytes(data)
    found = extracted(tmp_path, video)
    assert found.faces[-1].frame > 20


@pytest.mark.parametrize("content", [b"", b"This is no video.\n" * 40, b"RIFF\x00\x00\x00\x00AVI LIST"])
def test_what_is_no_video_is_counted(tmp_path: Path, content: bytes) -> None:
    video = tmp_path / "11.avi"
    video.write_bytes(content)
    found = extracted(tmp_path, video)
    assert reasons(found) == [Reason.DOES_NOT_OPEN]
    assert str(tmp_path) not in found.drops[0].detail
    assert read_done(task_of(tmp_path, video)) == found


def test_sound_alone_and_no_frames_at_all_are_counted(tmp_path: Path, video: Path) -> None:
    with wave.open(str(tmp_path / "sound.avi"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(800))
    assert reasons(extracted(tmp_path, tmp_path / "sound.avi")) == [Reason.DOES_NOT_OPEN]
    data = video.read_bytes()
    (tmp_path / "nothing.avi").write_bytes(data[: data.index(b"movi") + 4])
    assert reasons(extracted(tmp_path, tmp_path / "nothing.avi")) == [Reason.NO_FRAME]


def test_a_finished_clip_is_known_until_something_changes(tmp_path: Path, video: Path) -> None:
    copy = tmp_path / "11.avi"
    copy.write_bytes(video.read_bytes())
    task = task_of(tmp_path, copy)
    assert read_done(task) is None
    found = extract_clip(task)[1]
    assert read_done(task) == found
    assert read_done(task_of(tmp_path, copy, 1.25)) is None
    assert read_done(replace(task, clip=replace(task.clip, engagement=1))) is None
    (tmp_path / found.faces[1].file).rename(tmp_path / "away.jpg")
    assert read_done(task) is None
    (tmp_path / "away.jpg").rename(tmp_path / found.faces[1].file)
    os.utime(copy, ns=(0, 0))
    assert read_done(task) is None


def test_a_video_that_is_gone_is_an_error_of_the_whole_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match=r"expected the video .*gone.avi.* see whether its disk is still there"):
        extract_clip(task_of(tmp_path, tmp_path / "gone.avi"))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"identity": 1}'])
def test_a_damaged_record_means_that_the_clip_is_done_again(tmp_path: Path, video: Path, content: str) -> None:
    task = task_of(tmp_path, video)
    task.record.parent.mkdir(parents=True)
    task.record.write_text(content)
    assert read_done(task) is None


@pytest.mark.parametrize(("code", "expected"), [(errno.ENOSPC, "room on the disk for"), (errno.EIO, "to be allowed")])
def test_a_disk_that_takes_no_more_ends_the_work_and_the_clip_is_not_done(
    tmp_path: Path, video: Path, monkeypatch: pytest.MonkeyPatch, code: int, expected: str
) -> None:
    def full(path: Path, _: bytes) -> int:
        raise OSError(code, os.strerror(code), str(path))

    task = task_of(tmp_path, video)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TrainingFailed, match=rf"expected {expected} .*jpg, got"):
        extract_clip(task)
    assert not task.record.exists()


def test_a_clip_that_crashes_the_decoder_is_counted_and_not_tried_again(tmp_path: Path, video: Path) -> None:
    task = task_of(tmp_path, video)
    _, found = crashed(task)
    assert found.drops == [Drop("1", "11", None, 1, Reason.CRASH)]
    assert read_done(task) == found


def test_file_names_are_safe_and_stay_apart() -> None:
    assert safe("110001") == "110001"
    names = ["a_b", "a b", "a/b", "../a", "", "ä", "a" * 65, "a" * 66]
    found = [safe(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(name.replace("-", "").isalnum() and name.isascii() for name in found)
