"""The detector's search through rendered images, in several processes and in batches that are not done twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from training.drops import Reason
from training.errors import TrainingFailed
from training.faces.crops import VIEW_SIDE, FaceBox, find_face
from training.faces.folder import Shot
from training.faces.haar import HaarConfig, HaarDetector
from training.files import read_json, write_json
from training.images import read_image
from training.pool import each

BATCH = 32
"""Images with neighbouring ids: about a second of work."""

RECORDS = "faces/looks"


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the detector found in an image; `reason`: why the image cannot be used, if so."""

    box: FaceBox | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Some images. `run`: the run folder, which gets the record."""

    run: Path
    shots: tuple[Shot, ...]

    @property
    def record(self) -> Path:
        """Where its record lies."""
        return self.run / RECORDS / f"{self.shots[0].truth.id // BATCH:05d}.json"

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as JSON."""
        return {
            "images": [[shot.truth.file, shot.size, shot.modified_ns] for shot in self.shots],
            "view_side": VIEW_SIDE,
            "detector": asdict(HaarConfig()),
        }


def look(run: Path, shots: Sequence[Shot], jobs: int | None, *, again: bool) -> list[Sighting]:
    """One sighting for each of `shots`. `again`: also those that are done. Raises `TrainingFailed`."""
    found: dict[int, Sighting] = {}
    left: list[Batch] = []
    for _, some in groupby(shots, lambda shot: shot.truth.id // BATCH):  # images rendered later leave the rest alone
        batch = Batch(run, tuple(some))
        done = None if again else read_done(batch)
        if done is None:
            left.append(batch)
        else:
            found |= done
    with (
        tqdm(desc="search faces", total=len(shots), initial=len(found), unit="image", disable=None) as progress,
        closing(each(search, left, jobs, crashed)) as results,
    ):
        for result in results:
            found |= result
            progress.update(len(result))
    return [found[shot.truth.id] for shot in shots]


def read_done(batch: Batch) -> dict[int, Sighting] | None:
    """What an earlier run left of these images, by their ids, or None when they are to be done."""
    if not batch.record.is_file():
        return None
    try:
        record = read_json(batch.record, what="a record of found faces", advice="")
        if record["identity"] != batch.identity():
            return None
        return {
            shot.truth.id: Sighting(
                None if row["box"] is None else FaceBox(*msgspec.convert(row["box"], tuple[float, float, float])),
                None if row["reason"] is None else Reason(row["reason"]),
            )
            for shot, row in zip(batch.shots, record["sightings"], strict=True)
        }
    except (TrainingFailed, KeyError, TypeError, ValueError, msgspec.ValidationError):
        return None  # written by another version, or damaged: the images are searched again


def search(batch: Batch) -> dict[int, Sighting]:
    """Search a batch and leave its record. Raises `TrainingFailed` when that cannot be written."""
    return record(batch, [sighting(shot.path) for shot in batch.shots])


def crashed(batch: Batch) -> dict[int, Sighting]:
    """The result of a batch at which its process died."""
    return record(batch, [Sighting(reason=Reason.CRASH)] * len(batch.shots))


def record(batch: Batch, sightings: Sequence[Sighting]) -> dict[int, Sighting]:
    """Mark a batch as done; its sightings by id."""
    rows = [
        {"box": [sighting.box.x, sighting.box.y, sighting.box.side] if sighting.box else None,
         "reason": sighting.reason}
        for sighting in sightings
    ]  # fmt: skip
    write_json(batch.record, {"identity": batch.identity(), "sightings": rows})
    return {shot.truth.id: sighting for shot, sighting in zip(batch.shots, sightings, strict=True)}


def sighting(path: Path) -> Sighting:
    """Of one image."""
    bgr = read_image(path)
    if bgr is None:
        return Sighting(reason=Reason.UNREADABLE)
    if bgr.shape[0] != bgr.shape[1]:
        return Sighting(reason=Reason.NOT_SQUARE)
    return Sighting(find_face(_detector(), bgr))


@lru_cache(maxsize=1)
def _detector() -> HaarDetector:
    """One per process: loading the cascade takes longer than a picture."""
    return HaarDetector()
