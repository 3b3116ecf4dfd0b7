"""What is true in a demo clip, frame by frame: the JSON beside it, in any of the forms it has had."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BLINK_S = 0.5
"""Shorter changes of the truth are blinks, which a label is there to ignore."""


@dataclass(frozen=True, slots=True)
class TruthFrame:
    """One frame; angles in degrees as in `peer.perception.signals`, None where there is nobody."""

    time_s: float
    attentive: bool
    face: bool
    yaw: float | None
    pitch: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """When what is true of a person changes, and to what."""

    time_s: float
    attentive: bool


class ClipTruth:
    """The truth of a clip that plays in a loop."""

    def __init__(self, frames: list[TruthFrame], fps: float) -> None:
        self.frames, self.fps = frames, fps
        self.length_s = len(frames) / fps
        self.attends = _without_blinks([frame.attentive for frame in frames], round(BLINK_S * fps))
        """Per frame, blinks left out."""

    def at(self, time_s: float) -> bool:
        """Whether the person attends, blinks left out, at this time since the first loop's start."""
        return self.attends[int(time_s % self.length_s * self.fps + 1e-6) % len(self.attends)]

    def changes(self, end_s: float) -> list[Change]:
        """All changes of `at` from the first loop's start to `end_s`."""
        found: list[Change] = []
        for number in range(1, int(end_s * self.fps)):
            now = self.attends[number % len(self.attends)]
            if now != self.attends[(number - 1) % len(self.attends)]:
                found.append(Change(number / self.fps, now))
        return found

    def settled(self, time_s: float, reach_s: float) -> bool:
        """Whether `time_s` is further than `reach_s` from every change."""
        reach = round(reach_s * self.fps)
        middle = int(time_s * self.fps + 1e-6)
        return len({self.attends[(middle + step) % len(self.attends)] for step in range(-reach - 1, reach + 1)}) == 1


def read_truth(path: Path) -> ClipTruth:
    """The truth in `path`. Raises `ValueError` for a file of no form we know, `OSError` for one that can't be read."""
    data = json.loads(path.read_text())
    records: list[dict[str, Any]] = data["frames"] if isinstance(data, dict) and "frames" in data else data
    if not isinstance(records, list) or len(records) < 2:
        raise ValueError(f"expected a list of at least two frames of truth in {path}, got {type(records).__name__}")
    try:
        stated = float(data["fps"]) if isinstance(data, dict) and "fps" in data else None
        times = [float(one["time_s"] if "time_s" in one else one["t"]) for one in records]
        frames = [_frame(one, time_s) for one, time_s in zip(records, times, strict=True)]
    except (KeyError, TypeError) as error:
        raise ValueError(f"expected time_s (or t) and attentive in each frame of {path}, got: {error!r}") from error
    return ClipTruth(frames, stated or (len(times) - 1) / (times[-1] - times[0]))


def _frame(one: dict[str, Any], time_s: float) -> TruthFrame:
    yaw, pitch = one.get("yaw"), one.get("pitch")
    return TruthFrame(time_s, bool(one["attentive"]), bool(one.get("face", yaw is not None)), yaw, pitch)


def _without_blinks(attends: list[bool], shortest: int) -> list[bool]:
    """`attends` of a loop without runs of fewer than `shortest` frames.

    Blinks go first: the moment between two of them is as short, and no glance at the screen.
    """
    return _without_short(_without_short(attends, False, shortest), True, shortest)


def _without_short(attends: list[bool], value: bool, shortest: int) -> list[bool]:
    """`attends` of a loop with runs of `value` of fewer than `shortest` frames taken from what surrounds them."""
    count = len(attends)
    out = attends.copy()
    for start in (index for index in range(count) if attends[index] == value != attends[index - 1]):
        length = next(step for step in range(1, count + 1) if attends[(start + step) % count] != value)
        if length < shortest:
            for step in range(length):
                out[(start + step) % count] = not value
    return out
