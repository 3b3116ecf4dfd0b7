"""The demo clips and what is true in them, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from peer.source import Pixels
from tests.peer.clip_truth import ClipTruth, read_truth

ROOT = Path(__file__).parents[2]
CLIPS = ROOT / "peer" / "clips"
NAMES = ("ana", "ben", "mei", "omar", "zuri")


def truth(clip: str) -> ClipTruth:
    """What is true in the clip of that name."""
    return read_truth(CLIPS / f"{clip}.json")


def frames(clip: str, every: int) -> Iterator[tuple[int, Pixels]]:
    """Each `every`-th frame: (index, (H, W, 3) uint8 BGR)."""
    with av.open(str(CLIPS / f"{clip}.mp4")) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index % every == 0:
                yield index, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)
