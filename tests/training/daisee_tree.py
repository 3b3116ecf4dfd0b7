"""A small data set in DAiSEE's shape with its flaws, of real videos: pieces of the demo's clips (rendered people).

Eight persons, two or three clips of half a second each. Persons 1 to 6 have one clip that looks at the screen and one
that does not; persons 7 and 8 always look.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from peer.perception.crop import Pixels
from tests.peer import clips

FPS = 15
FRAMES = 8
LOOKS, AWAY = 4, 75
"""First frames of two pieces: in the first all look at the screen, in the second ben looks down and mei sleeps."""

HEADER = "ClipID,Boredom,Engagement,Confusion,Frustration \n"
PERSONS = {
    # person: (demo clip, appearance, official part)
    "110001": ("ben", "plain", "Train"), "110002": ("mei", "plain", "Train"), "110003": ("ben", "tinted", "Train"),
    "110004": ("mei", "tinted", "Train"), "110005": ("ben", "mirrored", "Validation"),
    "110006": ("mei", "mirrored", "Test"), "110007": ("zuri", "plain", "Validation"),
    "110008": ("zuri", "mirrored", "Test"),
}  # fmt: skip


def frames_of(demo: str, appearance: str, first: int, count: int = FRAMES) -> Iterator[Pixels]:
    """`count` frames of a demo clip, (480, 640, 3) uint8 BGR."""
    capture = cv2.VideoCapture(str(clips.CLIPS / f"{demo}.mp4"))
    capture.set(cv2.CAP_PROP_POS_FRAMES, first)
    for _ in range(count):
        _, frame = capture.read()
        if appearance == "tinted":
            frame = np.clip(frame * np.array([0.8, 0.95, 1.1]), 0, 255).astype(np.uint8)
        elif appearance == "mirrored":
            frame = np.ascontiguousarray(frame[:, ::-1])
        yield np.asarray(frame, np.uint8)
    capture.release()


def write_video(path: Path, frames: Iterator[Pixels], rate: int = FPS) -> Path:
    """An .avi or .mp4 with MPEG-4 inside."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate, options={"qmin": "4", "qmax": "4"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for number, frame in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(frame, "bgr24")
            picture.pts = number
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def video_path(data: Path, person: str, clip: str, suffix: str = ".avi") -> Path:
    """Where DAiSEE has it."""
    return data / "DataSet" / PERSONS[person][2] / person / clip / f"{clip}{suffix}"


def make_tree(data: Path) -> Path:
    """The whole set, flaws included; see the module."""
    labels: dict[str, list[str]] = {"Train": [], "Validation": [], "Test": []}
    for person, (demo, appearance, part) in PERSONS.items():
        attends = clips.truth(demo).attends
        assert attends[LOOKS]
        for number, (first, engagement) in enumerate(((LOOKS, 3), (AWAY, 2 if attends[AWAY] else 1)), 1001):
            clip = f"{person}{number}"
            suffix = ".mp4" if clip == "1100031001" else ".avi"
            write_video(video_path(data, person, clip, suffix), frames_of(demo, appearance, first))
            labels[part].append(f"{clip}.avi,0,{engagement},0,0\n")
    add_flaws(data, labels)
    (data / "Labels").mkdir()
    labels["All"] = [line for part in labels.values() for line in part]
    for part, lines in labels.items():
        (data / "Labels" / f"{part}Labels.csv").write_text(HEADER + "".join(lines))
    return data


def add_flaws(data: Path, labels: dict[str, list[str]]) -> None:
    """What is wrong with the real data set."""
    unlabelled = write_video(video_path(data, "110001", "1100011003"), frames_of("ben", "plain", LOOKS, 2))
    (unlabelled.parent / "._1100011003.avi").write_bytes(b"left by macOS")
    no_video = video_path(data, "110002", "1100021003")
    no_video.parent.mkdir()
    no_video.write_bytes(b"This is no video.\n" * 40)
    cut = write_video(video_path(data, "110004", "1100041003"), frames_of("mei", "tinted", AWAY, 16))
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    video_path(data, "110004", "1100041004").parent.mkdir()
    labels["Train"] += ["1100021003.avi,0,1,0,0\n", "1100041003.avi,0,1,0,0\n", "9999991001.avi,0,2,0,0\n"]
