"""Which images stand for all."""

from __future__ import annotations

from collections import Counter

from training.splits import Sample
from training.subset import balanced_subset


def sample(person: str, label: int, number: int, source: str | None = None) -> Sample:
    return Sample(f"{person}-{label}-{number}{source or ''}.jpg", person, f"{person}-{number // 5}", label, source)


def crowd() -> list[Sample]:
    """One person with 50 images, four with 5 each, and an augmented copy of every one."""
    counts = {"loud": 50, "a": 5, "b": 5, "c": 5, "d": 5}
    originals = [
        sample(person, label, number) for person, n in counts.items() for label in (0, 1) for number in range(n)
    ]
    copies = [Sample(f"aug/{one.file}", one.person, one.clip, one.label, one.file, "flip") for one in originals]
    return originals + copies


def test_everybody_and_both_classes_calibrate_alike() -> None:
    chosen = balanced_subset(crowd(), 40, seed=1)
    assert set(Counter((one.person, one.label) for one in chosen).values()) == {4}


def test_augmented_copies_do_not_calibrate() -> None:
    assert all(one.source is None for one in balanced_subset(crowd(), 10_000, seed=1))
    assert len(balanced_subset(crowd(), 10_000, seed=1)) == 140


def test_the_seed_decides_who_calibrates() -> None:
    assert balanced_subset(crowd(), 20, seed=1) == balanced_subset(crowd(), 20, seed=1)
    assert balanced_subset(crowd(), 20, seed=1) != balanced_subset(crowd(), 20, seed=2)


def test_a_class_that_runs_out_leaves_its_place_to_the_other() -> None:
    few = [sample("a", 1, number) for number in range(2)] + [sample("b", 0, number) for number in range(20)]
    assert Counter(one.label for one in balanced_subset(few, 10, seed=0)) == {0: 8, 1: 2}
