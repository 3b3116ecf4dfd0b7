"""How labels follow people: python -m benchmarks.labels_over_time [--model FILE] [--reading KIND] [--limits] [--json]

Runs the product's detector, model and reader over clips at five looks a second of the clip's own time, twice each
since they play in a loop, and compares the labels with the truth beside the clips. `--limits` reads everybody as a
calibrated person is read, by the model's signals instead of its score, with an offset of nothing. It measures no
time: its answer is the same on every machine.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np

from peer.join import DEFAULT_MODEL
from peer.perception.calibration import Offset
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import Pixels, crop_face
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from peer.perception.limits import THRESHOLD
from peer.perception.reader import Reader, ReaderKind, make_reader
from peer.perception.signals import Reading
from peer.perception.verdict import Verdict
from peer.perception.worker import PERIOD_S
from signaling.protocol import Label
from tests.peer import clips
from tests.peer.clip_truth import Change, ClipTruth, read_truth

LOOPS = 2
SETTLED_S = 1.0
"""Labels count where nothing changed for this long: a label may take a second."""
EARLY_S, LATE_S = 1.0, 2.0
"""A label that changes within this of the truth has a cause."""

GOAL_RIGHT, GOAL_DELAY_S, GOAL_UNCAUSED = 0.97, 1.0, 1.0


@dataclass(frozen=True, slots=True)
class Said:
    """What was said at a time since the first loop's start."""

    time_s: float
    verdict: Verdict

    @property
    def attentive(self) -> bool:
        """What counts; why is another matter."""
        return self.verdict.label is Label.ATTENTIVE


@dataclass(frozen=True, slots=True)
class Outcome:
    """How labels followed one clip, or several."""

    settled: int
    """Labels further than `SETTLED_S` from a change."""
    right: int
    """Of those."""
    delays_s: tuple[float, ...]
    """Of changes that were noticed."""
    missed: int
    """Changes that were not."""
    uncaused: int
    """Changes of the label without one of the truth."""
    duration_s: float

    @property
    def right_share(self) -> float:
        """NaN where nothing was settled."""
        return self.right / self.settled if self.settled else float("nan")

    @property
    def delay_s(self) -> float:
        """Median; NaN where nothing was noticed."""
        return median(self.delays_s) if self.delays_s else float("nan")

    @property
    def uncaused_per_min(self) -> float:
        """How much the label flickers."""
        return self.uncaused * 60 / self.duration_s


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """All of `outcomes` as one."""
    return Outcome(
        sum(one.settled for one in outcomes),
        sum(one.right for one in outcomes),
        tuple(delay for one in outcomes for delay in one.delays_s),
        sum(one.missed for one in outcomes),
        sum(one.uncaused for one in outcomes),
        sum(one.duration_s for one in outcomes),
    )


def judge(truth: ClipTruth, said: Sequence[Said]) -> Outcome:
    """Hold what was `said`, in order of time, against the `truth`."""
    end_s = said[-1].time_s
    settled = [one for one in said if truth.settled(one.time_s, SETTLED_S)]
    changes = [change for change in truth.changes(end_s) if change.time_s > said[0].time_s]
    delays = [_delay(change, until_s, said) for change, until_s in _spans(changes, end_s)]
    return Outcome(
        settled=len(settled),
        right=sum(one.attentive == truth.at(one.time_s) for one in settled),
        delays_s=tuple(delay for delay in delays if delay is not None),
        missed=sum(
            delay is None and change.time_s + LATE_S <= end_s for delay, change in zip(delays, changes, strict=True)
        ),
        uncaused=_uncaused(changes, said),
        duration_s=end_s - said[0].time_s,
    )


def _spans(changes: Sequence[Change], end_s: float) -> Iterator[tuple[Change, float]]:
    """Each change, and until when it holds."""
    ends = [change.time_s for change in changes[1:]] + [end_s + 1e-9]
    return zip(changes, ends, strict=True) if changes else iter(())


def _delay(change: Change, until_s: float, said: Sequence[Said]) -> float | None:
    """How long after `change` its label was said; None if it was not."""
    for one in said:
        if change.time_s <= one.time_s < until_s and one.attentive == change.attentive:
            return one.time_s - change.time_s
    return None


def _uncaused(changes: Sequence[Change], said: Sequence[Said]) -> int:
    causes = list(changes)
    count = 0
    for before, after in pairwise(said):
        if before.attentive == after.attentive:
            continue
        cause = next(
            (
                change
                for change in causes
                if change.attentive == after.attentive and -EARLY_S <= after.time_s - change.time_s <= LATE_S
            ),
            None,
        )
        if cause is None:
            count += 1
        else:
            causes.remove(cause)
    return count


Look = tuple[float, Reading | None]
"""Seconds since the first loop's start, and what the model says; None for no face."""


def look_at(clip: Path, length_s: float, classifier: AttentionClassifier) -> list[Look]:
    """What a participant sees in `clip`, whose loop is `length_s` long."""
    detector = FaceDetector(FaceModel())
    looks: list[Look] = []
    for loop in range(LOOPS):
        for clip_s, bgr in _pictures(clip):
            box = detector.detect(bgr)
            crop = None if box is None else crop_face(bgr, box, classifier.card.crop_scale)
            looks.append((loop * length_s + clip_s, None if crop is None else classifier.look(crop)))
    return looks


def read(looks: Iterable[Look], reader: Reader, offset: Offset | None = None) -> list[Said]:
    """What a participant, calibrated with `offset`, says of `looks`."""
    said: list[Said] = []
    for time_s, reading in looks:
        seen = reading if reading is None or offset is None else offset.seen_from_screen(reading)
        verdict = reader.push(time_s, seen)
        if verdict is not None:
            said.append(Said(time_s, verdict))
    return said


def _pictures(clip: Path) -> Iterator[tuple[float, Pixels]]:
    """Frames of `clip` `PERIOD_S` apart or a little more: (seconds, (H, W, 3) uint8 BGR)."""
    due_s = 0.0
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due_s - 1e-3:
                due_s += PERIOD_S
                yield frame.time, np.asarray(frame.to_ndarray(format="bgr24"), np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--reading", type=ReaderKind, choices=list(ReaderKind), default=ReaderKind.STEADY)
    parser.add_argument("--clips", type=Path, default=clips.CLIPS, help="folder of NAME.mp4 with NAME.json beside it")
    parser.add_argument("--limits", action="store_true", help="decide from the model's signals")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    classifier = AttentionClassifier(arguments.model)
    if arguments.limits and not classifier.has_signals:
        parser.error(f"expected a model with signals for --limits, {arguments.model} has none")
    offset, threshold = (Offset(), THRESHOLD) if arguments.limits else (None, classifier.card.threshold)
    outcomes: dict[str, Outcome] = {}
    for clip in sorted(arguments.clips.glob("*.mp4")):
        truth = read_truth(clip.with_suffix(".json"))
        reader = make_reader(arguments.reading, threshold)
        outcomes[clip.stem] = judge(truth, read(look_at(clip, truth.length_s, classifier), reader, offset))
    outcomes["all"] = together(list(outcomes.values()))
    if arguments.json:
        print(json.dumps({name: asdict(outcome) for name, outcome in outcomes.items()}))
        return
    print(f"{arguments.model.name}, {arguments.reading}; right: labels further than {SETTLED_S:.0f} s from a change")
    print(f"{'clip':12}{'labels':>8}{'right':>8}{'delay s':>9}{'noticed':>9}{'missed':>8}{'uncaused/min':>14}")
    for name, one in outcomes.items():
        print(
            f"{name:12}{one.settled:8d}{one.right_share:8.3f}{one.delay_s:9.2f}{len(one.delays_s):9d}{one.missed:8d}"
            f"{one.uncaused_per_min:14.2f}"
        )
    print(
        f"goal: right >= {GOAL_RIGHT:.2f}, median delay <= {GOAL_DELAY_S:.1f} s,"
        f" uncaused changes < {GOAL_UNCAUSED:.0f} a minute"
    )


if __name__ == "__main__":
    main()
