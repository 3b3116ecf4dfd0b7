"""Chromium with a camera: a demo clip, whose person is attentive or not as is known for every frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2

CLIPS = Path(__file__).parent.parent.parent / "peer" / "clips"
WIDTH, HEIGHT = 480, 360
MARK = 24
"""Pixels: the side of the square at the top left that is white where the truth says attentive, else black."""


def truth_of(clip: str) -> list[dict[str, Any]]:
    """What is known of each frame of a demo clip."""
    frames: list[dict[str, Any]] = json.loads((CLIPS / f"{clip}.json").read_text())["frames"]
    return frames


def write_camera(clip: str, file: Path) -> Path:
    """The clip as Chromium's fake camera takes it (Y4M), with the truth as a mark in its corner."""
    capture = cv2.VideoCapture(str(CLIPS / f"{clip}.mp4"))
    rate = round(capture.get(cv2.CAP_PROP_FPS))
    with file.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{rate}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in truth_of(clip):
            ok, bgr = capture.read()
            assert ok, f"expected as many frames in {clip}.mp4 as its truth has"
            bgr = cv2.resize(bgr, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            bgr[:MARK, :MARK] = 255 if frame["attentive"] else 0
            out.write(b"FRAME\n" + cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).tobytes())
    capture.release()
    return file


def camera_arguments(file: Path) -> list[str]:
    """What gives Chromium that camera. Whether a page may have it is still asked."""
    return ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={file}"]
