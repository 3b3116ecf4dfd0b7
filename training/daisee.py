"""DAiSEE as it is distributed: videos in `DataSet/{Train,Validation,Test}/{person}/{clip}/`, labels in `Labels/*.csv`.

The data set: Gupta et al., "DAiSEE: Towards User Engagement Recognition in the Wild", arXiv:1609.01885. The real
files have stray spaces in their headers, clips without a label, labels without a clip, and the same label twice.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signaling.files import read_bounded
from training.drops import Drop, Reason
from training.errors import TrainingFailed
from training.splits import Part

PART_OF: dict[str, Part] = {"train": "train", "validation": "val", "test": "test"}
VIDEO_SUFFIXES = (".avi", ".mp4")
ATTENTIVE_FROM = 2
"""Engagement from here on is attentive: the reference's line."""

MAX_LABELS_BYTES = 64 << 20
"""DAiSEE's largest has 200 kB."""

ADVICE = "give the folder that holds DataSet/ and Labels/ with --data"


@dataclass(frozen=True, slots=True)
class Clip:
    """A video with its label. `part`: of the official split; `engagement`: 0 to 3."""

    person: str
    clip: str
    part: Part
    video: Path
    engagement: int

    @property
    def label(self) -> int:
        """1 is attentive."""
        return int(self.engagement >= ATTENTIVE_FROM)


@dataclass(frozen=True)
class Daisee:
    """What is on the disk: `clips` to use, `drops` that cannot be used, `label_files` that were read."""

    clips: list[Clip]
    drops: list[Drop]
    label_files: list[Path]

    def fingerprint(self) -> str:
        """SHA-256 over the clips, their labels and their videos' sizes and times: another one means other data."""
        digest = hashlib.sha256()
        for clip in self.clips:
            status = clip.video.stat()
            line = (clip.person, clip.clip, clip.part, clip.engagement, status.st_size, status.st_mtime_ns)
            digest.update(repr(line).encode())
        return digest.hexdigest()


def read_daisee(data: Path) -> Daisee:
    """Clips in the order of person and clip. Raises `TrainingFailed` when there is nothing to learn from."""
    label_files = find_label_files(data)
    labels = read_labels(label_files)
    drops: list[Drop] = []
    clips: dict[tuple[str, str], Clip] = {}
    known = set()
    for part, person, folder in clip_folders(data):
        videos = videos_in(folder)
        name = folder.name
        known.add(name)
        if not videos:
            drops.append(Drop(person, name, None, None, Reason.EMPTY_FOLDER))
            continue
        values = labels.get(name) or labels.get(videos[0].stem)
        known.add(videos[0].stem)
        reason = _reason_against(values)
        if values is None or reason is not None:
            drops.append(Drop(person, name, None, None, reason or Reason.NO_LABEL))
            continue
        clip = Clip(person, name, part, videos[0], next(iter(value for value in values if value is not None)))
        others = videos[1:] if clips.setdefault((person, name), clip) is clip else videos
        drops += [
            Drop(person, name, None, clip.label, Reason.SECOND_VIDEO, video.relative_to(data).as_posix())
            for video in others
        ]
    drops += [Drop(None, clip, None, None, Reason.NO_VIDEO) for clip in sorted(labels.keys() - known)]
    _check(data, clips, drops)
    return Daisee([clips[key] for key in sorted(clips)], drops, label_files)


def find_label_files(data: Path) -> list[Path]:
    """The CSV files with labels. Raises `TrainingFailed`."""
    folder = _child(data, "Labels")
    files = sorted(path for path in _visible(folder) if path.suffix.lower() == ".csv")
    if not files:
        raise TrainingFailed(
            f"expected DAiSEE's labels, such as TrainLabels.csv, in {folder}, got no CSV file: {ADVICE}"
        )
    return files


def read_labels(files: list[Path]) -> dict[str, set[int | None]]:
    """Every engagement that is given for a clip, by its name without extension; None for one that is not 0 to 3.

    Raises `TrainingFailed` when a file has no column for it, or all files are empty.
    """
    labels: dict[str, set[int | None]] = defaultdict(set)
    for path in files:
        try:
            text = read_bounded(path, MAX_LABELS_BYTES).decode("utf-8-sig", errors="replace")
            rows = list(csv.reader(io.StringIO(text, newline="")))
        except (OSError, csv.Error) as error:
            raise TrainingFailed(f"expected labels in {path}, got: {getattr(error, 'strerror', error)}") from error
        if not rows:
            continue
        header = [name.strip().casefold() for name in rows[0]]
        if not {"clipid", "engagement"} <= set(header):
            raise TrainingFailed(
                f"expected the columns ClipID and Engagement in {path}, got {','.join(rows[0])[:120]!r}:"
                " take DAiSEE's own label files"
            )
        clip, engagement = header.index("clipid"), header.index("engagement")
        for row in rows[1:]:
            if len(row) > max(clip, engagement) and row[clip].strip():
                labels[_clip_name(row[clip])].add(_engagement(row[engagement]))
    if not labels:
        names = ", ".join(path.name for path in files)
        raise TrainingFailed(
            f"expected labels in {files[0].parent}, got no row in {names}: take DAiSEE's own label files"
        )
    return dict(labels)


def clip_folders(data: Path) -> Iterator[tuple[Part, str, Path]]:
    """(part, person, folder) of every clip. Raises `TrainingFailed` where the parts' folders are missing."""
    root = _child(data, "DataSet")
    parts = [folder for folder in _visible(root) if folder.name.lower() in PART_OF and folder.is_dir()]
    if not parts:
        raise TrainingFailed(f"expected Train/, Validation/ and Test/ in {root}, got none of them: {ADVICE}")
    # In the official order, so that of a clip that lies in two parts the training part's is taken.
    for part in sorted(parts, key=lambda folder: list(PART_OF).index(folder.name.lower())):
        for person in _visible(part):
            if person.is_dir():
                for folder in _visible(person):
                    if folder.is_dir():
                        yield PART_OF[part.name.lower()], person.name, folder


def videos_in(folder: Path) -> list[Path]:
    """A clip's videos; first the one that carries its name."""
    found = [path for path in _visible(folder) if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file()]
    return sorted(found, key=lambda path: (path.stem != folder.name, path.name))


def _child(data: Path, name: str) -> Path:
    if not data.is_dir():
        raise TrainingFailed(f"expected DAiSEE's folder at {data}, got no folder: {ADVICE}")
    for path in _visible(data):
        if path.name.lower() == name.lower() and path.is_dir():
            return path
    raise TrainingFailed(f"expected {name}/ in {data}, got no such folder: {ADVICE}")


def _visible(folder: Path) -> list[Path]:
    """Sorted, without hidden files: macOS leaves `._name.avi` on foreign disks. Raises `TrainingFailed`."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise TrainingFailed(f"expected to read the folder {folder}, got: {error.strerror or error}") from error
    for path in found:
        try:
            path.name.encode()  # the index, the records and the tables are UTF-8
        except UnicodeEncodeError:
            raise TrainingFailed(f"expected names in UTF-8 in {folder}, got {path.name!a}: rename it") from None
    return found


def _clip_name(cell: str) -> str:
    name = cell.strip()
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in VIDEO_SUFFIXES else name


def _engagement(cell: str) -> int | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return int(value) if math.isfinite(value) and value in {0, 1, 2, 3} else None


def _reason_against(values: set[int | None] | None) -> Reason | None:
    if values is None:
        return Reason.NO_LABEL
    valid = values - {None}
    if not valid:
        return Reason.BAD_LABEL
    return Reason.CONTRADICTION if len(valid) > 1 else None


def _check(data: Path, clips: dict[tuple[str, str], Clip], drops: list[Drop]) -> None:
    if not clips:
        reasons = ", ".join(sorted({drop.reason for drop in drops})) or "no folder of a clip"
        raise TrainingFailed(f"expected labelled videos in {data}, got none ({reasons}): {ADVICE}")
    attentive = sum(clip.label for clip in clips.values())
    if attentive in {0, len(clips)}:
        raise TrainingFailed(
            f"expected clips of both classes in {data}, got {attentive} attentive (engagement 2 or 3) and"
            f" {len(clips) - attentive} not attentive: a model cannot learn from one class, look into the label files"
        )
