"""Stage 1 for rendered people: a folder that `render` filled -> crops, pictures, and who is in which part.

In: `truth.jsonl` and `images/`. Out, in the run folder, what `prepare` leaves of videos: `faces/` with its index,
`dataset_splits.json`, in `prepare/` tables and contact sheets; and `pictures/` for a trainer that cuts crops of its
own. All images are used: classes are balanced by the one who renders, or by the trainer's weights, since the modes
matter more than two classes of equal size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer

from training.drops import Drop
from training.errors import TrainingFailed
from training.faces.account import Account, write_account
from training.faces.crops import FEWEST_TO_FIT, BoxMap, fit_boxes
from training.faces.folder import Rendered, drop, read_rendered
from training.faces.label import LabelRule
from training.faces.look import look
from training.faces.parts import deal, missing
from training.faces.pictures import FOLDER, META_FILE, load_pictures, write_rest
from training.faces.place import Placed, Sight, cut_all, place, write_faces
from training.faces.preview import draw_sheets
from training.files import remove
from training.splits import (
    CLASSES,
    PARTS,
    SPLITS_FILE,
    Part,
    Sample,
    Splits,
    check_part,
    load_splits,
    save_splits,
)
from training.stage import Stage, name_in

NAME = "prepare"
DATA = "rendered faces"


@dataclass(frozen=True)
class FacesConfig:
    """The command's options. `faces`: the folder that `render` filled; `crop_scale`: side of a crop over its box's."""

    faces: Path
    out: Path
    crop_scale: float
    jobs: int | None
    seed: int
    force: bool


def run(config: FacesConfig) -> None:
    """Do the stage, unless it is done. Raises `TrainingFailed`."""
    rendered = read_rendered(config.faces)
    rule = LabelRule()
    settings: dict[str, Any] = {
        "data": DATA,
        "faces": name_in(config.out, config.faces),
        "split": "subject",
        "seed": config.seed,
        "per_class": None,
        "crop_scale": config.crop_scale,
        "rule_version": rule.version,
        "images_sha256": rendered.fingerprint(),
    }
    stage = Stage(config.out, NAME, settings, [rendered.truth_file])
    if not config.force and is_done(stage):
        typer.echo(f"`{NAME}` is done already: see {config.out / NAME} (--force does it again)")
        return
    stage.forget()
    for path in (config.out / SPLITS_FILE, config.out / FOLDER / META_FILE):
        remove(path)  # which images they name is about to change
    placed, drops, boxes = search(config, rendered, rule)
    for part in PARTS:
        check_part(part, [one for one in placed if one.part == part])
    pixels = cut_all(config.out, placed, config.crop_scale, config.jobs)
    remove_others(config.out, placed)
    index = write_faces(config.out, placed)
    splits = save_splits(config.out, {part: _samples(placed, part) for part in PARTS}, settings)
    pictures = write_pictures(config, placed, pixels, splits, rule)
    account = Account(placed, drops, warnings(placed, boxes))
    folder = config.out / NAME
    reports = [*write_account(folder, account), *draw_sheets(config.out, folder, placed, config.seed)]
    stage.complete(
        outputs=[index, config.out / SPLITS_FILE, *pictures, *reports],
        results={**account.results(), "splits_sha256": splits.sha256, "box_map": boxes.coefficients.round(4).tolist()},
    )
    for line in [*account.lines(), *account.warnings, f"tables and contact sheets: {folder}"]:
        typer.echo(f"{NAME}: {line}")


def is_done(stage: Stage) -> bool:
    """Whether there is nothing to do. The crops are too many for the record: the splits know them."""
    if not stage.is_current():
        return False
    try:
        load_pictures(stage.run, load_splits(stage.run).sha256)
    except TrainingFailed:
        return False
    return True


def search(config: FacesConfig, rendered: Rendered, rule: LabelRule) -> tuple[list[Placed], list[Drop], BoxMap]:
    """The usable images with box, label and part, in the order of their ids; what is dropped; the map of boxes."""
    sightings = look(config.out, rendered.shots, config.jobs, again=config.force)
    seen = list(zip(rendered.shots, sightings, strict=True))
    drops = [drop(shot.truth, sighting.reason) for shot, sighting in seen if sighting.reason is not None]
    usable = [(shot, sighting) for shot, sighting in seen if sighting.reason is None]
    truths = [shot.truth for shot, _ in usable]
    boxes = fit_boxes(truths, [sighting.box for _, sighting in usable])
    part_of = deal(truths, config.seed)
    placed = [place(shot, sighting, part_of[shot.truth.person], boxes, rule) for shot, sighting in usable]
    return placed, [*rendered.drops, *drops], boxes


def remove_others(run: Path, placed: Sequence[Placed]) -> None:
    """Take away crops of images, labels or settings that are no longer so. Raises `TrainingFailed`."""
    current = {one.file for one in placed}
    for name in CLASSES:
        for path in (run / "faces" / name).glob("*.jpg"):
            if path.relative_to(run).as_posix() not in current:
                remove(path)


def write_pictures(
    config: FacesConfig, placed: Sequence[Placed], pixels: np.ndarray[Any, np.dtype[np.float32]], splits: Splits,
    rule: LabelRule,
) -> list[Path]:  # fmt: skip
    """What belongs to the images in `pictures/`. Raises `TrainingFailed`."""
    return write_rest(
        config.out,
        [one.truth for one in placed],
        pixels,
        [one.part for one in placed],
        [one.sight is Sight.FOUND for one in placed],
        splits_sha256=splits.sha256,
        rule_version=rule.version,
        crop_scale=config.crop_scale,
    )


def warnings(placed: Sequence[Placed], boxes: BoxMap) -> list[str]:
    """What to know before training."""
    found = missing([one.truth for one in placed], {one.truth.person: one.part for one in placed})
    if boxes.faces == 0:
        found.append(
            f"the detector found fewer than {FEWEST_TO_FIT} faces: where it lost one, the box is a usual one, not"
            " fitted to these images"
        )
    return [f"warning: {sentence}" for sentence in found]


def _samples(placed: Sequence[Placed], part: Part) -> list[Sample]:
    own = sorted((one for one in placed if one.part == part), key=lambda one: (one.truth.person, one.truth.id))
    return [one.sample() for one in own]
