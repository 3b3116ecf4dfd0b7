"""From what the command line says (`camera:0`, a file, `test`) to a source."""

from __future__ import annotations

from pathlib import Path

from peer.camera import CameraConfig, CameraSource
from peer.source import Source
from peer.testpattern import TestPatternSource
from peer.videofile import FileSource
from signaling.errors import ConfigInvalid

CAMERA_PREFIX = "camera:"
TEST = "test"


def make_source(text: str) -> Source:
    """The source that `text` names, not yet started. Raises `ConfigInvalid`."""
    if text == TEST:
        return TestPatternSource()
    if text == "camera":
        text = f"{CAMERA_PREFIX}0"
    if text.startswith(CAMERA_PREFIX):
        number = text.removeprefix(CAMERA_PREFIX)
        if not (number.isascii() and number.isdigit()):
            raise ConfigInvalid(f"expected a source like camera:0, got {text!r}")
        return CameraSource(CameraConfig(int(number)))
    if not text:
        raise ConfigInvalid("expected a source: camera:0, the path of a video file, or test; got nothing")
    return FileSource(Path(text))
