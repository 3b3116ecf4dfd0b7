"""The demo clips and what is true in them, for tests and benchmarks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np

from peer.source import Pixels

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "peer" / "clips"
NAMES = ("ana", "ben", "mei", "zuri")

BLINK_S = 0.5
"""Shorter changes of the truth are blinks, which the window is there to ignore."""


def truth(clip: str) -> tuple[list[dict[str, Any]], float]:
    """Per frame what is true, and the frame rate."""
    data = json.loads((ROOT / "tests" / "data" / "clips" / f"{clip}.json").read_text())
    return data["frames"], float(data["fps"])


def frames(clip: str, every: int) -> Iterator[tuple[int, Pixels]]:
    """Each `every`-th frame: (index, (H, W, 3) uint8 BGR)."""
    with av.open(str(CLIPS / f"{clip}.mp4")) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % every == 0:
                yield index, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def without_blinks(attends: list[bool], fps: float) -> list[bool]:
    """`attends` of a looped clip with runs shorter than `BLINK_S` taken from what surrounds them."""
    count, shortest = len(attends), round(BLINK_S * fps)
    out = attends.copy()
    starts = [index for index in range(count) if attends[index] != attends[index - 1]]
    for start in starts:
        length = next(step for step in range(1, count + 1) if attends[(start + step) % count] != attends[start])
        if length < shortest:
            for step in range(length):
                out[(start + step) % count] = not attends[start]
    return out


def settled(attends: list[bool], index: int, reach: int) -> bool:
    """Whether the truth is one and the same for `reach` frames before and after `index` of the looped clip."""
    return len({attends[(index + step) % len(attends)] for step in range(-reach, reach + 1)}) == 1
