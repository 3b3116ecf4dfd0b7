"""Contact sheets of rendered people: one of each mode, and one of the range of skin tones, hair and glasses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.faces.truth import Mode, Truth, read_truth
from training.sheets import COLUMNS, Tile, write_sheet

ROWS = 2
"""Per mode; and per skin tone."""


def write_sheets(folder: Path) -> list[Path]:
    """Write `sheets/*.jpg` of the images that are there; their paths. Raises `TrainingFailed`."""
    truths = [truth for truth in read_truth(folder) if (folder / truth.file).is_file()]
    modes = _chosen(truths, [lambda truth, mode=mode: truth.mode is mode for mode in Mode])  # type: ignore[misc]
    tones = _chosen(truths, [lambda truth, tone=tone: truth.skin_tone == tone for tone in range(1, 11)])  # type: ignore[misc]
    return [
        write_sheet(
            folder / "sheets/modes.jpg",
            f"{len(truths)} images of {len({truth.person for truth in truths})} rendered people, by mode",
            [Tile(folder / truth.file, _angles(truth)) for truth in modes],
        ),
        write_sheet(
            folder / "sheets/people.jpg",
            "Rendered people by skin tone (Monk scale), one image each",
            [Tile(folder / truth.file, _looks(truth)) for truth in tones],
        ),
    ]


def _chosen(truths: list[Truth], groups: list[Callable[[Truth], bool]]) -> list[Truth]:
    """Up to `ROWS` rows of each group, a person once."""
    found: list[Truth] = []
    for belongs in groups:
        persons: dict[int, Truth] = {}
        for truth in truths:
            if belongs(truth):
                persons.setdefault(truth.person, truth)
        found += list(persons.values())[: ROWS * COLUMNS]
    return found


def _angles(truth: Truth) -> tuple[str, ...]:
    lid = (truth.lid_left + truth.lid_right) / 2
    return (
        f"{truth.mode} lids {lid:.2f}",
        f"head {truth.yaw:+.0f} {truth.pitch:+.0f}",
        f"gaze {truth.gaze_yaw:+.0f} {truth.gaze_pitch:+.0f}",
    )


def _looks(truth: Truth) -> tuple[str, ...]:
    return (f"tone {truth.skin_tone}, {truth.light}", f"hair {truth.hair}", f"{truth.glasses}, {truth.beard}")
