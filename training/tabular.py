"""Tables as text: Markdown for people, CSV for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, words: Collection[int] = (0,)) -> str:
    """A table, without a line's end behind it. `words`: numbers of the columns of words, left; the others are right."""
    rules = [":--" if column in words else "--:" for column in range(len(header))]
    lines = ([cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in (header, rules, *rows))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def as_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A table with its header; None is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
