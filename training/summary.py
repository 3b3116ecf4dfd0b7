"""What `prepare` found, counted: for its record, its tables and the lines that people read at the end."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from training.daisee import Clip
from training.drops import Drop, Reason
from training.extract import Extracted
from training.files import write_text
from training.splits import CLASSES, PARTS, Part, Sample
from training.tabular import as_csv

UNLABELLED = "unlabelled"


@dataclass
class Tally:
    """Of one person and class."""

    clips: int = 0
    frames: int = 0
    faces: int = 0
    drops: Counter[Reason] = field(default_factory=Counter)


@dataclass(frozen=True)
class Summary:
    """`tallies`: by person and class; `drops`: of frames, clips and labels; `parts`: the images of the splits."""

    tallies: Mapping[tuple[str, str], Tally]
    drops: Sequence[Drop]
    parts: Mapping[Part, Sequence[Sample]]
    warnings: Sequence[str]

    def total(self, what: str, class_name: str | None = None) -> int:
        """The sum of `clips`, `frames` or `faces`, of one class or all."""
        return sum(getattr(tally, what) for (_, name), tally in self.tallies.items() if class_name in {None, name})

    @property
    def reasons(self) -> Counter[Reason]:
        """How often something was dropped."""
        return Counter(drop.reason for drop in self.drops)

    def results(self) -> dict[str, Any]:
        """For the stage's record."""
        people: dict[str, dict[str, int]] = defaultdict(dict)
        for (person, class_name), tally in self.tallies.items():
            people[person][class_name] = tally.faces
        return {
            "clips": self.total("clips"),
            "frames": self.total("frames"),
            "faces": {name: self.total("faces", name) for name in CLASSES},
            "drops": dict(self.reasons.most_common()),
            "parts": {part: count_part(self.parts[part]) for part in PARTS},
            "faces_of_people": people,
            "warnings": list(self.warnings),
        }

    def lines(self) -> list[str]:
        """For the terminal."""
        people = len({person for person, _ in self.tallies})
        lines = [
            f"{self.total('clips'):,} clips of {_people(people)};"
            f" {self.total('faces'):,} of {self.total('frames'):,} frames have a face",
            "dropped: "
            + (", ".join(f"{reason} {count:,}" for reason, count in self.reasons.most_common()) or "nothing"),
        ]
        for part in PARTS:
            counts = count_part(self.parts[part])
            copies = f", {counts['augmented']:,} of them augmented copies" if counts["augmented"] else ""
            lines.append(
                f"{part}: {counts['attentive']:,} attentive and {counts['not_attentive']:,} not attentive images of"
                f" {_people(counts['people'])}{copies}"
            )
        return lines


def summarise(
    extracted: Mapping[Clip, Extracted],
    drops: Iterable[Drop],
    parts: Mapping[Part, Sequence[Sample]],
    warnings: Sequence[str],
) -> Summary:
    """Count. `drops`: those found before any video was read."""
    tallies: dict[tuple[str, str], Tally] = defaultdict(Tally)
    every = [*drops]
    for clip, found in extracted.items():
        tally = tallies[clip.person, CLASSES[clip.label]]
        tally.clips += 1
        tally.frames += found.frames
        tally.faces += len(found.faces)
        every += found.drops
    for drop in every:
        if drop.person is not None:
            tallies[drop.person, class_of(drop)].drops[drop.reason] += 1
    return Summary(dict(sorted(tallies.items())), every, parts, warnings)


def class_of(drop: Drop) -> str:
    """The class's name, as in the reports."""
    return UNLABELLED if drop.label is None else CLASSES[drop.label]


def count_part(samples: Sequence[Sample]) -> dict[str, int]:
    """Images per class, copies among them, and people."""
    attentive = sum(sample.label for sample in samples)
    return {
        "attentive": attentive,
        "not_attentive": len(samples) - attentive,
        "augmented": sum(sample.source is not None for sample in samples),
        "people": len({sample.person for sample in samples}),
        "clips": len({sample.clip for sample in samples}),
    }


def write_tables(folder: Path, summary: Summary) -> list[Path]:
    """`drops.csv`, `people.csv` and `summary.md`. Raises `TrainingFailed`."""
    reasons = [reason for reason in Reason if any(tally.drops[reason] for tally in summary.tallies.values())]
    people = (
        (person, name, tally.clips, tally.frames, tally.faces, *(tally.drops[reason] for reason in reasons))
        for (person, name), tally in summary.tallies.items()
    )
    paths = [folder / "drops.csv", folder / "people.csv", folder / "summary.md"]
    write_text(paths[0], drops_table(summary.drops))
    write_text(paths[1], as_csv(("person", "class", "clips", "frames", "faces", *reasons), people))
    write_text(paths[2], markdown(summary))
    return paths


def drops_table(drops: Iterable[Drop]) -> str:
    """`drops.csv`: a line for whatever is not used."""
    header = ("person", "clip", "frame", "class", "reason", "detail")
    rows = (
        (drop.person or "", drop.clip, drop.frame, class_of(drop), drop.reason, drop.detail) for drop in drops
    )  # fmt: skip
    return as_csv(header, rows)


def markdown(summary: Summary) -> str:
    """The same for people."""
    lines = ["# What `prepare` found", "", *(f"> {warning}\n" for warning in summary.warnings)]
    lines += ["| Class | Clips | Frames read | Faces |", "|---|---:|---:|---:|"]
    for name in CLASSES:
        counts = (summary.total(what, name) for what in ("clips", "frames", "faces"))
        lines.append(f"| {name} | {' | '.join(f'{count:,}' for count in counts)} |")
    lines += ["", "| Dropped because of | Frames, clips or labels |", "|---|---:|"]
    lines += [f"| {reason} | {count:,} |" for reason, count in summary.reasons.most_common()]
    lines += ["", "| Part | attentive | not_attentive | augmented copies among them | People | Clips |"]
    lines += ["|---|---:|---:|---:|---:|---:|"]
    for part in PARTS:
        lines.append(f"| {part} | {' | '.join(f'{count:,}' for count in count_part(summary.parts[part]).values())} |")
    lines += [
        "",
        "Every dropped frame is in `drops.csv`, every person in `people.csv`; the pictures show random samples.",
    ]
    return "\n".join(lines) + "\n"


def _people(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'}"
