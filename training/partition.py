"""Who is in which part: by persons, by DAiSEE's own folders, or frame by frame as in the reference.

A frame's neighbours look almost like it, so a test on frames of people and clips that the model was trained on says
how well it remembers them. Only a test on new people says how it will do on new people.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from training.errors import TrainingFailed
from training.index import Face
from training.splits import PARTS, Labelled, Part, check_part

SHARES: dict[Part, float] = {"train": 0.70, "val": 0.15, "test": 0.15}

TRIES = 20
"""Starting points of the search by persons: with a dozen persons the first local optimum may be a poor one."""

LEAST_GAIN = 1e-3
"""The search ends when no step makes the score better by this: a tenth of a percent of the faces."""

GOOD = 0.02
"""A score that is not worth another start: twelve deviations of a sixth of a percent. Hundreds of persons get there."""

MISSING = 10.0
"""Score of a class that a part lacks: more than all deviations together can be, which is less than 7."""

NAMED = 5
"""Persons that an error names."""

FRAMES_WARNING = (
    "warning: --split frames puts frames of the same people, even of the same clip, into training and test: the"
    " results say how well the model remembers these people and are far too good for new ones. Use --split subject to"
    " know how it does on people it has not seen."
)


class OfPerson(Labelled, Protocol):
    """A clip or a face."""

    @property
    def person(self) -> str:
        """Who it shows."""

    @property
    def part(self) -> Part:
        """DAiSEE's own."""


def partition(faces: Sequence[Face], split: str, seed: int) -> dict[Part, list[Face]]:
    """Every face in one part, each part in the order of person, clip and frame, whatever the order of `faces`.

    `split`: subject, official or frames, as at the command line. Raises `TrainingFailed` when a part would not get
    faces of both classes, or a person is in two official parts.
    """
    check_people(faces, split)
    ordered = in_order(faces)
    if split == "subject":
        parts = _by_persons(ordered, seed)
    elif split == "official":
        parts = {part: [face for face in ordered if face.part == part] for part in PARTS}
    elif split == "frames":
        places = by_frames([face.label for face in ordered], seed)
        parts = {part: [ordered[place] for place in places[part]] for part in PARTS}
    else:
        raise TrainingFailed(f"expected --split subject, official or frames, got {split!r}")
    for part in PARTS:
        check_part(part, parts[part])
    return parts


def check_people(items: Iterable[OfPerson], split: str) -> None:
    """Raise `TrainingFailed` unless people allow `split`; of the clips already, before hours go into their faces."""
    if split == "official":
        _check_one_part_each(items)
    elif split == "subject":
        _check_enough(items)


def warning(split: str) -> str | None:
    """What people must know about this split's results."""
    return FRAMES_WARNING if split == "frames" else None


def in_order(faces: Sequence[Face]) -> list[Face]:
    """`faces` by person, clip and frame."""
    return sorted(faces, key=lambda face: (face.person, face.clip, face.frame, face.file))


def by_frames(labels: Sequence[int], seed: int) -> dict[Part, list[int]]:
    """The reference's split: 70 % against the rest, then the rest in halves, each time at random within each class.

    Gives the places in `labels` that each part takes, ascending. Raises `TrainingFailed` when there are too few.
    """
    classes = np.array(labels, np.int64)
    try:
        train, rest = train_test_split(np.arange(len(classes)), test_size=0.3, random_state=seed, stratify=classes)
        val, test = train_test_split(rest, test_size=0.5, random_state=seed, stratify=classes[rest])
    except ValueError as error:
        raise TrainingFailed(
            f"expected enough images of both classes for three parts, got {int((classes == 1).sum())} attentive and"
            f" {int((classes == 0).sum())} not attentive: give more clips, or a larger --per-class"
        ) from error
    return {"train": sorted(train.tolist()), "val": sorted(val.tolist()), "test": sorted(test.tolist())}


def _check_one_part_each(items: Iterable[OfPerson]) -> None:
    parts_of: defaultdict[str, set[Part]] = defaultdict(set)
    for item in items:
        parts_of[item.person].add(item.part)
    twice = [person for person, found in parts_of.items() if len(found) > 1]
    if twice:
        named = "; ".join(
            f"{person} in {' and '.join(part for part in PARTS if part in parts_of[person])}"
            for person in twice[:NAMED]
        )
        more = f"; and {len(twice) - NAMED} more" if len(twice) > NAMED else ""
        raise TrainingFailed(
            f"expected every person in one official part, got {len(twice)} in several ({named}{more}): use"
            " --split subject, or move each person's clips into one of Train, Validation and Test"
        )


def _check_enough(items: Iterable[OfPerson]) -> None:
    holders: tuple[set[str], set[str]] = (set(), set())
    for item in items:
        holders[item.label].add(item.person)
    not_attentive, attentive = map(len, holders)
    if min(not_attentive, attentive) < len(PARTS):
        raise TrainingFailed(
            f"expected at least {len(PARTS)} persons with attentive faces and {len(PARTS)} with not attentive ones for"
            f" --split subject, got {attentive} and {not_attentive} (of {len(set.union(*holders))} persons): give more"
            " people"
        )


def _by_persons(faces: Sequence[Face], seed: int) -> dict[Part, list[Face]]:
    """Nobody in two parts; shares and class balance as close to 70/15/15 as whole persons allow.

    A plain local search: persons are dealt out at random by the shares; then, again and again, the one step that
    makes the score (the deviations added up, see `_deviation`) best is taken, a step being to move one person to
    another part or to swap two. The best of `TRIES` starts counts, or the first that is `GOOD`.
    `StratifiedGroupKFold` knows equal folds only, and places each person once.

    Every part gets both classes whenever at least three persons have faces of each class. Then a part that lacks a
    class can get it: another part has two persons with that class, and not both of them are the only one there with
    the other class. That step makes the score better by more than anything else can make it worse.
    """
    numbers = {person: number for number, person in enumerate(dict.fromkeys(face.person for face in faces))}
    counts = np.zeros((len(numbers), 4), np.int64)
    for face in faces:
        counts[numbers[face.person], [face.label, 2]] += 1
    counts[:, 3] = 1
    draws = np.random.default_rng(seed)
    best, part_of = np.inf, np.zeros(len(counts), np.int64)
    for _ in range(TRIES):
        found = _settled(counts, draws)
        score = sum(_score(counts, found))
        if score < best:
            best, part_of = score, found
        if best < GOOD:
            break
    parts: dict[Part, list[Face]] = {part: [] for part in PARTS}
    for face in faces:
        parts[PARTS[part_of[numbers[face.person]]]].append(face)
    return parts


def _settled(counts: NDArray[np.int64], draws: Generator) -> NDArray[np.int64]:
    """(P,) number of each person's part: a random start, improved until nothing helps.

    `counts`: (P, 4), of each person the faces of class 0, those of class 1, all faces, and 1.
    """
    part_of = draws.choice(len(PARTS), len(counts), p=[SHARES[part] for part in PARTS])
    while (better := _best_step(counts, part_of)) is not None:
        part_of = better
    return part_of


def _best_step(counts: NDArray[np.int64], part_of: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """`part_of` after the best move or swap; None when none is worth it."""
    totals = counts.sum(axis=0)
    with_nobody = np.vstack([counts, np.zeros_like(totals)])  # in the last place: to swap with nobody is to move
    before = _score(counts, part_of)
    best, result = LEAST_GAIN, None
    for one, other in ((0, 1), (0, 2), (1, 2)):
        givers, takers = (np.append(np.flatnonzero(part_of == part), len(counts)) for part in (one, other))
        change = with_nobody[givers][:, None] - with_nobody[takers][None]
        gain = before[one] + before[other]
        for part, sign in ((one, -1), (other, 1)):
            gain = gain - _deviation(counts[part_of == part].sum(axis=0) + sign * change, totals, PARTS[part])
        giver, taker = np.unravel_index(gain.argmax(), gain.shape)
        if gain[giver, taker] > best:
            best = float(gain[giver, taker])
            result = np.append(part_of, 0)
            result[givers[giver]], result[takers[taker]] = other, one
            result = result[:-1]
    return result


def _score(counts: NDArray[np.int64], part_of: NDArray[np.int64]) -> list[Any]:
    """The deviation of each part."""
    totals = counts.sum(axis=0)
    return [_deviation(counts[part_of == number].sum(axis=0), totals, part) for number, part in enumerate(PARTS)]


def _deviation(sums: NDArray[np.int64], totals: NDArray[np.int64], part: Part) -> Any:
    """(...) how far `part` with `sums` (..., 4) of `totals` (4,) is from its share; 0 is perfect.

    Four deviations are added up: of its share of class 0, of class 1, of all faces, and of the persons. The last,
    because how sure a result is depends on the number of people tested; the first two make the class balance.
    """
    return (np.abs(sums / totals - SHARES[part]) + MISSING * (sums == 0)).sum(axis=-1)
