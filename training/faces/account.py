"""What `prepare --faces` found, counted: for its record, its tables, and the lines that people read at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.drops import Drop
from training.faces.folder import person_name
from training.faces.groups import FAMILIES
from training.faces.place import Placed, Sight
from training.faces.truth import Mode
from training.files import write_text
from training.splits import CLASSES, PARTS, Part
from training.summary import drops_table
from training.tabular import as_csv, markdown_table

Row = dict[str, Any]


@dataclass(frozen=True)
class Account:
    """`placed`: the images that are used; `drops`: the others; `warnings`: what to know before training."""

    placed: Sequence[Placed]
    drops: Sequence[Drop]
    warnings: Sequence[str]

    def detections(self) -> list[Row]:
        """By mode, then of all: how many faces the product's detector found, mistook and lost."""
        names = [mode for mode in Mode if any(one.truth.mode is mode for one in self.placed)]
        rows = [_seen(name.value, [one for one in self.placed if one.truth.mode is name]) for name in names]
        return [*rows, _seen("all", self.placed)]

    def groups(self) -> list[Row]:
        """Of each group of each family the people in each part, and the images."""
        rows = []
        for family, group_of in FAMILIES.items():
            for name in sorted({group_of(one.truth) for one in self.placed}):
                own = [one for one in self.placed if group_of(one.truth) == name]
                row: Row = {"family": family, "group": name}
                for part in PARTS:
                    row[part] = len({one.truth.person for one in own if one.part == part})
                rows.append({**row, "images": len(own)})
        return rows

    def parts(self) -> dict[Part, Row]:
        """Images per class and people of each part."""
        counts: dict[Part, Row] = {}
        for part in PARTS:
            own = [one for one in self.placed if one.part == part]
            attentive = sum(one.label for one in own)
            counts[part] = {
                "attentive": attentive,
                "not_attentive": len(own) - attentive,
                "people": len({one.truth.person for one in own}),
            }
        return counts

    def results(self) -> dict[str, Any]:
        """For the stage's record."""
        return {
            "images": len(self.placed),
            "people": len({one.truth.person for one in self.placed}),
            "faces": {name: sum(one.label == label for one in self.placed) for label, name in enumerate(CLASSES)},
            "detections": self.detections(),
            "parts": self.parts(),
            "drops": dict(Counter(drop.reason for drop in self.drops).most_common()),
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """For the terminal."""
        every = self.detections()[-1]
        dropped = Counter(drop.reason for drop in self.drops).most_common()
        lines = [
            f"{every['images']:,} images of {len({one.truth.person for one in self.placed}):,} rendered people",
            f"the detector found {every['recall']:.1%} of the faces ({self._by_mode()}); {every['wrong']:,} times"
            f" it took something else for one, {every['lost']:,} times it saw none: there the truth gave the box",
            "dropped: " + (", ".join(f"{reason} {count:,}" for reason, count in dropped) or "nothing"),
        ]
        for part, counts in self.parts().items():
            lines.append(
                f"{part}: {counts['attentive']:,} attentive and {counts['not_attentive']:,} not attentive images of"
                f" {counts['people']:,} people"
            )
        return lines

    def _by_mode(self) -> str:
        return ", ".join(f"{row['mode']} {row['recall']:.0%}" for row in self.detections()[:-1])


def _seen(mode: str, own: Sequence[Placed]) -> Row:
    counts = {sight.value: sum(one.sight is sight for one in own) for sight in Sight}
    return {"mode": mode, "images": len(own), **counts, "recall": round(counts["found"] / len(own), 4)}


def write_account(folder: Path, account: Account) -> list[Path]:
    """`drops.csv`, `detections.csv`, `groups.csv`, `people.csv` and `summary.md`. Raises `TrainingFailed`."""
    people = Counter((person_name(one.truth), one.part, CLASSES[one.label]) for one in account.placed)
    tables = {
        "drops.csv": drops_table(account.drops),
        "detections.csv": _csv(account.detections()),
        "groups.csv": _csv(account.groups()),
        "people.csv": as_csv(("person", "part", "class", "images"), ((*key, n) for key, n in sorted(people.items()))),
        "summary.md": markdown(account),
    }
    for name, text in tables.items():
        write_text(folder / name, text)
    return [folder / name for name in tables]


def markdown(account: Account) -> str:
    """The same for people."""
    reasons = Counter(drop.reason for drop in account.drops).most_common()
    sections = [
        "# What `prepare --faces` found",
        *(f"> {warning}" for warning in account.warnings),
        "The product's detector on each image, set into a webcam's frame. Where it found no face, or something else,"
        " the box is the one that the truth lets expect of it.",
        _markdown(account.detections()),
        markdown_table(("Dropped because of", "Images"), [(reason, f"{count:,}") for reason, count in reasons])
        if reasons
        else "Nothing was dropped.",
        _markdown([{"part": part, **counts} for part, counts in account.parts().items()]),
        "People of each group in each part:",
        _markdown(account.groups(), words=(0, 1)),
    ]
    return "\n\n".join(sections) + "\n"


def _csv(rows: Sequence[Row]) -> str:
    return as_csv(rows[0], (row.values() for row in rows))


def _markdown(rows: Sequence[Row], words: tuple[int, ...] = (0,)) -> str:
    cells = [[f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row.values()] for row in rows]
    return markdown_table([str(name) for name in rows[0]], cells, words=words)
