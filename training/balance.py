"""Which faces are used: N per class, spread evenly over people, over their clips, and over each clip's frames.

Augmented copies fill up the training part alone, after the split. The reference balances and augments first and then
splits, so that a frame and its own mirror image land in training and test; `reference_order` does that, on purpose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.errors import TrainingFailed
from training.index import Face
from training.partition import SHARES, by_frames, in_order
from training.splits import CLASSES, PARTS, Part

Augmentation = Literal["flip", "brightness", "blur"]
AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)


@dataclass(frozen=True, slots=True)
class Planned:
    """One image to be: a face as it is, or an augmented copy of it."""

    face: Face
    augmentation: Augmentation | None = None


def balance(parts: Mapping[Part, Sequence[Face]], per_class: int, seed: int) -> dict[Part, list[Planned]]:
    """`per_class` images of each class over all parts, by their shares; in the order of person, clip and frame.

    Where a class has more faces than wanted, nobody gives more than one face more than another who has some left;
    the same holds for the clips of a person, and the faces of a clip are equally far apart. Where the training part
    has fewer, each face is used and the rest are augmented copies, first of those persons and clips that have fewest
    images; no copy comes twice, so there may still be too few. Validation and test take what is there.
    `shortages` says where less came out than wanted. Raises `TrainingFailed`.
    """
    wanted = quotas(per_class)
    planned: dict[Part, list[Planned]] = {}
    for number, part in enumerate(PARTS):
        planned[part] = []
        for label in range(len(CLASSES)):
            faces = in_order([face for face in parts[part] if face.label == label])
            draws = np.random.default_rng([seed, number, label])
            planned[part] += _plan(faces, wanted[part], draws, augment=part == "train")
        planned[part].sort(key=_order)
    return planned


def reference_order(faces: Sequence[Face], per_class: int, seed: int) -> dict[Part, list[Planned]]:
    """The reference's order: `per_class` images of each class out of all faces at random, then 70/15/15 of those.

    Too few faces are filled up with random copies of random faces. Copies of one face then lie in different parts:
    what this measures is flattering, and it is here to be compared with. Raises `TrainingFailed`.
    """
    quotas(per_class)  # refuses too few
    images: list[Planned] = []
    for label in range(len(CLASSES)):
        draws = np.random.default_rng([seed, label])
        found = [Planned(face) for face in in_order(faces) if face.label == label]
        copies = [Planned(image.face, name) for image in found for name in AUGMENTATIONS]
        images += _some(found, per_class, draws)
        images += _some(copies, per_class - len(found), draws)
    images.sort(key=_order)
    places = by_frames([image.face.label for image in images], seed)
    return {part: [images[place] for place in places[part]] for part in PARTS}


def quotas(per_class: int) -> dict[Part, int]:
    """Images per class in each part, together `per_class`. Raises `TrainingFailed` when a part would get none."""
    if per_class < len(PARTS):
        raise TrainingFailed(f"expected --per-class of at least {len(PARTS)}, one per part, got {per_class}")
    val = test = max(1, round(per_class * SHARES["val"]))
    return {"train": per_class - val - test, "val": val, "test": test}


def shortages(planned: Mapping[Part, Sequence[Planned]], per_class: int) -> list[str]:
    """A sentence for each class that has fewer images than wanted; empty when all is as wanted."""
    sentences = []
    for label, name in enumerate(CLASSES):
        counts = {part: sum(image.face.label == label for image in planned[part]) for part in PARTS}
        if sum(counts.values()) < per_class:
            each = ", ".join(f"{part} {counts[part]} of {wanted}" for part, wanted in quotas(per_class).items())
            sentences.append(
                f"{name} has {sum(counts.values())} of {per_class} wanted images ({each}): there are no more faces,"
                " and each can be copied into training only, in three ways"
            )
    return sentences


def _plan(faces: Sequence[Face], wanted: int, draws: Generator, *, augment: bool) -> list[Planned]:
    """Images of one class in one part, `faces` being all there are, in order."""
    enough = wanted <= len(faces)
    versions = 1 + len(AUGMENTATIONS) if augment and not enough else 1
    planned: list[Planned] = []
    for of_person, person_share in _shared_out(faces, lambda face: face.person, wanted, versions, draws):
        for of_clip, share in _shared_out(of_person, lambda face: face.clip, person_share, versions, draws):
            if enough:
                planned += [Planned(of_clip[place]) for place in _spread(share, len(of_clip))]
            else:
                planned += [Planned(face) for face in of_clip]
                planned += _copies(of_clip, share - len(of_clip), draws)
    return planned


def _shared_out(
    faces: Sequence[Face], key: Callable[[Face], str], amount: int, versions: int, draws: Generator
) -> Iterable[tuple[list[Face], int]]:
    """The faces of each person (or clip), with how many images of them to use.

    Each face can give `versions` images. When there are not more faces than wanted, each is used at least once.
    """
    groups: defaultdict[str, list[Face]] = defaultdict(list)
    for face in faces:
        groups[key(face)].append(face)
    sizes = np.array([len(group) for group in groups.values()], np.int64)
    least = sizes if amount >= len(faces) else np.zeros_like(sizes)
    return zip(groups.values(), fill(amount, least, sizes * versions, draws).tolist(), strict=True)


def fill(amount: int, least: NDArray[np.int64], most: NDArray[np.int64], draws: Generator) -> NDArray[np.int64]:
    """(G,) integers between `least` and `most` (G,), together `amount` or as near as those allow, as even as possible.

    Water-filling: one level for all, cut to each one's bounds; chance decides who of those between the bounds gets
    the few that are left over.
    """
    amount = int(np.clip(amount, least.sum(), most.sum()))
    low, high = 0, int(most.max(initial=0))
    while low < high:  # the highest level that does not need more than there is
        level = (low + high + 1) // 2
        low, high = (level, high) if np.clip(level, least, most).sum() <= amount else (low, level - 1)
    given: NDArray[np.int64] = np.clip(low, least, most)
    open_ones = np.flatnonzero((given < most) & (given == low))
    given[draws.permutation(open_ones)[: amount - given.sum()]] += 1
    return given


def _copies(faces: Sequence[Face], amount: int, draws: Generator) -> list[Planned]:
    """`amount` augmented copies of a clip's faces, no face more than one ahead of another, no copy twice."""
    rounds, rest = divmod(amount, len(faces)) if faces else (0, 0)
    further = set(_spread(rest, len(faces)))
    return [
        Planned(face, AUGMENTATIONS[which])
        for place, face in enumerate(faces)
        for which in draws.permutation(len(AUGMENTATIONS))[: rounds + (place in further)]
    ]


def _spread(amount: int, length: int) -> list[int]:
    """`amount` places of `length`, equally far apart."""
    return [(2 * step + 1) * length // (2 * amount) for step in range(amount)]


def _some(images: list[Planned], amount: int, draws: Generator) -> list[Planned]:
    """`amount` of `images` at random, at most all, none twice."""
    chosen = draws.permutation(len(images))[: max(amount, 0)]
    return [images[place] for place in chosen]


def _order(image: Planned) -> tuple[str, str, int, str, str]:
    face = image.face
    return face.person, face.clip, face.frame, face.file, image.augmentation or ""
