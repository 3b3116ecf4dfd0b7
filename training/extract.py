"""Videos -> crops of faces on disk: five frames per second, each one's largest face, by the detector that peers use.

A clip that is done has a small record in `faces/clips/`, written after its last crop. A run that was killed goes on
where it stopped: clips with a record of the same settings and the same video are not touched again.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import cv2
import msgspec
import numpy as np
from tqdm import tqdm

from peer.perception.crop import Pixels, crop_face
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from peer.videofile import BEYOND_LIBAV, first_video, open_video
from training.daisee import Clip
from training.drops import Drop, Reason
from training.errors import TrainingFailed
from training.files import read_json, write_bytes, write_json
from training.images import JPEG_QUALITY, to_jpeg
from training.index import Face
from training.pool import each
from training.splits import CLASSES

FRAMES_PER_SECOND = 5
USUAL_RATE = 30.0
"""Frames per second of DAiSEE's webcams: taken where a file's own number cannot be right."""

RATES = (1.0, 240.0)
"""Frames per second that a webcam's video can have; broken headers say 0, 1000 or 90000."""

COMPLETE = 0.95
"""Of the frames that the header promises: with fewer the video ends early. Headers are often off by a frame or two."""

RECORDS = "faces/clips"


@dataclass(frozen=True, slots=True)
class Task:
    """One clip to do. `run`: the run folder."""

    run: Path
    clip: Clip
    crop_scale: float

    @property
    def name(self) -> str:
        """How the clip's files begin."""
        return f"{safe(self.clip.person)}_{safe(self.clip.clip)}"

    @property
    def record(self) -> Path:
        """Where its record lies."""
        return self.run / RECORDS / f"{self.name}.json"

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as JSON. Raises `TrainingFailed` when the video is gone."""
        try:
            status = self.clip.video.stat()
        except OSError as error:
            raise TrainingFailed(
                f"expected the video {self.clip.video}, which was there at the start, got: {error.strerror}:"
                " see whether its disk is still there, and run the command again"
            ) from error
        return {
            "person": self.clip.person,
            "clip": self.clip.clip,
            "part": self.clip.part,
            "engagement": self.clip.engagement,
            "video_bytes": status.st_size,
            "video_modified_ns": status.st_mtime_ns,
            "crop_scale": self.crop_scale,
            "frames_per_second": FRAMES_PER_SECOND,
            "jpeg_quality": JPEG_QUALITY,
            "detector": _detector().model.card.sha256,
        }


@dataclass
class Extracted:
    """What came out of a clip. `frames`: how many were looked at."""

    frames: int = 0
    faces: list[Face] = field(default_factory=list)
    drops: list[Drop] = field(default_factory=list)


def extract(
    run: Path, clips: list[Clip], crop_scale: float, jobs: int | None = None, *, again: bool = False
) -> dict[Clip, Extracted]:
    """Cut the faces of all clips into `run`; a broken clip has its reason among its drops and stops nothing.

    `again`: also those that are done. Raises `TrainingFailed` when the disk is full or the folder cannot be written.
    """
    found: dict[Clip, Extracted] = {}
    left: list[Task] = []
    for clip in clips:
        task = Task(run, clip, crop_scale)
        done = None if again else read_done(task)
        if done is None:
            left.append(task)
        else:
            found[clip] = done
    with (
        tqdm(desc="prepare", total=len(clips), initial=len(found), unit="clip", disable=None) as progress,
        closing(each(extract_clip, left, jobs, crashed)) as results,
    ):
        for clip, extracted in results:
            found[clip] = extracted
            progress.update()
    return {clip: found[clip] for clip in clips}


def read_done(task: Task) -> Extracted | None:
    """What an earlier run left of this clip, or None when it is to be done."""
    if not task.record.is_file():
        return None
    try:
        record = read_json(task.record, what="a clip's record", advice="")
        if record["identity"] != task.identity():
            return None
        extracted = Extracted(
            msgspec.convert(record["frames"], int),
            msgspec.convert(record["faces"], list[Face]),
            msgspec.convert(record["drops"], list[Drop]),
        )
    except (TrainingFailed, KeyError, TypeError, ValueError, IndexError, msgspec.ValidationError):
        return None  # written by another version, or damaged: the clip is done again
    return extracted if all((task.run / face.file).is_file() for face in extracted.faces) else None


def extract_clip(task: Task) -> tuple[Clip, Extracted]:
    """Cut one clip's faces and leave its record. Raises `TrainingFailed` when they cannot be written."""
    identity = task.identity()  # before the video is read: one that changes meanwhile is done again
    extracted = Extracted()
    try:
        cut_faces(task, extracted)
    except (av.FFmpegError, OSError, cv2.error, ValueError, MemoryError) as error:
        reason = Reason.ENDS_EARLY if extracted.frames else Reason.DOES_NOT_OPEN
        extracted.drops.append(_drop(task.clip, reason, detail=_first_line(error)))
    write_record(task, identity, extracted)
    return task.clip, extracted


def crashed(task: Task) -> tuple[Clip, Extracted]:
    """The result of a clip at which the decoder took its process down."""
    extracted = Extracted(drops=[_drop(task.clip, Reason.CRASH)])
    write_record(task, task.identity(), extracted)
    return task.clip, extracted


def write_record(task: Task, identity: dict[str, Any], extracted: Extracted) -> None:
    """Mark a clip as done. Raises `TrainingFailed`."""
    record = {
        "identity": identity,
        "frames": extracted.frames,
        "faces": [asdict(face) for face in extracted.faces],
        "drops": [asdict(drop) for drop in extracted.drops],
    }
    write_json(task.record, record)


def cut_faces(task: Task, extracted: Extracted) -> None:
    """Fill `extracted` frame by frame, so that it holds what was done when the video breaks off."""
    clip = task.clip
    for frame, seconds, bgr in sampled_frames(clip, extracted.drops):
        extracted.frames += 1
        box = _detector().detect_still(bgr)
        if box is None:
            extracted.drops.append(_drop(clip, Reason.NO_FACE, frame))
            continue
        file = f"faces/{CLASSES[clip.label]}/{task.name}_{frame:05d}.jpg"
        write_bytes(task.run / file, to_jpeg(crop_face(bgr, box, task.crop_scale)))
        where = (round(box.left, 1), round(box.top, 1), round(box.side, 1))
        extracted.faces.append(
            Face(file, clip.person, clip.clip, clip.part, clip.engagement, clip.label, frame, round(seconds, 3), *where)
        )


def sampled_frames(clip: Clip, drops: list[Drop]) -> Iterator[tuple[int, float, Pixels]]:
    """(number, seconds, (H, W, 3) uint8 BGR) of every n-th frame, as in the reference; one is in memory at a time.

    By PyAV rather than OpenCV: it tells a frame that does not decode from the end of the video, says why, and goes on
    behind it. What does not decode goes to `drops`. Raises `av.FFmpegError` or `OSError` when the video does not open,
    or breaks off.
    """
    try:
        yield from _decoded(clip, drops)
    except BEYOND_LIBAV as error:  # of the video alone: a fault of ours in what becomes of a frame is not its end
        raise OSError(_first_line(error)) from error


def _decoded(clip: Clip, drops: list[Drop]) -> Iterator[tuple[int, float, Pixels]]:
    with open_video(clip.video) as container:
        stream = first_video(container)
        if stream is None:
            drops.append(_drop(clip, Reason.DOES_NOT_OPEN, detail="no video stream"))
            return
        stream.codec_context.thread_count = 1  # the processes are the parallelism
        rate = float(stream.average_rate or 0)
        if not RATES[0] <= rate <= RATES[1]:
            rate = USUAL_RATE
        step = max(1, round(rate / FRAMES_PER_SECOND))
        number = broken = 0
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.FFmpegError as error:
                broken += 1
                drops.append(_drop(clip, Reason.BROKEN_FRAME, number + broken - 1, _first_line(error)))
                continue
            for frame in frames:
                position = number + broken
                number += 1
                if position % step == 0:
                    seconds = position / rate if frame.time is None else float(frame.time)
                    yield position, seconds, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
        if number == 0:
            drops.append(_drop(clip, Reason.NO_FRAME))
        elif number + broken < COMPLETE * stream.frames:
            drops.append(_drop(clip, Reason.ENDS_EARLY, detail=f"{number + broken} of {stream.frames} frames"))


def safe(name: str) -> str:
    """`name` for use in a file name between underscores; what had to be changed carries a hash and stays unique."""
    if re.fullmatch(r"[A-Za-z0-9-]{1,64}", name):
        return name
    digest = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9-]', '-', name)[:64]}-{digest}"


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    """One per process: loading the model takes longer than a frame."""
    return FaceDetector(FaceModel())


def _drop(clip: Clip, reason: Reason, frame: int | None = None, detail: str = "") -> Drop:
    return Drop(clip.person, clip.clip, frame, clip.label, reason, detail)


def _first_line(error: BaseException) -> str:
    if isinstance(error, av.FFmpegError) and error.strerror:
        return error.strerror  # without the path, which is this machine's
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
