"""The table that keeps the browser's reading of people the same as ours: python -m tests.peer.vectors writes it anew.

What people do, look by look, and what `SteadyReader` says of it; and faces, with what `limits` says of them.
`test_vectors.py` holds Python against the table, `tests/browser/test_perception_vectors.py` the browser.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from peer.perception import limits
from peer.perception.attention import SteadyReader
from peer.perception.signals import Reading, Signals
from peer.perception.verdict import Verdict
from signaling.protocol import Reason
from tests.peer.people import BAD, DOWN, GOOD, LOOKING, SHUT, TURNED, Doing, follow, seen

PATH = Path(__file__).with_name("perception_vectors.json")
CLEAR = "clear"
"""A step that makes the reader begin anew."""

DIGITS = 6
"""After the point, in times and looks: they are made so, so that the table holds them exactly."""

Step = list[Any] | str
"""[time_s, reading, verdict], see `_row` and `_said`; None for no face and for nothing said."""


class Recorder:
    """A `SteadyReader` that writes down what it is told and what it says."""

    def __init__(self, threshold: float) -> None:
        self._reader = SteadyReader(threshold)
        self.threshold = threshold
        self.steps: list[Step] = []

    def push(self, time_s: float, reading: Reading | None) -> Verdict | None:
        time_s = round(time_s, DIGITS)
        reading = None if reading is None else _rounded(reading)
        verdict = self._reader.push(time_s, reading)
        self.steps.append([time_s, None if reading is None else _row(reading), _said(verdict)])
        return verdict

    def clear(self) -> None:
        self._reader.clear()
        self.steps.append(CLEAR)


def _rounded(reading: Reading) -> Reading:
    if reading.signals is None:
        return Reading(round(reading.score, DIGITS))
    return Reading(round(reading.score, DIGITS), Signals(*(round(value, DIGITS) for value in astuple(reading.signals))))


def _row(reading: Reading) -> list[float]:
    """The score, and the signals as `SIGNAL_NAMES` orders them if there are any."""
    return [reading.score, *(astuple(reading.signals) if reading.signals else ())]


def _said(verdict: Verdict | None) -> list[str | float] | None:
    if verdict is None:
        return None
    return [str(verdict.label), round(verdict.score, 9), str(verdict.reason), verdict.detail]


def reading_of(row: Sequence[float] | None) -> Reading | None:
    """What `_row` wrote."""
    if row is None:
        return None
    return Reading(row[0], Signals(*row[1:]) if len(row) > 1 else None)


def scenarios() -> Iterator[tuple[str, Recorder]]:
    """Everything that `test_attention.py` knows people to do, at several rates."""
    for every_s in (0.2, 0.45, 1.0):
        for name, doings in _LIVES.items():
            recorder = Recorder(0.5)
            follow(recorder, doings, every_s=every_s, phase_s=every_s / 4)
            yield f"{name}, every {every_s} s", recorder
    for seed in range(4):
        yield f"anything at any time, {seed}", _anything(random.Random(seed))  # the same every time
    for threshold in (0.3, 0.7):
        chance = random.Random(threshold)
        recorder = Recorder(threshold)
        follow(recorder, [(12.0, lambda _, chance=chance, at=threshold: Reading(_probability(chance.gauss(at, 0.15))))])
        yield f"noise at the threshold {threshold}", recorder
    recorder = Recorder(0.5)
    follow(recorder, [(2.0, LOOKING)])
    recorder.clear()
    follow(recorder, [(3.0, None)])
    yield "forgotten", recorder


_LIVES: dict[str, list[tuple[float, Doing]]] = {
    "attends": [(2.0, LOOKING)],
    "blinks": [(1.5, LOOKING), (0.4, SHUT), (1.5, LOOKING)],
    "dozes": [(1.5, LOOKING), (2.0, SHUT), (1.5, LOOKING)],
    "looks half asleep": [(1.5, LOOKING), (1.0, lambda t: seen(lid=0.6 - 0.4 * t)), (2.0, seen(lid=0.44))],
    "turns away and back": [(1.5, LOOKING), (2.0, TURNED), (2.0, LOOKING)],
    "looks up": [(1.0, LOOKING), (2.0, seen(pitch=31.5))],
    "looks down, then aside": [(1.0, LOOKING), (2.0, DOWN), (2.5, TURNED)],
    "nods slowly": [(1.0, LOOKING), (3.0, lambda t: seen(pitch=-12.0 * t)), (2.0, LOOKING)],
    "looks elsewhere": [(1.5, LOOKING), (2.0, seen(gaze_yaw=-50.0)), (2.0, seen(gaze_pitch=28.0)), (1.0, LOOKING)],
    "leaves and comes back blinking": [(1.5, LOOKING), (0.4, SHUT), (2.0, None), (0.4, SHUT), (1.5, LOOKING)],
    "is not there yet": [(2.0, None), (1.5, LOOKING)],
    "is lost on the way aside": [(1.5, LOOKING), (0.6, lambda t: seen(yaw=15 + 40 * t)), (6.0, None), (1.5, LOOKING)],
    "is lost on the way down": [(1.5, LOOKING), (0.6, lambda t: seen(pitch=-8 - 25 * t)), (2.0, None), (1.5, LOOKING)],
    "is seen by half": [(4.0, lambda t: LOOKING if round(t * 5) % 2 else None)],
    "is judged without a why": [(1.5, GOOD), (0.4, BAD), (1.5, GOOD), (2.0, BAD), (1.5, GOOD), (1.5, None)],
    "gives a reason late": [(1.0, LOOKING), (1.5, Reading(0.1, LOOKING.signals)), (2.0, TURNED)],
    "sits between two reasons": [(5.0, lambda t: seen(yaw=34.0 + (2 if round(t * 5) % 2 else -2), pitch=-28.0))],
}


def _anything(chance: random.Random) -> Recorder:
    recorder, now_s = Recorder(chance.uniform(0.2, 0.8)), 100.0
    for _ in range(120):
        now_s += chance.choice((0.03, 0.2, 0.2, 0.2, 0.45, 1.3))
        what = chance.random()
        if what < 0.2:
            recorder.push(now_s, None)
        elif what < 0.3:
            recorder.push(now_s, Reading(chance.random()))
        else:
            recorder.push(now_s, Reading(chance.random(), _any_face(chance)))
    return recorder


def _any_face(chance: random.Random) -> Signals:
    """Mostly near the limits, where things are decided."""
    lid = _probability(chance.gauss(0.7, 0.3))
    return Signals(
        chance.gauss(0, 18),
        chance.gauss(0, 14),
        lid,
        _probability(lid + chance.gauss(0, 0.1)),
        chance.gauss(0, 14),
        chance.gauss(-4, 12),
        chance.random(),
        _probability(chance.gauss(1.0 - lid, 0.2)),
    )


def _probability(value: float) -> float:
    return min(1.0, max(0.0, value))


def faces() -> list[Signals]:
    """Faces at every limit and about them."""
    chance = random.Random("faces")  # the same every time
    straight = [
        Signals(yaw, pitch, 1, 1, 0, 0, 0, 0.0)
        for yaw in (-90, -25, 0, 25, 40.5)
        for pitch in (-60, -20, 20, 20.5, 31.5)
    ]
    lids = [
        Signals(0, 0, left, right, 0, 0, 0, closed)
        for left, right in ((0, 0), (0.42, 0.1), (1.15, 1))
        for closed in (0, 0.5, 1)
    ]
    return [
        *straight,
        *lids,
        *(_rounded(Reading(0.5, _any_face(chance))).signals or Signals(*[0.0] * 8) for _ in range(60)),
    ]


def table() -> dict[str, Any]:
    """All of it."""
    return {
        "scenarios": [
            {"name": name, "threshold": recorder.threshold, "steps": recorder.steps} for name, recorder in scenarios()
        ],
        "faces": [{"signals": list(astuple(face)), **judged(face)} for face in faces()],
    }


def judged(face: Signals) -> dict[str, Any]:
    """What `limits` says: no bound is null, since JSON has no infinity."""
    return {
        "margins": {
            str(reason): round(margin, 9) if math.isfinite(margin) else None
            for reason, margin in limits.margins(face).items()
        },
        "head": round(limits.head_margin(face), 9),
        "eyes": round(limits.eyes_margin(face), 9),
        "turned": limits.describe(Reason.TURNED, face),
        "down": limits.describe(Reason.DOWN, face),
    }


def _lines(found: dict[str, Any]) -> Iterator[str]:
    """JSON with a step or a face a line, for whoever compares two tables."""
    yield '{"scenarios": ['
    for number, scenario in enumerate(found["scenarios"]):
        steps = ",\n".join("  " + json.dumps(step, ensure_ascii=False) for step in scenario["steps"])
        comma = "," if number + 1 < len(found["scenarios"]) else ""
        head = json.dumps({"name": scenario["name"], "threshold": scenario["threshold"]})[:-1]
        yield f' {head}, "steps": [\n{steps}]}}{comma}'
    yield '], "faces": ['
    yield ",\n".join(" " + json.dumps(face, ensure_ascii=False) for face in found["faces"])
    yield "]}"


if __name__ == "__main__":
    PATH.write_text("\n".join(_lines(table())) + "\n", encoding="utf-8")
