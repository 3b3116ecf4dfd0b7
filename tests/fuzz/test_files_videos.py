"""Videos for `--source FILE`: whatever is in the file, there is a picture or a sentence, and the meeting goes on."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest

from peer import videofile
from peer.source import SourceState
from peer.videofile import MAX_GAP_S, MAX_HEIGHT, MAX_WIDTH, FileSource
from signaling.errors import SourceUnavailable
from tests.fuzz.budget import count, dice
from tests.fuzz.damage import ODDITIES, each_damage, in_time, make_odd
from tests.fuzz.process import open_files
from tests.media import flat_vp8

FRAMES = 12
KINDS = {
    "mp4": ("libx264", "yuv420p"), "mkv": ("libvpx", "yuv420p"), "webm": ("libvpx-vp9", "yuva420p"),
    "avi": ("mjpeg", "yuvj420p"), "mov": ("png", "rgb48be"), "gif": ("gif", "rgb8"), "nut": ("rawvideo", "gray16le"),
    "ts": ("mpeg2video", "yuv420p"), "flv": ("flv1", "yuv420p"),
}  # fmt: skip


def video(path: Path, codec: str, pixels: str, *, width: int = 64, height: int = 48, rate: Fraction | int = 25) -> Path:
    """A short film of changing greys."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        for number in range(FRAMES):
            picture = np.full((height, width, 3), number * 20, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def sound(path: Path) -> Path:
    """A file without a picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def ivf(width: int, height: int, times: list[int], *, fps: int = 25) -> bytes:
    """VP8 frames of any promised size, at any time; of 64x48 and 640x480 also pictures."""
    frame = flat_vp8(640, 480, (90, 110, 150)) if width == 640 else flat_vp8(64, 48, (90, 110, 150))
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    frame = frame[:6] + size + frame[10:]
    head = b"DKIF\0\0\x20\0VP80" + width.to_bytes(2, "little") + height.to_bytes(2, "little")
    head += fps.to_bytes(4, "little") + (1).to_bytes(4, "little") + len(times).to_bytes(4, "little") + bytes(4)
    return head + b"".join(len(frame).to_bytes(4, "little") + at.to_bytes(8, "little") + frame for at in times)


def frames(path: Path) -> Iterator[tuple[float, float]]:
    """(time, length) of what can be shown, as a source goes through its file. Raises `SourceUnavailable`."""
    source = FileSource(path)
    for at_s, length_s, frame in source._decode():
        height, width, channels = source._to_bgr(frame).shape
        longest = max(MAX_WIDTH, MAX_HEIGHT)  # it may lie on its side
        assert 1 <= width <= longest and 1 <= height <= longest and channels == 3
        yield at_s, length_s


def played(path: Path) -> int:
    """How many frames there are before the file ends, or ends being one."""
    found = 0
    last_s = 0.0
    try:
        for at_s, length_s in islice(frames(path), 100):
            assert math.isfinite(at_s) and 0.0 < length_s <= MAX_GAP_S
            assert 0.0 <= at_s <= last_s + MAX_GAP_S + length_s
            last_s = max(last_s, at_s)
            found += 1
    except SourceUnavailable as error:
        assert error.message.startswith("expected ") and path.name in error.message
    return found


@pytest.mark.parametrize("kind", ODDITIES)
def test_a_source_that_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    source = FileSource(make_odd(tmp_path / "film.mp4", kind))
    with pytest.raises(SourceUnavailable, match=r"expected .*film\.mp4"):
        in_time(source.start)
    source.close()


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_video_plays_as_far_as_it_goes(tmp_path: Path, kind: str) -> None:
    path = video(tmp_path / f"film.{kind}", *KINDS[kind])
    assert played(path) == FRAMES
    for _ in each_damage(path, path.read_bytes(), count(12), dice(5)):
        in_time(lambda: played(path))


@pytest.mark.parametrize(
    ("width", "height", "pixels"),
    [
        (2, 2, "yuv420p"),
        (2, 720, "yuv420p"),
        (1922, 2, "yuv420p"),
        (1, 1, "rgb24"),
        (3, 2001, "gray"),
        (64, 48, "nv12"),
    ],
)
def test_a_video_of_any_size_can_be_shown(tmp_path: Path, width: int, height: int, pixels: str) -> None:
    codec = "ffv1" if pixels in ("rgb24", "gray") else "libx264"
    pixels = {"rgb24": "bgr0"}.get(pixels, pixels)
    assert played(video(tmp_path / "film.mkv", codec, pixels, width=width, height=height)) == FRAMES


@pytest.mark.parametrize("rate", [1, 1000, Fraction(1, 100)])
def test_a_video_of_any_rate_can_be_shown(tmp_path: Path, rate: Fraction | int) -> None:
    assert played(video(tmp_path / "film.mkv", "mjpeg", "yuvj420p", rate=rate)) == FRAMES


def test_a_video_that_changes_its_size_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "film.ivf"
    small, large = ivf(64, 48, [0, 1, 2]), ivf(640, 480, [3, 4, 5])
    path.write_bytes(small + large[32:])
    assert played(path) == 6


@pytest.mark.parametrize(
    "content",
    [
        ivf(16383, 16383, [0, 1]),
        ivf(12000, 12000, [0, 1]),
        ivf(0, 0, [0, 1]),
        ivf(64, 48, []),
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile film.mp4\n",
        b"ffconcat version 1.0\nfile other.mp4\n",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video 5004 RTP/AVP 96\r\n",
        b"RIFF\xff\xff\xff\xffAVI LIST",
        b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + b"\xff" * 500,
        b"\x1a\x45\xdf\xa3" + b"\xff" * 500,
    ],
    ids=[
        "huge", "large", "no size", "no frame", "playlist of the web", "playlist of files", "list of itself",
        "list of files", "SDP", "AVI", "MP4", "MKV",
    ],
)  # fmt: skip
def test_a_file_that_is_no_whole_video_is_refused(tmp_path: Path, content: bytes) -> None:
    video(tmp_path / "other.mp4", "libx264", "yuv420p")
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    source, open_before = FileSource(path), open_files()
    with pytest.raises(SourceUnavailable, match=r"expected .*film\.mp4"):
        in_time(source.start)
    source.close()
    assert open_files() <= open_before


def test_a_file_with_sound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnavailable, match="without a video stream"):
        FileSource(sound(tmp_path / "film.mp4")).start()


@pytest.mark.parametrize("times", [[0, 2**62], [2**62, 0, 1], [0, 10**9, 2, 3], [2**63 - 1, 2**63 - 1]])
def test_mad_timestamps_stop_no_clip(tmp_path: Path, times: list[int]) -> None:
    path = tmp_path / "film.ivf"
    path.write_bytes(ivf(64, 48, times, fps=1))
    assert played(path) == len(times)


def test_a_video_that_becomes_something_else_while_it_plays_is_lost_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videofile, "RETRY_S", 0.05)
    path = video(tmp_path / "film.mp4", "libx264", "yuv420p")
    whole, source = path.read_bytes(), FileSource(path)
    source.start()
    try:
        first = source.wait_newer(0, 10.0)
        assert first is not None
        path.unlink()
        os.mkfifo(path)
        while source.state is not SourceState.LOST:
            assert source.wait_newer(10**9, 0.05) is None
        assert "film.mp4" in source.reason
        path.unlink()
        path.write_bytes(whole)
        assert source.wait_newer(first.seq, 30.0) is not None
    finally:
        source.close()
