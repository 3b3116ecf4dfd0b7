"""Made-up faces for tests of who goes where: no pictures, only lines of the index."""

from __future__ import annotations

from hypothesis import strategies as st

from training.index import Face
from training.splits import CLASSES, Part


def make_face(person: int, clip: int, frame: int, label: int, part: Part = "train") -> Face:
    """One line of the index."""
    name = f"p{person:03}-{clip}"
    return Face(
        f"faces/{CLASSES[label]}/{name}_{frame:04}.jpg", f"p{person:03}", name, part, engagement=2 * label, label=label,
        frame=frame, time_s=frame / 5, left=200.0, top=100.0, side=180.0,
    )  # fmt: skip


def make_person(person: int, *lengths: tuple[int, int], part: Part = "train") -> list[Face]:
    """A person with a clip for each (label, number of faces)."""
    return [
        make_face(person, clip, frame, label, part)
        for clip, (label, length) in enumerate(lengths)
        for frame in range(length)
    ]


clips = st.lists(st.tuples(st.integers(0, 1), st.integers(1, 12)), min_size=1, max_size=4)
"""(label, faces) of a person's clips."""

people = st.lists(clips, min_size=1, max_size=12).map(
    lambda found: [face for number, lengths in enumerate(found) for face in make_person(number, *lengths)]
)
"""The faces of some persons with few and with many, of one class or of both."""

people_of_both_classes = st.lists(clips, min_size=3, max_size=12).map(
    lambda found: [
        face for number, lengths in enumerate(found) for face in make_person(number, (0, 3), (1, 3), *lengths)
    ]
)
"""The same, with at least three persons, each with faces of both classes."""
