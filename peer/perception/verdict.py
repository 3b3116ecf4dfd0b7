"""What perception says of a person: the label, and what is behind it."""

from __future__ import annotations

from dataclasses import dataclass

from signaling.protocol import Label, Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """A label, the score behind it (0..1), and why.

    `detail` is for the person's own eyes, such as "head turned 48°"; "" where the reason says it all. It never leaves
    the device.
    """

    label: Label
    score: float
    reason: Reason
    detail: str = ""
