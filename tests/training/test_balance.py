"""N images per class: evenly over people, clips and frames; copies in training only, but for the reference's order."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.faces import make_person, people, people_of_both_classes
from training.augment import augment, write_augmented
from training.balance import AUGMENTATIONS, Augmentation, Planned, balance, fill, quotas, reference_order, shortages
from training.errors import TrainingFailed
from training.index import Face
from training.partition import partition
from training.splits import CLASSES, PARTS, Part

Plan = dict[Part, list[Planned]]


def of_class(planned: list[Planned], label: int) -> list[Planned]:
    return [image for image in planned if image.face.label == label]


def assert_even(given_: Sequence[int], least: Sequence[int], most: Sequence[int]) -> None:
    """Nobody has over one more than another, except those who must give that many and those who have no more."""
    for one, other in permutations(range(len(most)), 2):
        if given_[one] > given_[other] + 1:
            assert given_[one] == least[one] or given_[other] == most[other]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), min_size=1, max_size=8), st.integers(-2, 110),
    st.integers(0, 9),
)  # fmt: skip
def test_filling_is_as_even_as_the_bounds_allow(bounds: list[tuple[int, int]], percent: int, seed: int) -> None:
    least = np.array([low for low, _ in bounds])
    most = np.array([low + more for low, more in bounds])
    amount = least.sum() + (most - least).sum() * percent // 100
    found = fill(amount, least, most, np.random.default_rng(seed))
    assert found.sum() == np.clip(amount, least.sum(), most.sum())
    assert (found >= least).all() and (found <= most).all()
    assert_even(found.tolist(), least.tolist(), most.tolist())


def assert_shared_out(used: list[Planned], there: list[Face], versions: int, key: Callable[[Face], str]) -> None:
    """`used` is even over the persons or clips of the faces that are `there`."""
    has = Counter(map(key, there))
    gives = Counter(key(image.face) for image in used)
    all_used = len(used) >= len(there)
    assert_even(
        [gives[name] for name in has],
        [count if all_used else 0 for count in has.values()],
        [versions * count for count in has.values()],
    )


@given(people_of_both_classes, st.integers(3, 90), st.integers(0, 3))
def test_a_balanced_plan_is_even_complete_and_augments_training_only(
    faces: list[Face], per_class: int, seed: int
) -> None:
    parts = partition(faces, "subject", seed)
    planned = balance(parts, per_class, seed)
    for part in PARTS:
        assert all(image.face in parts[part] for image in planned[part])
        assert len({(image.face.file, image.augmentation) for image in planned[part]}) == len(planned[part])
        assert part == "train" or not any(image.augmentation for image in planned[part])
        for label in (0, 1):
            there = [face for face in parts[part] if face.label == label]
            wanted = quotas(per_class)[part]
            versions = 4 if part == "train" and wanted > len(there) else 1
            used = of_class(planned[part], label)
            assert len(used) == min(wanted, versions * len(there))
            if wanted >= len(there):
                assert {image.face for image in used if image.augmentation is None} == set(there)
            assert_shared_out(used, there, versions, lambda face: face.person)
            for person in {face.person for face in there}:
                assert_shared_out(
                    [image for image in used if image.face.person == person],
                    [face for face in there if face.person == person],
                    versions,
                    lambda face: face.clip,
                )
            for clip in {face.clip for face in there} if wanted >= len(there) else ():
                per_frame = Counter(image.face.file for image in used if image.face.clip == clip)
                assert max(per_frame.values()) - min(per_frame.values()) <= 1


@given(people_of_both_classes, st.integers(3, 90))
def test_the_same_seed_gives_the_same_plan_whatever_the_order_of_faces(faces: list[Face], per_class: int) -> None:
    parts = partition(faces, "subject", 1)
    mixed = {part: random.Random(2).sample(found, len(found)) for part, found in parts.items()}
    assert balance(parts, per_class, 5) == balance(mixed, per_class, 5)
    faces += make_person(99, (0, 20), (1, 20))
    again = random.Random(2).sample(faces, len(faces))
    assert reference_order(faces, max(per_class, 10), 5) == reference_order(again, max(per_class, 10), 5)


def test_another_seed_gives_another_plan() -> None:
    faces = [face for number in range(20) for face in make_person(number, (0, 5), (1, 50))]
    parts = partition(faces, "subject", 1)
    assert balance(parts, 200, 1) != balance(parts, 200, 2)
    assert reference_order(faces, 200, 1) != reference_order(faces, 200, 2)


def test_a_person_with_many_faces_gives_no_more_than_others() -> None:
    faces = make_person(0, (1, 900)) + [face for number in range(1, 5) for face in make_person(number, (1, 30))]
    planned = balance({"train": faces, "val": [], "test": []}, per_class=100, seed=42)
    assert Counter(image.face.person for image in planned["train"]) == dict.fromkeys(
        ["p000", "p001", "p002", "p003", "p004"], 14
    )


def test_frames_of_a_clip_are_equally_far_apart() -> None:
    planned = balance({"train": make_person(0, (1, 100)), "val": [], "test": []}, per_class=14, seed=42)
    assert [image.face.frame for image in planned["train"]] == [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]


def test_whoever_has_few_faces_is_copied_first() -> None:
    faces = make_person(0, (1, 50)) + make_person(1, (1, 10))
    planned = balance({"train": faces, "val": [], "test": []}, per_class=114, seed=42)
    copied = Counter(image.face.person for image in planned["train"] if image.augmentation)
    assert copied == {"p001": 20}
    assert Counter(image.augmentation for image in planned["train"]).keys() == {None, *AUGMENTATIONS}


def test_where_all_copies_are_used_up_it_stops_short_and_says_so() -> None:
    parts: dict[Part, list[Face]] = {
        "train": make_person(0, (0, 3), (1, 100)), "val": make_person(1, (0, 9), (1, 60)),
        "test": make_person(2, (0, 60), (1, 60)),
    }  # fmt: skip
    planned = balance(parts, per_class=100, seed=42)
    assert len(of_class(planned["train"], 0)) == 12
    assert shortages(planned, 100) == [
        "not_attentive has 36 of 100 wanted images (train 12 of 70, val 9 of 15, test 15 of 15): there are no more"
        " faces, and each can be copied into training only, in three ways"
    ]
    assert shortages(balance(parts, per_class=16, seed=42), 16) == []


@pytest.mark.parametrize(
    ("per_class", "expected"), [(5000, (3500, 750, 750)), (100, (70, 15, 15)), (10, (6, 2, 2)), (3, (1, 1, 1))]
)
def test_quotas_add_up_and_no_part_is_empty(per_class: int, expected: tuple[int, int, int]) -> None:
    assert tuple(quotas(per_class).values()) == expected


def test_fewer_than_one_image_per_part_are_refused() -> None:
    for per_class in (0, 2):
        with pytest.raises(TrainingFailed, match=f"at least 3, one per part, got {per_class}"):
            balance({"train": [], "val": [], "test": []}, per_class, 42)
        with pytest.raises(TrainingFailed, match=f"at least 3, one per part, got {per_class}"):
            reference_order([], per_class, 42)


@given(people, st.integers(10, 90), st.integers(0, 3))
def test_the_references_order_uses_each_image_once_and_never_too_many(
    faces: list[Face], per_class: int, seed: int
) -> None:
    faces += make_person(99, (0, 5), (1, 5))
    planned = reference_order(faces, per_class, seed)
    images = [(image.face.file, image.augmentation) for part in PARTS for image in planned[part]]
    assert len(set(images)) == len(images)
    for label in (0, 1):
        there = sum(face.label == label for face in faces)
        used = sum(len(of_class(planned[part], label)) for part in PARTS)
        assert used == min(per_class, 4 * there)


def test_the_references_order_leaks_copies_into_the_test_and_ours_does_not() -> None:
    faces = [face for number in range(20) for face in make_person(number, (0, 10), (1, 40))]

    def leaked(planned: Plan) -> int:
        trained = {image.face.file for image in planned["train"]}
        return sum(image.face.file in trained for image in planned["test"])

    planned = reference_order(faces, per_class=500, seed=42)
    assert [len(planned[part]) for part in PARTS] == [700, 150, 150]
    assert any(image.augmentation for image in planned["test"])
    assert leaked(planned) > 50
    assert leaked(balance(partition(faces, "subject", 42), per_class=500, seed=42)) == 0


RGB = np.random.default_rng(3).integers(0, 256, (160, 160, 3), np.uint8)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flip", cv2.flip(RGB, 1)),
        ("brightness", cv2.convertScaleAbs(RGB, alpha=1.2, beta=20)),
        ("blur", cv2.GaussianBlur(RGB, (5, 5), 0)),
    ],
)
def test_an_operation_is_the_references_to_the_pixel(name: Augmentation, expected: np.ndarray) -> None:
    assert np.array_equal(augment(RGB, name), expected)
    assert not np.array_equal(augment(RGB, name), RGB)
    assert np.array_equal(augment(RGB[..., ::-1].copy(), name)[..., ::-1], expected)  # channel order does not matter


def write_faces(run: Path, faces: list[Face]) -> None:
    for number, face in enumerate(faces):
        path = run / face.file
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = np.full((160, 160, 3), (number * 9 % 200, 80, 30), np.uint8)
        picture[:, :40] = 220  # left is not right
        cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 95])


def small_plan(run: Path) -> Plan:
    faces = make_person(0, (0, 2), (1, 8))
    write_faces(run, faces)
    val, test = make_person(1, (0, 1), (1, 1)), make_person(2, (0, 1), (1, 1))
    return balance({"train": faces, "val": val, "test": test}, per_class=10, seed=42)


def test_copies_are_written_under_their_class_with_their_source(tmp_path: Path) -> None:
    planned = small_plan(tmp_path)
    samples = write_augmented(tmp_path, planned)
    assert [len(samples[part]) for part in PARTS] == [len(planned[part]) for part in PARTS]
    copies = [sample for sample in samples["train"] if sample.source]
    assert len(copies) == 4
    for sample in copies:
        source = cv2.imread(str(tmp_path / str(sample.source)))
        assert sample.file == f"augmented/{CLASSES[0]}/{Path(str(sample.source)).stem}_{sample.augmentation}.jpg"
        assert sample.augmentation in AUGMENTATIONS
        written = cv2.imread(str(tmp_path / sample.file)).astype(int)
        assert np.abs(written - augment(source, sample.augmentation)).mean() < 2  # JPEG at quality 95
    originals = [sample for sample in samples["train"] if not sample.source]
    assert all((tmp_path / sample.file).is_file() and sample.augmentation is None for sample in originals)


def test_writing_twice_gives_the_same_and_copies_of_an_earlier_plan_go(tmp_path: Path) -> None:
    stale = tmp_path / "augmented" / "attentive" / "p009-0_0001_flip.jpg"
    half_done = stale.with_name(".p000-0_0001_flip.77.partial.jpg")
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"")
    half_done.write_bytes(b"")
    first = write_augmented(tmp_path, small_plan(tmp_path))
    assert first == write_augmented(tmp_path, small_plan(tmp_path))
    found = {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "augmented").rglob("*") if path.is_file()}
    assert found == {sample.file for sample in first["train"] if sample.source}


@pytest.mark.parametrize("content", [None, b"", b"no picture"])
def test_a_face_that_is_not_there_is_named(tmp_path: Path, content: bytes | None) -> None:
    planned = small_plan(tmp_path)
    source = tmp_path / next(image.face.file for image in planned["train"] if image.augmentation)
    source.unlink()
    if content is not None:
        source.write_bytes(content)
    with pytest.raises(TrainingFailed, match=f"{source.name}, got none: run `prepare` again with --force"):
        write_augmented(tmp_path, planned)
