"""Who of the rendered people is in which part: nobody in two, and every part with people of every group.

Iterative stratification (Sechidis, Tsoumakas & Vlahavas, "On the Stratification of Multi-Label Data", ECML PKDD
2011): the rarest group's people are dealt out first, each to the part that lacks most of that group.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from training.errors import TrainingFailed
from training.faces.behaviour import GROUP, HARD_FROM
from training.faces.groups import FAMILIES, OF_PERSONS
from training.faces.truth import Truth
from training.splits import PARTS, Part

SHARES: dict[Part, float] = {"train": 0.75, "val": 0.125, "test": 0.125}
"""More for training than of recorded people: there are many, and a few hundred pictures of a hundred people tell
how good a model is."""

Group = tuple[str, str]
"""Family and name, such as ("hair", "short01")."""


def deal(truths: Sequence[Truth], seed: int) -> dict[int, Part]:
    """The part of each person. Raises `TrainingFailed` for fewer people than parts.

    The people of hard images are dealt out by themselves, so that those of the others stay where they were.
    """
    groups = groups_of(truths)
    if len(groups) < len(PARTS):
        raise TrainingFailed(f"expected at least {len(PARTS)} rendered people, one per part, got {len(groups)}")
    usual, hard = ({person: of for person, of in groups.items() if (GROUP * person >= HARD_FROM) is which}
                   for which in (False, True))  # fmt: skip
    return _dealt(usual, seed) | _dealt(hard, seed)


def _dealt(groups: Mapping[int, set[Group]], seed: int) -> dict[int, Part]:
    # In the order of a draw, so that who comes first among equals is chance, and the same with the same seed.
    people = np.array(sorted(groups))[np.random.default_rng(seed).permutation(len(groups))].tolist()
    members: dict[Group, set[int]] = defaultdict(set)
    for person in people:
        for group in groups[person]:
            members[group].add(person)
    lacking = {group: quotas(len(found)) for group, found in members.items()}
    places = quotas(len(people))
    part_of: dict[int, Part] = {}
    while len(part_of) < len(people):
        rarest = min((group for group in members if members[group]), key=lambda group: (len(members[group]), group))
        for person in [person for person in people if person in members[rarest]]:
            part = max(PARTS, key=lambda part: (lacking[rarest][part], places[part] / SHARES[part]))
            part_of[person] = part
            places[part] -= 1
            for group in groups[person]:
                lacking[group][part] -= 1
                members[group].discard(person)
    return part_of


def quotas(people: int) -> dict[Part, float]:
    """How many of a group each part wants; from three people on at least one."""
    few = max(1.0, people * SHARES["test"]) if people >= len(PARTS) else people * SHARES["test"]
    return {"train": people - 2 * few, "val": few, "test": few}


def groups_of(truths: Sequence[Truth]) -> dict[int, set[Group]]:
    """The groups that each person is in: several of a family, where its pictures differ."""
    groups: dict[int, set[Group]] = defaultdict(set)
    for truth in truths:
        groups[truth.person] |= {(family, FAMILIES[family](truth)) for family in OF_PERSONS}
    return groups


def missing(truths: Sequence[Truth], part_of: Mapping[int, Part]) -> list[str]:
    """A sentence for each group that a part has nobody of."""
    held: dict[Group, set[Part]] = defaultdict(set)
    people: dict[Group, int] = defaultdict(int)
    for person, groups in groups_of(truths).items():
        for group in groups:
            held[group].add(part_of[person])
            people[group] += 1
    return [
        f"{family} {name!r} has {people[family, name]} {'person' if people[family, name] == 1 else 'people'},"
        f" and none of them in {' and '.join(part for part in PARTS if part not in parts)}"
        for (family, name), parts in sorted(held.items())
        if len(parts) < len(PARTS)
    ]
