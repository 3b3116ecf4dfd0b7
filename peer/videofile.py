"""A video file as a source: looped, in real time by its own timestamps, decoded with libav."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

from peer.source import Pixels, Source, SourceState
from signaling.errors import SourceUnavailable

MAX_WIDTH, MAX_HEIGHT = 1280, 720
"""Pixels: no tile is larger, so no frame needs to be."""

ASSUMED_FPS = 25.0
"""For files that do not say."""

LATE_S = 0.5
"""Behind by more than this (a busy machine, a suspended laptop), the clip goes on from here instead of racing."""

RETRY_S = 2.0

ROTATIONS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}
"""libav's rotation in degrees counter-clockwise -> OpenCV's."""


class FileSource(Source):
    """The frames of one video file, over and over."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _prepare(self) -> None:
        """Decode one frame now, so that a wrong path ends the command instead of showing a dark tile."""
        for _ in self._decode():
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
                        self._publish(_to_bgr(frame))
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
            with av.open(str(self._path)) as container:
                if not container.streams.video:
                    raise SourceUnavailable(f"expected a video in {self._path}, got a file without a video stream")
                stream = container.streams.video[0]
                length_s = 1.0 / float(stream.average_rate or ASSUMED_FPS)
                first_s: float | None = None
                at_s = -length_s
                for frame in container.decode(stream):
                    frame_s = frame.time if frame.time is not None else (first_s or 0.0) + at_s + length_s
                    first_s = frame_s if first_s is None else first_s
                    at_s = max(frame_s - first_s, 0.0)
                    yield at_s, length_s, frame
        except (av.FFmpegError, OSError) as error:
            raise SourceUnavailable(f"expected a readable video file at {self._path}, got: {error.strerror}") from error


def _to_bgr(frame: VideoFrame) -> Pixels:
    """(H, W, 3) uint8 BGR, upright, within `MAX_WIDTH` x `MAX_HEIGHT`."""
    scale = min(1.0, MAX_WIDTH / frame.width, MAX_HEIGHT / frame.height)
    width, height = round(frame.width * scale), round(frame.height * scale)
    bgr = np.asarray(frame.reformat(width, height, format="bgr24").to_ndarray(), np.uint8)
    rotation = ROTATIONS.get(frame.rotation % 360)
    return bgr if rotation is None else np.asarray(cv2.rotate(bgr, rotation), np.uint8)
