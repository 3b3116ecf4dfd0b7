"""Stage 1: DAiSEE's videos -> crops of faces, who is in which part, and a look at all of it.

In: DAiSEE's folder. Out, in the run folder: `faces/` with its index, `augmented/`, `dataset_splits.json`, and in
`prepare/` what was dropped and why, counts per person, and contact sheets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import typer
from numpy.random import Generator

from training.augment import write_augmented
from training.balance import Planned, balance, reference_order, shortages
from training.daisee import Clip, Daisee, read_daisee
from training.errors import TrainingFailed
from training.extract import Extracted, Task, extract, read_done
from training.faces.pictures import FOLDER as PICTURES
from training.faces.pictures import META_FILE
from training.files import remove
from training.index import Face, read_index, write_index
from training.partition import check_people, in_order, partition, warning
from training.sheets import Tile, write_sheet
from training.splits import CLASSES, PARTS, SPLITS_FILE, Part, Sample, check_part, load_splits, save_splits
from training.stage import Stage, name_in, read_record
from training.summary import summarise, write_tables

Item = TypeVar("Item", Face, Sample)

NAME = "prepare"
SHEET_TILES = 48
"""Six rows of eight: fits a screen."""


@dataclass(frozen=True)
class PrepareConfig:
    """The command's options. `reuse`: a run folder whose crops are taken instead of cutting new ones."""

    data: Path
    out: Path
    split: str
    per_class: int
    reference: bool
    reuse: Path | None
    crop_scale: float
    jobs: int | None
    seed: int
    force: bool

    @property
    def kind(self) -> str:
        """The split that is made: the reference's order is one of frames."""
        return "frames" if self.reference else self.split


def run(config: PrepareConfig) -> None:
    """Do the stage, unless it is done. Raises `TrainingFailed`."""
    if config.reuse is not None and config.reuse.resolve() == config.out.resolve():
        raise TrainingFailed(
            f"expected --reuse to name another run than --out, got {config.out} for both: leave it out"
        )
    daisee = read_daisee(config.data)
    check_people(daisee.clips, config.kind)
    settings: dict[str, Any] = {
        "split": config.kind,
        "seed": config.seed,
        "per_class": config.per_class,
        "reference": config.reference,
        "crop_scale": config.crop_scale,
        "reuse": None if config.reuse is None else name_in(config.out, config.reuse),
        "videos_sha256": daisee.fingerprint(),
    }
    stage = Stage(config.out, NAME, settings, daisee.label_files)
    if not config.force and is_done(stage):
        typer.echo(f"`{NAME}` is done already: see {config.out / NAME} (--force does it again)")
        return
    stage.forget()
    remove(config.out / SPLITS_FILE)  # which images it names is about to change
    remove(config.out / PICTURES / META_FILE)  # where there were rendered people before: now there are none
    source = config.reuse
    extracted = cut(config, daisee) if source is None else take(config, source, daisee, settings)
    faces = in_order([face for found in extracted.values() for face in found.faces])
    check_faces(faces)
    index = write_index(config.out, faces)
    planned = plan(config, faces)
    parts = write_augmented(config.out, planned)
    for part in PARTS:
        check_part(part, parts[part])
    notes = [warning(config.kind), *shortages(planned, config.per_class)]
    summary = summarise(extracted, daisee.drops, parts, [note for note in notes if note])
    folder = config.out / NAME
    reports = [*write_tables(folder, summary), *draw_sheets(config.out, faces, parts, config.seed)]
    splits = save_splits(config.out, parts, settings)
    stage.complete(
        outputs=[index, config.out / SPLITS_FILE, *reports],
        results={**summary.results(), "splits_sha256": splits.sha256},
    )
    for line in [*summary.lines(), *summary.warnings, f"tables and contact sheets: {folder}"]:
        typer.echo(f"{NAME}: {line}")


def is_done(stage: Stage) -> bool:
    """Whether there is nothing to do. The images are too many for the record: the index and the splits know them."""
    if not stage.is_current():
        return False
    try:
        load_splits(stage.run)
    except TrainingFailed:
        return False
    return all((stage.run / face.file).is_file() for face in read_index(stage.run))


def cut(config: PrepareConfig, daisee: Daisee) -> dict[Clip, Extracted]:
    """Cut the faces, and take away crops of clips, labels or settings that are no longer so."""
    extracted = extract(config.out, daisee.clips, config.crop_scale, config.jobs, again=config.force)
    current = {face.file for found in extracted.values() for face in found.faces}
    for name in CLASSES:
        for path in (config.out / "faces" / name).glob("*.jpg"):
            if path.relative_to(config.out).as_posix() not in current:
                remove(path)
    return extracted


def take(config: PrepareConfig, source: Path, daisee: Daisee, settings: Mapping[str, Any]) -> dict[Clip, Extracted]:
    """The faces that another run has cut, with their paths seen from this one. Raises `TrainingFailed`."""
    theirs = read_record(source, NAME)["settings"]
    if theirs.get("reuse") is not None:
        raise TrainingFailed(
            f"expected --reuse to name the run that cut the faces, got {source}, which took them from"
            f" {source / theirs['reuse']}: name that one"
        )
    for name, what in (("crop_scale", "crops of the same --crop-scale"), ("videos_sha256", "crops of the same --data")):
        if theirs.get(name) != settings[name]:
            raise TrainingFailed(
                f"expected {what} ({settings[name]}) in {source}, got {theirs.get(name)}:"
                " give what that run had, or leave --reuse out"
            )
    extracted = {}
    for clip in daisee.clips:
        found = read_done(Task(source, clip, config.crop_scale))
        if found is None:
            raise TrainingFailed(
                f"expected the faces of clip {clip.clip} in {source}, got not all of them:"
                f" run `edgeattend train {NAME} --data {config.data} --out {source}` first"
            )
        found.faces = [replace(face, file=name_in(config.out, source / face.file)) for face in found.faces]
        extracted[clip] = found
    return extracted


def check_faces(faces: Sequence[Face]) -> None:
    """Raise `TrainingFailed` unless faces of both classes were found."""
    attentive = sum(face.label for face in faces)
    if attentive in {0, len(faces)}:
        raise TrainingFailed(
            f"expected faces of both classes, got {attentive} attentive and {len(faces) - attentive} not attentive:"
            " the videos of a class do not open or show no frontal face, look at some of them"
        )


def plan(config: PrepareConfig, faces: Sequence[Face]) -> dict[Part, list[Planned]]:
    """Which images are in which part. Raises `TrainingFailed`."""
    if config.reference:
        return reference_order(faces, config.per_class, config.seed)
    return balance(partition(faces, config.kind, config.seed), config.per_class, config.seed)


def draw_sheets(run: Path, faces: Sequence[Face], parts: Mapping[Part, Sequence[Sample]], seed: int) -> list[Path]:
    """Random crops of each class and of each part, and augmented copies beside what they are of."""
    folder = run / NAME
    (folder / "augmented.jpg").unlink(missing_ok=True)  # there may be none this time
    random = np.random.default_rng(seed)
    sheets = []
    for label, name in enumerate(CLASSES):
        chosen = some([face for face in faces if face.label == label], random)
        tiles = [Tile(run / face.file, (face.person, f"{face.clip} #{face.frame}")) for face in chosen]
        sheets.append(write_sheet(folder / f"faces-{name}.jpg", f"{name}: random faces", tiles))
    for part in PARTS:
        samples = some([sample for sample in parts[part] if sample.source is None], random)
        tiles = [Tile(run / sample.file, (sample.person, CLASSES[sample.label])) for sample in samples]
        sheets.append(write_sheet(folder / f"part-{part}.jpg", f"{part}: random images", tiles))
    copies = some([sample for part in PARTS for sample in parts[part] if sample.source], random, SHEET_TILES // 2)
    pairs = [
        tile
        for copy in copies
        for tile in (
            Tile(run / str(copy.source), (copy.person, "as it is")),
            Tile(run / copy.file, (copy.person, str(copy.augmentation))),
        )
    ]
    if pairs:
        sheets.append(write_sheet(folder / "augmented.jpg", "augmented copies, each beside its source", pairs))
    return sheets


def some(items: Sequence[Item], random: Generator, amount: int = SHEET_TILES) -> list[Item]:
    """At most `amount` of `items`, of as many clips as possible, at random, in their order."""
    taken: Counter[str] = Counter()
    ranked: list[tuple[int, int, int]] = []
    for place in random.permutation(len(items)):
        ranked.append((taken[items[place].clip], len(ranked), place))
        taken[items[place].clip] += 1
    return [items[place] for place in sorted(place for _, _, place in sorted(ranked)[:amount])]
