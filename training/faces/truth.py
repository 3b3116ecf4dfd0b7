"""What is known of a rendered image: `truth.jsonl`, one line each, apart from any label made of it.

Angles are degrees as the camera sees them: yaw > 0 is turned to the picture's right, pitch > 0 is up. `left` and
`right` are the person's own. Positions are fractions of the picture's width and height.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from pathlib import Path

import msgspec

from training.errors import TrainingFailed

RENDERER = 1
"""Version of all that decides what a seed looks like; images of two versions do not belong in one folder."""

TRUTH_FILE = "truth.jsonl"
OPEN_LID_GAP = 0.165
"""Height of an open eye over the distance of the eyes, in adults: a lid openness of 1."""


class Mode(enum.StrEnum):
    """What the person is meant to do; for counting and balance, never the label."""

    ATTENTIVE = "attentive"
    AWAY = "away"
    DOWN = "down"
    GAZE_OFF = "gaze_off"
    CLOSED = "closed"
    HALF = "half"
    YAWN = "yawn"


class Glasses(enum.StrEnum):
    """What is before the eyes."""

    NONE = "none"
    CLEAR = "clear"
    GLARE = "glare"
    SUN = "sun"


class Light(enum.StrEnum):
    """Where most of the light comes from."""

    ROOM = "room"
    SIDE = "side"
    BACK = "back"
    SCREEN = "screen"
    DARK = "dark"


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """One image. `file`: relative to the folder; `person`: seed, images of one person share it; `scene`: images of
    one scene are twins that share pose, light and camera."""

    id: int
    file: str
    person: int
    scene: str
    mode: Mode
    yaw: float
    pitch: float
    roll: float
    gaze_yaw: float
    gaze_pitch: float
    lid_left: float
    """Openness: 0 is shut, 1 an open eye (`OPEN_LID_GAP`), up to 1.5 wide open."""
    lid_right: float
    mouth_open: float
    """0 shut, 1 as wide as a yawn."""
    smile: float
    eyes_visible: bool
    """False behind sunglasses or a hand: the eyes are there, but no picture shows them."""
    head_box: tuple[float, float, float, float]
    """Left, top, right, bottom of the face from the brows to the chin."""
    eyes_xy: tuple[tuple[float, float], tuple[float, float]]
    """Of the left and the right eye."""
    skin_tone: int
    """Monk scale, 1 (lightest) to 10 (Monk, "Monk Skin Tone Scale", 2019)."""
    sex: str
    age: float
    """0 is 25 years, 1 is about 80."""
    hair: str
    beard: str
    glasses: Glasses
    occluder: str
    light: Light
    backdrop: str
    renderer: int
    """Version of the generator."""


def read_truth(folder: Path) -> list[Truth]:
    """The lines of `truth.jsonl` in the order of their ids, the last one said of each. Raises `TrainingFailed`."""
    path = folder / TRUTH_FILE
    return [found for _, found in sorted({truth.id: truth for truth in _lines(path)}.items())]


def _lines(path: Path) -> Iterator[Truth]:
    decoder = msgspec.json.Decoder(Truth)
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise TrainingFailed(
            f"expected the truth of rendered faces at {path}, got: {error.strerror or error}: run `train render`"
        ) from error
    for number, line in enumerate(lines, 1):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            if number == len(lines):  # a killed render may leave half a line; its image is rendered again
                return
            raise TrainingFailed(f"expected a line of truth at {path}:{number}, got: {error}") from error
