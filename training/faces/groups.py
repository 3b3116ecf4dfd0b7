"""Kinds of rendered people and pictures: for parts that have some of each, and for scores of each."""

from __future__ import annotations

from collections.abc import Callable

from training.faces.truth import Truth

TONES = ((3, "1-3"), (6, "4-6"), (10, "7-10"))
"""Monk scale: the last tone of a group, and the group's name."""


def tone(truth: Truth) -> str:
    """Light, medium or dark, by their numbers on the Monk scale."""
    return next(name for last, name in TONES if truth.skin_tone <= last)


FAMILIES: dict[str, Callable[[Truth], str]] = {
    "skin tone": tone,
    "glasses": lambda truth: truth.glasses.value,
    "hair": lambda truth: truth.hair,
    "beard": lambda truth: truth.beard,
    "light": lambda truth: truth.light.value,
    "occluder": lambda truth: truth.occluder,
}
"""What a picture is grouped by, with the name of its group."""

OF_PERSONS = ("skin tone", "glasses", "hair", "beard")
"""Families of which every part should hold each group; the others vary from picture to picture."""
