"""Rendered people dealt out: whole, by their shares, with some of every group everywhere."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from tests.training.rendered import HAIR, make_truth
from training.errors import TrainingFailed
from training.faces.behaviour import GROUP, HARD_FROM
from training.faces.parts import deal, missing
from training.faces.truth import Glasses, Truth
from training.splits import PARTS


def people(count: int, seed: int = 1) -> list[Truth]:
    """One image each, of all kinds."""
    rng = np.random.default_rng(seed)
    glasses = list(Glasses)
    return [
        make_truth(
            8 * number, skin_tone=int(rng.integers(1, 11)), hair=HAIR[rng.integers(3)],
            glasses=glasses[rng.choice(4, p=[0.55, 0.2, 0.15, 0.1])], beard="full" if number % 11 == 0 else "none",
        )
        for number in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [60, 200, 801])
def test_parts_have_their_shares_and_people_of_every_group(count: int) -> None:
    truths = people(count)
    part_of = deal(truths, seed=42)
    sizes = Counter(part_of.values())
    assert sum(sizes.values()) == count
    assert sizes["train"] == pytest.approx(0.75 * count, abs=0.03 * count + 1)
    assert sizes["val"] == pytest.approx(sizes["test"], abs=0.02 * count + 1)
    assert missing(truths, part_of) == []


def test_three_people_of_a_rare_group_are_one_in_each_part() -> None:
    truths = people(90)
    rare = [*truths[:87], *(make_truth(8 * number, hair="mohawk") for number in range(87, 90))]
    part_of = deal(rare, seed=1)
    assert {part_of[truth.person] for truth in rare if truth.hair == "mohawk"} == set(PARTS)


def test_a_group_too_small_for_every_part_is_said() -> None:
    truths = [*people(40), make_truth(8 * 40, hair="mohawk")]
    part_of = deal(truths, seed=1)
    (sentence,) = missing(truths, part_of)
    absent = " and ".join(part for part in PARTS if part != part_of[40])
    assert sentence == f"hair 'mohawk' has 1 person, and none of them in {absent}"


def test_the_same_seed_deals_alike_whatever_the_order_of_the_images() -> None:
    truths = people(50)
    assert deal(truths, 7) == deal(truths[::-1], 7)
    assert deal(truths, 7) != deal(truths, 8)


def test_fewer_people_than_parts_are_refused() -> None:
    with pytest.raises(TrainingFailed, match="expected at least 3 rendered people, one per part, got 2"):
        deal(people(2), 1)


def test_hard_images_leave_everybody_else_where_they_were() -> None:
    truths = people(60)
    hard = [make_truth(HARD_FROM + GROUP * number, person=HARD_FROM // GROUP + number) for number in range(40)]
    alone, both = deal(truths, seed=42), deal([*truths, *hard], seed=42)
    assert {person: both[person] for person in alone} == alone
    sizes = Counter(both[truth.person] for truth in hard)
    assert (sizes["train"], sizes["val"], sizes["test"]) == (30, 5, 5)
