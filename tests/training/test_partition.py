"""Who is in which part: nobody in two, shares as close as whole persons allow, and sentences where it cannot be."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.faces import make_person, people, people_of_both_classes
from training.errors import TrainingFailed
from training.index import Face
from training.partition import SHARES, by_frames, partition, warning
from training.splits import PARTS, Part


def persons(faces: list[Face]) -> set[str]:
    return {face.person for face in faces}


def shuffled(faces: list[Face]) -> list[Face]:
    return random.Random(1).sample(faces, len(faces))


def assert_complete(parts: dict[Part, list[Face]], faces: list[Face]) -> None:
    """Every face is in exactly one part, and each part has both classes."""
    found = [face.file for part in PARTS for face in parts[part]]
    assert sorted(found) == sorted(face.file for face in faces)
    assert all({face.label for face in parts[part]} == {0, 1} for part in PARTS)


@given(people_of_both_classes, st.integers(0, 3))
def test_by_subject_nobody_is_in_two_parts(faces: list[Face], seed: int) -> None:
    parts = partition(faces, "subject", seed)
    assert_complete(parts, faces)
    assert len(persons(faces)) == sum(len(persons(parts[part])) for part in PARTS)


@given(people, st.integers(0, 3))
def test_by_subject_every_part_gets_both_classes_wherever_that_is_possible(faces: list[Face], seed: int) -> None:
    possible = all(len({face.person for face in faces if face.label == label}) >= 3 for label in (0, 1))
    if possible:
        assert_complete(partition(faces, "subject", seed), faces)
    else:
        with pytest.raises(TrainingFailed, match=r"at least 3 persons .* for --split subject"):
            partition(faces, "subject", seed)


@given(st.sampled_from(["subject", "frames"]), people_of_both_classes)
def test_the_same_seed_gives_the_same_parts_whatever_the_order_of_faces(split: str, faces: list[Face]) -> None:
    faces += make_person(99, (0, 20), (1, 20))
    assert partition(faces, split, 7) == partition(shuffled(faces), split, 7)


def test_another_seed_gives_other_parts() -> None:
    faces = [face for number in range(20) for face in make_person(number, (0, 5), (1, 5))]
    for split in ("subject", "frames"):
        assert partition(faces, split, 1) != partition(faces, split, 2)


def uneven_people(count: int) -> list[Face]:
    """Few with many faces, many with few, and attentive shares of all kinds."""
    draws = random.Random(5)
    return [
        face
        for number in range(count)
        for face in make_person(number, (1, draws.randint(5, 120)), (0, draws.randint(0, 60)))
    ]


@pytest.mark.parametrize(("count", "tolerance"), [(24, 0.03), (112, 0.005)])
def test_by_subject_shares_and_class_balance_are_close(count: int, tolerance: float) -> None:
    faces = uneven_people(count)
    parts = partition(faces, "subject", 42)
    for part in PARTS:
        for chosen in ({0}, {1}, {0, 1}):
            of_all = sum(face.label in chosen for face in faces)
            assert sum(face.label in chosen for face in parts[part]) / of_all == pytest.approx(
                SHARES[part], abs=tolerance
            )
        assert len(persons(parts[part])) / count == pytest.approx(SHARES[part], abs=0.05)


def test_three_persons_are_one_per_part() -> None:
    faces = [face for number in range(3) for face in make_person(number, (0, 4), (1, 4))]
    assert all(len(persons(found)) == 1 for found in partition(faces, "subject", 42).values())


def test_three_of_each_class_are_enough_even_if_nobody_has_both() -> None:
    faces = [face for number in range(6) for face in make_person(number, (number % 2, 5))]
    assert all(len(persons(found)) == 2 for found in partition(faces, "subject", 42).values())


def test_two_persons_are_refused_by_subject() -> None:
    faces = [face for number in range(2) for face in make_person(number, (0, 9), (1, 9))]
    with pytest.raises(TrainingFailed, match=r"at least 3 persons .* got 2 and 2 \(of 2 persons\): give more people"):
        partition(faces, "subject", 42)


def test_no_faces_at_all_are_refused() -> None:
    for split in ("subject", "official", "frames"):
        with pytest.raises(TrainingFailed, match="expected"):
            partition([], split, 42)


def official_people() -> list[Face]:
    return [face for number, part in enumerate(PARTS * 2) for face in make_person(number, (0, 3), (1, 3), part=part)]


def test_official_parts_are_daisees_own_folders() -> None:
    faces = official_people()
    parts = partition(faces, "official", 42)
    assert_complete(parts, faces)
    assert all(face.part == part for part in PARTS for face in parts[part])


def test_a_person_in_two_official_parts_is_named() -> None:
    faces = official_people() + make_person(1, (1, 1), part="test")
    with pytest.raises(TrainingFailed, match=r"got 1 in several \(p001 in val and test\): use --split subject"):
        partition(faces, "official", 42)


def test_of_many_persons_in_two_official_parts_some_are_named() -> None:
    faces = official_people()
    faces += [face for number in range(6, 15) for part in PARTS for face in make_person(number, (1, 1), part=part)]
    with pytest.raises(TrainingFailed, match=r"got 9 in several .*; p010 in train and val and test; and 4 more\)"):
        partition(faces, "official", 42)


def test_an_official_part_with_one_class_only_is_refused() -> None:
    faces = [face for face in official_people() if (face.part, face.label) != ("val", 0)]
    with pytest.raises(TrainingFailed, match="both classes in the part 'val', got 6 attentive and 0 not"):
        partition(faces, "official", 42)


def test_frames_are_split_70_15_15_within_each_class() -> None:
    faces = [face for number in range(10) for face in make_person(number, (0, 20), (1, 60))]
    parts = partition(faces, "frames", 42)
    assert_complete(parts, faces)
    counts = [[sum(face.label == label for face in parts[part]) for label in (0, 1)] for part in PARTS]
    assert counts == [[140, 420], [30, 90], [30, 90]]


def test_frames_put_every_person_into_training_and_test_which_the_warning_says() -> None:
    faces = [face for number in range(10) for face in make_person(number, (0, 20), (1, 60))]
    parts = partition(faces, "frames", 42)
    assert persons(parts["test"]) <= persons(parts["train"])
    assert "too good for new ones" in str(warning("frames"))
    assert warning("subject") is None
    assert warning("official") is None


def test_too_few_frames_are_refused() -> None:
    with pytest.raises(TrainingFailed, match=r"enough images .* got 9 attentive and 1 not attentive"):
        partition(make_person(0, (0, 1), (1, 9)), "frames", 42)


def test_by_frames_places_are_the_references() -> None:
    places = by_frames([0, 1] * 10, 42)
    assert {part: len(found) for part, found in places.items()} == {"train": 14, "val": 3, "test": 3}
    assert sorted(place for found in places.values() for place in found) == list(range(20))


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(TrainingFailed, match="expected --split subject, official or frames, got 'people'"):
        partition(official_people(), "people", 42)
