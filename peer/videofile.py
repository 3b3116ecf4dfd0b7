"""A video file as a source: looped, in real time by its own timestamps, decoded with libav."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from peer.source import Pixels, Source, SourceState
from signaling.errors import SourceUnavailable
from signaling.files import check_regular

MAX_WIDTH, MAX_HEIGHT = 1280, 720
"""Pixels: no tile is larger, so no frame needs to be."""

MAX_PIXELS = 8192 * 4320
"""Of a frame as it is stored. A header of 30 bytes can ask for 256 million, of which a decoder keeps many frames."""

FORMATS = (
    "mov,mp4,matroska,webm,avi,mpegts,mpeg,mpegvideo,ogg,flv,asf,mxf,nut,dv,ivf,obu,h264,hevc,m4v,mjpeg,gif,apng,"
    "yuv4mpegpipe"
)
"""Containers that hold their pictures themselves: playlists name other files, and may name themselves."""

MAX_GAP_S = 60.0
"""Between two frames: a longer one is a damaged timestamp, by which the clip would stand still for years."""

ASSUMED_FPS = 25.0
"""For files that do not say."""

LATE_S = 0.5
"""Behind by more than this (a busy machine, a suspended laptop), the clip goes on from here instead of racing."""

RETRY_S = 2.0

ROTATIONS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
"""libav's rotation in degrees counter-clockwise -> OpenCV's."""

BEYOND_LIBAV = (ValueError, LookupError, ArithmeticError, MemoryError, cv2.error)
"""What PyAV and OpenCV raise for streams that begin in the middle of a file and pictures of odd forms."""


class FileSource(Source):
    """The frames of one video file, over and over."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _prepare(self) -> None:
        """Decode one frame now, so that a wrong path ends the command instead of showing a dark tile."""
        for _, _, frame in self._decode():
            self._to_bgr(frame)
            return
        raise SourceUnavailable(f"expected a video in {self._path}, got a file without a single frame")

    def _run(self) -> None:
        start_s = time.monotonic()
        while not self._stopping.is_set():
            end_s = 0.0
            try:
                for at_s, length_s, frame in self._decode():
                    late_s = time.monotonic() - (start_s + at_s)
                    if late_s > LATE_S:
                        start_s += late_s
                    elif late_s < 0:
                        self._stopping.wait(-late_s)
                    if self._stopping.is_set():
                        return
                    end_s = at_s + length_s
                    # Late by a whole frame: the next one is due already, and converting this one would cost more.
                    if late_s < length_s or late_s > LATE_S:
                        self._publish(self._to_bgr(frame))
            except SourceUnavailable as gone:
                if end_s == 0.0:  # otherwise the file is damaged further on: it plays as far as it goes
                    self._set_state(SourceState.LOST, gone.message)
            if end_s == 0.0:
                self._stopping.wait(RETRY_S)
                start_s = time.monotonic()
            else:
                start_s += end_s

    def _decode(self) -> Iterator[tuple[float, float, VideoFrame]]:
        """(seconds from the first frame, seconds it lasts, frame) to the end. Raises `SourceUnavailable`."""
        try:
            with open_video(self._path) as container:
                stream = first_video(container)
                if stream is None:
                    raise SourceUnavailable(f"expected a video in {self._path}, got a file without a video stream")
                rate = float(stream.average_rate or ASSUMED_FPS)
                length_s = min(1.0 / rate if rate > 0 else 1.0 / ASSUMED_FPS, MAX_GAP_S)
                first_s: float | None = None
                at_s = -length_s
                for frame in container.decode(stream):
                    frame_s = frame.time if frame.time is not None else (first_s or 0.0) + at_s + length_s
                    if first_s is None or frame_s - first_s > at_s + MAX_GAP_S:
                        first_s = frame_s - at_s - length_s
                    at_s = max(frame_s - first_s, 0.0)
                    yield at_s, length_s, frame
        except (av.FFmpegError, OSError, *BEYOND_LIBAV) as error:
            said = getattr(error, "strerror", None) or error
            raise SourceUnavailable(f"expected a readable video file at {self._path}, got: {said}") from error

    def _to_bgr(self, frame: VideoFrame) -> Pixels:
        """Raises `SourceUnavailable`."""
        try:
            return _to_bgr(frame)
        except (av.FFmpegError, OSError, *BEYOND_LIBAV) as error:
            what = f"{frame.width}x{frame.height} {frame.format.name}"
            raise SourceUnavailable(f"expected pictures in {self._path}, got {what}: {error}") from error


@contextmanager
def open_video(path: Path) -> Iterator[InputContainer]:
    """The video file `path`, with which nothing else is opened. Raises `av.FFmpegError` and `OSError`."""
    check_regular(path)
    # Old files have titles in Latin-1.
    with av.open(str(path), options={"format_whitelist": FORMATS}, metadata_errors="replace") as container:
        yield container


def first_video(container: InputContainer) -> VideoStream | None:
    """The first video stream, bounded in memory; None where there is none that a decoder knows."""
    stream = next((stream for stream in container.streams.video if stream.codec_context is not None), None)
    if stream is not None:
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return stream


def _to_bgr(frame: VideoFrame) -> Pixels:
    """(H, W, 3) uint8 BGR, upright, within `MAX_WIDTH` x `MAX_HEIGHT`."""
    scale = min(1.0, MAX_WIDTH / frame.width, MAX_HEIGHT / frame.height)
    width, height = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
    bgr = np.asarray(frame.reformat(width, height, format="bgr24").to_ndarray(), np.uint8)
    rotation = ROTATIONS.get(frame.rotation % 360)
    return bgr if rotation is None else np.asarray(cv2.rotate(bgr, rotation), np.uint8)
