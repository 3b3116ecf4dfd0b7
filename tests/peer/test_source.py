from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from peer import camera, videofile
from peer.camera import CameraConfig, CameraMissingError, CameraSource
from peer.source import Frame, Pixels, Source, SourceState
from peer.sources import make_source
from peer.testpattern import TestPatternSource
from peer.videofile import FileSource
from signaling.errors import ConfigInvalid, SourceUnavailable
from tests.media import flat_vp8
from tests.peer.clips import CLIPS
from tests.peer.fake_source import FakeSource

States = queue.Queue[tuple[SourceState, str]]


class FakeCamera:
    """Gives `frames` pictures, then fails for good."""

    def __init__(self, frames: int) -> None:
        self.left, self.released = frames, False

    def read(self) -> tuple[bool, Pixels | None]:
        self.left -= 1
        return (True, np.zeros((48, 64, 3), np.uint8)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


@pytest.fixture
def run_source() -> Iterator[Callable[[Source], States]]:
    started: list[Source] = []

    def run(source: Source) -> States:
        states: States = queue.Queue()
        source.start(lambda state, reason: states.put((state, reason)))
        started.append(source)
        return states

    yield run
    for source in started:
        source.close()
    assert not any(thread.name == "edgeattend-source" for thread in threading.enumerate())


def take(source: Source, count: int) -> list[Frame]:
    frames: list[Frame] = []
    for _ in range(count):
        frame = source.wait_newer(frames[-1].seq if frames else 0, 10.0)
        assert frame is not None
        frames.append(frame)
    return frames


def test_a_file_plays_in_real_time(run_source: Callable[[Source], States]) -> None:
    source = FileSource(CLIPS / "ana.mp4")
    states = run_source(source)
    frames = take(source, 9)
    assert frames[0].bgr.shape == (480, 640, 3)
    assert states.get(timeout=5) == (SourceState.LIVE, "")
    elapsed = frames[-1].captured_s - frames[0].captured_s
    assert elapsed > 0.8 * (len(frames) - 1) / 15


def test_a_file_begins_anew_at_its_end(run_source: Callable[[Source], States], tmp_path: Path) -> None:
    path = tmp_path / "short.mp4"
    write_video(path, frames=3)
    source = FileSource(path)
    run_source(source)
    assert take(source, 8)[-1].seq >= 8


@pytest.mark.parametrize("content", [None, b"", b"not a video", b"\x00" * 5000])
def test_a_missing_or_broken_file_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "clip.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceUnavailable, match=r"expected a readable video .*clip\.mp4"):
        FileSource(path).start()


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    write_video(path, frames=6)
    path.write_bytes(path.read_bytes()[:-200])  # its index, which is at the end
    with pytest.raises(SourceUnavailable, match=r"clip\.mp4"):
        FileSource(path).start()


def test_a_truncated_file_whose_index_is_there_plays_as_far_as_it_goes(
    run_source: Callable[[Source], States], tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes((CLIPS / "ana.mp4").read_bytes()[:50_000])
    source = FileSource(path)
    run_source(source)
    assert take(source, 3)[-1].bgr.shape == (480, 640, 3)


def test_a_camera_that_is_not_there_is_a_state_and_no_error(
    run_source: Callable[[Source], States], capfd: pytest.CaptureFixture[str]
) -> None:
    states = run_source(CameraSource(CameraConfig(99)))
    state, reason = states.get(timeout=5)
    assert state is SourceState.LOST
    assert "camera 99" in reason
    assert capfd.readouterr() == ("", "")


def test_a_lost_camera_comes_back(run_source: Callable[[Source], States], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "RETRY_FIRST_S", 0.01)
    cameras = [FakeCamera(3), None, FakeCamera(10**9)]
    opened: list[FakeCamera] = []

    def open_camera(_config: CameraConfig) -> FakeCamera:
        one = cameras.pop(0)
        if one is None:
            raise CameraMissingError("unplugged")
        opened.append(one)
        return one

    source = CameraSource(CameraConfig(0), open_camera)
    states = run_source(source)
    seen = [states.get(timeout=5) for _ in range(4)]
    assert [state for state, _ in seen] == [SourceState.LIVE, SourceState.LOST, SourceState.LOST, SourceState.LIVE]
    assert [reason for _, reason in seen] == ["", "camera 0 gives no picture", "unplugged", ""]
    assert opened[0].released
    assert source.wait_newer(3, 5) is not None


def test_a_lost_source_shows_no_old_picture() -> None:
    source = FakeSource()
    source.show()
    assert source.latest() is not None
    source.lose()
    assert source.latest() is None
    assert (source.state, source.reason) == (SourceState.LOST, "unplugged")


def test_only_the_latest_frame_is_kept() -> None:
    source = FakeSource()
    for _ in range(5):
        source.show()
    frame = source.wait_newer(0, 1)
    assert frame is not None
    assert frame.seq == 5
    assert source.wait_newer(5, 0.01) is None


def test_the_test_pattern_moves(run_source: Callable[[Source], States]) -> None:
    source = TestPatternSource()
    run_source(source)
    first, second = take(source, 2)
    assert first.bgr.shape == (480, 640, 3)
    assert not np.array_equal(first.bgr, second.bgr)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("test", TestPatternSource), ("camera:1", CameraSource), ("camera", CameraSource), ("a.mp4", FileSource)],
)
def test_a_source_is_made_from_its_name(text: str, kind: type[Source]) -> None:
    assert isinstance(make_source(text), kind)


@pytest.mark.parametrize("text", ["", "camera:", "camera:-1", "camera:x", "camera:²"])
def test_a_source_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ConfigInvalid):
        make_source(text)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "film.mp4")
    with pytest.raises(SourceUnavailable, match=r"film\.mp4, got: a pipe or a device, no file"):
        FileSource(tmp_path / "film.mp4").start()


def test_a_playlist_that_names_itself_opens_no_files(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_text("ffconcat version 1.0\nfile film.mp4\n")
    with pytest.raises(SourceUnavailable, match=r"readable video file at .*film\.mp4, got: Invalid argument"):
        FileSource(tmp_path / "film.mp4").start()


def test_a_video_of_an_unknown_codec_is_refused(tmp_path: Path) -> None:
    write_video(tmp_path / "film.avi", 2)
    (tmp_path / "film.avi").write_bytes((tmp_path / "film.avi").read_bytes().replace(b"H264", b"ZZZZ"))
    with pytest.raises(SourceUnavailable, match="without a video stream"):
        FileSource(tmp_path / "film.avi").start()


def test_frames_of_too_many_pixels_are_not_decoded(tmp_path: Path) -> None:
    frame = flat_vp8(64, 48, (90, 110, 150))
    huge = frame[:6] + (12_000).to_bytes(2, "little") * 2 + frame[10:]
    header = b"DKIF\0\0\x20\0VP80" + bytes(4) + b"\x19\0\0\0\1\0\0\0\1\0\0\0" + bytes(4)
    (tmp_path / "film.ivf").write_bytes(header + len(huge).to_bytes(4, "little") + bytes(8) + huge)
    with pytest.raises(SourceUnavailable, match=r"readable video file at .*film\.ivf, got: Invalid argument"):
        FileSource(tmp_path / "film.ivf").start()


def test_a_title_in_latin_1_does_no_harm(tmp_path: Path) -> None:
    write_video(tmp_path / "film.avi", 2, title="Film")
    (tmp_path / "film.avi").write_bytes((tmp_path / "film.avi").read_bytes().replace(b"Film", b"F\xfclm"))
    FileSource(tmp_path / "film.avi")._prepare()


def test_a_stream_that_libav_finds_too_late_ends_the_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_video(tmp_path / "film.mp4", 2)

    def decode(_container: object) -> None:
        raise IndexError("list index out of range")  # as PyAV does for a stream that begins in the middle of a file

    monkeypatch.setattr(videofile, "first_video", decode)
    with pytest.raises(SourceUnavailable, match=r"film\.mp4, got: list index"):
        FileSource(tmp_path / "film.mp4").start()


def test_a_very_wide_picture_keeps_a_line(tmp_path: Path) -> None:
    wide = av.VideoFrame.from_ndarray(np.zeros((1, 4000, 3), np.uint8), format="bgr24")
    assert videofile._to_bgr(wide).shape == (1, 1280, 3)


def write_video(path: Path, frames: int, title: str = "") -> None:
    with av.open(str(path), "w") as container:
        if title:
            container.metadata["title"] = title
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), number * 40, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
