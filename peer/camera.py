"""A camera through OpenCV, which may be absent, unplugged and plugged in again: the session goes on without it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2

from peer.source import Pixels, Source, SourceState

RETRY_FIRST_S = 0.5
RETRY_MOST_S = 5.0
FAILED_READS = 5
"""Reads that fail in a row until the camera counts as lost: single ones fail while it adjusts."""

READ_TIMEOUT_MS = 2000


@dataclass(frozen=True)
class CameraConfig:
    """What to ask the camera for; it may give something else. Pixels and frames/s."""

    index: int
    width: int = 640
    height: int = 480
    fps: int = 30


class Capture(Protocol):
    """The part of `cv2.VideoCapture` in use."""

    def read(self) -> tuple[bool, Pixels | None]:
        """Block for the next frame: (whether there is one, (H, W, 3) uint8 BGR)."""

    def release(self) -> None:
        """Give the device back."""


class CameraMissingError(Exception):
    """There is no such camera now; the text says why."""


class CameraSource(Source):
    """Frames of one camera. Losing it is a state, never an error: it is tried again with back-off."""

    def __init__(self, config: CameraConfig, open_camera: Callable[[CameraConfig], Capture] | None = None) -> None:
        """`open_camera` raises `CameraMissingError`; by default it opens the camera with OpenCV."""
        super().__init__()
        self._config = config
        self._open = open_camera or open_opencv

    def _run(self) -> None:
        delay_s = RETRY_FIRST_S
        while not self._stopping.is_set():
            try:
                capture = self._open(self._config)
            except CameraMissingError as missing:
                self._set_state(SourceState.LOST, str(missing))
            else:
                if self._read_until_lost(capture):
                    delay_s = RETRY_FIRST_S
            self._stopping.wait(delay_s)
            delay_s = min(2 * delay_s, RETRY_MOST_S)

    def _read_until_lost(self, capture: Capture) -> bool:
        """Publish until reads fail or the source closes; whether there was a frame at all."""
        seen, failed = False, 0
        try:
            while not self._stopping.is_set() and failed < FAILED_READS:
                ok, bgr = capture.read()
                if ok and bgr is not None:
                    seen, failed = True, 0
                    self._publish(bgr)
                else:
                    failed += 1
        finally:
            capture.release()
        self._set_state(SourceState.LOST, f"camera {self._config.index} gives no picture")
        return seen


def open_opencv(config: CameraConfig) -> Capture:
    """Open the camera with OpenCV. Raises `CameraMissingError`."""
    if sys.platform == "linux":
        # OpenCV would say the same on stderr at every attempt, and probe other backends.
        device = Path(f"/dev/video{config.index}")
        if not device.exists():
            raise CameraMissingError(f"camera {config.index} is not there: no {device}")
        capture = cv2.VideoCapture(config.index, cv2.CAP_V4L2)
    else:
        capture = cv2.VideoCapture(config.index)
    if not capture.isOpened():
        raise CameraMissingError(f"camera {config.index} cannot be opened: absent, in use, or not permitted")
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, config.width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, config.height)
    capture.set(cv2.CAP_PROP_FPS, config.fps)
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    capture.set(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS)
    return capture  # type: ignore[return-value]
