"""A folder of rendered faces without a renderer: pictures drawn with a few strokes, and made-up truth.

To the detector a disc with two dots is a face. Who looks away is not drawn at all, and so is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np

from training.faces.truth import TRUTH_FILE, Glasses, Light, Mode, Truth

HAIR = ("bald", "short01", "long01")
PER_PERSON = 8
MODES = (
    Mode.ATTENTIVE,
    Mode.CLOSED,
    Mode.ATTENTIVE,
    Mode.AWAY,
    Mode.ATTENTIVE,
    Mode.DOWN,
    Mode.ATTENTIVE,
    Mode.GAZE_OFF,
)
SIDE = 96
"""Pixels of the drawn pictures: small, since each is decoded several times."""

OF_MODE: dict[Mode, dict[str, Any]] = {
    Mode.AWAY: {"yaw": 50.0, "gaze_yaw": 50.0},
    Mode.DOWN: {"pitch": -35.0, "gaze_pitch": -40.0},
    Mode.CLOSED: {"lid_left": 0.0, "lid_right": 0.05},
    Mode.HALF: {"lid_left": 0.3, "lid_right": 0.3},
    Mode.GAZE_OFF: {"gaze_yaw": 35.0},
    Mode.YAWN: {"lid_left": 0.2, "lid_right": 0.2, "mouth_open": 0.9},
}


def make_truth(number: int = 0, **changes: Any) -> Truth:
    """The truth of image `number`: somebody who looks at the screen, unless `mode` says something else."""
    person = number // PER_PERSON
    mode = changes.get("mode", Mode.ATTENTIVE)
    usual: dict[str, Any] = {
        "id": number, "file": f"images/{number:07d}.png", "person": person, "scene": f"{person}-{number // 2}",
        "mode": mode, "yaw": 2.0, "pitch": -1.0, "roll": 0.0, "gaze_yaw": 0.0, "gaze_pitch": -4.0, "lid_left": 0.9,
        "lid_right": 0.9, "mouth_open": 0.0, "smile": 0.0, "eyes_visible": True, "head_box": (0.3, 0.25, 0.7, 0.8),
        "eyes_xy": ((0.6, 0.4), (0.4, 0.4)), "skin_tone": 1 + person * 3 % 10, "sex": "female", "age": 0.2,
        "hair": HAIR[person % 3], "beard": "none", "glasses": Glasses.CLEAR if person % 2 else Glasses.NONE,
        "occluder": "none", "light": Light.ROOM, "backdrop": "wall", "renderer": 1,
    }  # fmt: skip
    return Truth(**(usual | OF_MODE.get(mode, {}) | changes))


def truths_of(people: int) -> list[Truth]:
    """Eight images of each person, half of them attentive."""
    return [make_truth(number, mode=MODES[number % PER_PERSON]) for number in range(people * PER_PERSON)]


def draw(truth: Truth) -> np.ndarray:
    """(96, 96, 3) uint8 BGR: a light disc with dark eyes where the head is; each person has a colour."""
    rng = np.random.default_rng(truth.person)
    picture = np.full((SIDE, SIDE, 3), rng.integers(0, 90, 3), np.uint8)
    if truth.mode is Mode.AWAY:
        return picture
    left, top, right, bottom = (round(SIDE * edge) for edge in truth.head_box)
    centre, axes = ((left + right) // 2, (top + bottom) // 2), ((right - left) // 2, (bottom - top) // 2)
    cv2.ellipse(picture, centre, axes, 0, 0, 360, rng.integers(120, 255, 3).tolist(), -1)
    for x, y in truth.eyes_xy:
        cv2.circle(picture, (round(SIDE * x), round(SIDE * y)), round(1 + 3 * truth.lid_left), (20, 20, 20), -1)
    return picture


def write_folder(folder: Path, truths: Iterable[Truth], picture_of: Callable[[Truth], np.ndarray] = draw) -> Path:
    """`truth.jsonl` and `images/`."""
    lines = []
    for truth in truths:
        path = folder / truth.file
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture_of(truth))
        lines.append(msgspec.json.encode(truth))
    (folder / TRUTH_FILE).write_bytes(b"\n".join(lines) + b"\n")
    return folder
