"""What of the data set is not used, and why: one line per frame, clip, label or image in `prepare/drops.csv`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why; the words stand in the reports."""

    NO_LABEL = "no label"
    BAD_LABEL = "label not 0 to 3"
    CONTRADICTION = "labels contradict"
    NO_VIDEO = "label without a video"
    EMPTY_FOLDER = "no video in the folder"
    SECOND_VIDEO = "second video of its clip"
    DOES_NOT_OPEN = "video does not open"
    NO_FRAME = "no frame decodes"
    ENDS_EARLY = "video ends early"
    CRASH = "decoder crashed"
    BROKEN_FRAME = "frame does not decode"
    NO_FACE = "no face"
    NO_TRUTH = "image without truth"
    NO_IMAGE = "truth without an image"
    UNREADABLE = "image does not decode"
    NOT_SQUARE = "image not square"
    NO_HEAD = "no head in the image"


@dataclass(frozen=True, slots=True)
class Drop:
    """`frame` is None for a whole clip, `label` where there is none, `person` where only a label is left."""

    person: str | None
    clip: str
    frame: int | None
    label: int | None
    reason: Reason
    detail: str = ""
