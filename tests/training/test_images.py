"""Pictures are read within bounds, in every form that JPEG and PNG have."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.errors import TrainingFailed
from training.images import read_crop, read_image, to_jpeg


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def test_a_picture_comes_back_as_a_crop(tmp_path: Path) -> None:
    grey = np.full((40, 80), 90, np.uint8)
    (tmp_path / "face.png").write_bytes(cv2.imencode(".png", grey)[1].tobytes())
    assert read_crop(tmp_path / "face.png").tolist() == np.full((160, 160, 3), 90).tolist()


def test_a_picture_of_a_thousand_million_pixels_is_not_decoded(tmp_path: Path) -> None:
    head = (30_000).to_bytes(4, "big") * 2 + b"\x08\x00\0\0\0"
    rows = zlib.compress(bytes(30_001 * 40))
    (tmp_path / "face.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )
    assert read_image(tmp_path / "face.png") is None
    with pytest.raises(TrainingFailed, match=r"expected an image at .*face\.png, got none"):
        read_crop(tmp_path / "face.png")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "face.jpg")
    assert read_image(tmp_path / "face.jpg") is None


def test_a_file_of_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "face.jpg").write_bytes(to_jpeg(np.zeros((160, 160, 3), np.uint8)))
    assert read_image(tmp_path / "face.jpg") is not None
    os.truncate(tmp_path / "face.jpg", 1 << 40)
    assert read_image(tmp_path / "face.jpg") is None
