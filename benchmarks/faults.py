"""What bad networks do to a meeting: python -m benchmarks.faults [--seconds S] [--repeats N] [--only WORD ...]

Linux, root. For each condition a meeting of its own: `edgeattend serve` in one network namespace, two `edgeattend
join` in two others, one of them behind a cable with that condition in both directions (tests/network/link.py). The
figures are that participant's, from the condition's begin on: what the host gets of their video, what they get of the
grid, and how long a label that their device has decided takes to be the host's. Frozen is the time without a new
frame beyond 0.5 s. After a cut, or a change of address, `back` is the time from its end until video and grid have both
come again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from tests.meeting.processes import CLIPS, Command, Event, Meeting
from tests.network.link import GOOD as PERFECT
from tests.network.link import Condition
from tests.network.meeting import meeting
from tests.network.namespace import why_not
from tests.network.network import Network, network

BAD, GOOD = 2, 3
"""Namespaces of the participants, whose names are these words too."""

SETTLE_S = 18.0
"""Before a condition begins: sizes are settled, and no HTTP connection is left from joining."""

FREEZE_S = 0.5
BACK_GOAL_S = 5.0
AFTER_S = 8.0
"""Watched after a cut or a change of address."""


Span = tuple[float, float]
"""Monotonic s."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row. `cut_s`: the condition lasts so long, instead of to the end. `moves`: the address changes."""

    title: str
    condition: Condition = PERFECT
    cut_s: float | None = None
    moves: bool = False


FAULTS = (
    Fault("none"),
    Fault("5 % loss", Condition(loss=0.05)),
    Fault("150 ms delay, ± 30 ms jitter", Condition(delay_s=0.15, jitter_s=0.03)),
    Fault("1 Mbit/s", Condition(kbps=1000)),
    Fault("300 kbit/s", Condition(kbps=300)),
    Fault("2 s cut", Condition(cut=True), cut_s=2.0),
    Fault("10 s cut", Condition(cut=True), cut_s=10.0),
    Fault("17 s cut", Condition(cut=True), cut_s=17.0),
    Fault("change of address", moves=True),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one row. Times in s, rates in frames/s; `back_s` is None where there was nothing to come back from."""

    video_fps: float
    video_frozen_s: float
    grid_fps: float
    grid_frozen_s: float
    label_delays_s: tuple[float, ...]
    mood_gap_s: float
    reconnects: int
    other_fps: float
    """The other participant's grid."""
    back_s: float | None
    watched_s: float


async def run(fault: Fault, seconds: float) -> Result:
    """One meeting with one fault."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            network(GOOD) as net,
            meeting(net, Path(folder) / "secret", "benchmarks.observed") as room,
        ):
            bad = await room.join("Bad", str(CLIPS / "ana.mp4"), within=net[BAD].prefix)
            good = await room.join("Good", str(CLIPS / "ben.mp4"), within=net[GOOD].prefix)
            for name in ("Bad", "Good"):
                await room.person(name, lambda p: p["state"] == "live" and p["video"] and p["mood"])
            await asyncio.sleep(SETTLE_S)
            begin_s = time.monotonic()
            end_s = await _happen(fault, net, seconds)
            return _measure(fault, room, bad, good, span=(begin_s, time.monotonic()), end_s=end_s)


async def _happen(fault: Fault, net: Network, seconds: float) -> float:
    """Let it happen, and be over or not; when it ended (monotonic s)."""
    if fault.moves:
        net[BAD].move(2)
        end_s = time.monotonic()
    else:
        await net.set(BAD, fault.condition)
        await asyncio.sleep(seconds if fault.cut_s is None else fault.cut_s)
        end_s = time.monotonic()
    if fault.moves or fault.cut_s is not None:
        await net.set(BAD, Condition())
        await asyncio.sleep(AFTER_S)
    return end_s


def _measure(fault: Fault, room: Meeting, bad: Command, good: Command, *, span: Span, end_s: float) -> Result:
    video = _times(room.server.events, "frame", who="Bad")
    grid = _times(bad.events, "frame")
    moods = _times(room.server.events, "mood", who="Bad")
    back_s: float | None = None
    if fault.moves or fault.cut_s is not None:
        back_s = max(_after_longest_gap(times, span) for times in (video, grid)) - end_s
    return Result(
        video_fps=_rate(video, span),
        video_frozen_s=_frozen(video, span),
        grid_fps=_rate(grid, span),
        grid_frozen_s=_frozen(grid, span),
        label_delays_s=tuple(_label_delays(room.server.events, bad.events, span)),
        mood_gap_s=max(later - sooner for sooner, later in _gaps(moods, span)),
        reconnects=sum(event["event"] == "disconnected" for event in bad.events),
        other_fps=_rate(_times(good.events, "frame"), span),
        back_s=back_s,
        watched_s=span[1] - span[0],
    )


def _times(events: Sequence[Event], kind: str, **having: Any) -> list[float]:
    return [e["at"] for e in events if e["event"] == kind and all(e[name] == value for name, value in having.items())]


def _gaps(times: list[float], span: Span) -> list[tuple[float, float]]:
    """From each of `times` within `span` to the next one, and from its begin and to its end."""
    return list(pairwise([span[0], *(at for at in times if span[0] < at < span[1]), span[1]]))


def _rate(times: list[float], span: Span) -> float:
    return sum(span[0] < at < span[1] for at in times) / (span[1] - span[0])


def _frozen(times: list[float], span: Span) -> float:
    return sum(max(0.0, later - sooner - FREEZE_S) for sooner, later in _gaps(times, span))


def _after_longest_gap(times: list[float], span: Span) -> float:
    """The end of the longest time without any; infinite where none came again."""
    _, later = max(_gaps(times, span), key=lambda gap: gap[1] - gap[0])
    return later if later < span[1] else float("inf")


def _label_delays(heard: Sequence[Event], said: Sequence[Event], span: Span) -> list[float]:
    """From each decision to the first mood that says so; to the next decision where there was none before it."""
    moods = [e for e in heard if e["event"] == "mood" and e["who"] == "Bad"]
    decided = [e for e in said if e["event"] == "decided" and span[0] < e["at"] < span[1]]
    delays = []
    for one, following in pairwise([*decided, {"at": span[1]}]):
        came = (m["at"] for m in moods if one["at"] <= m["at"] < following["at"] and m["label"] == one["label"])
        delays.append(next(came, following["at"]) - one["at"])
    return delays


def table(rows: dict[Fault, list[Result]]) -> str:
    """Medians over the runs of a row, the worst of what should be short."""
    lines = [
        "| Network | Their video at the host: frames/s | frozen s | The grid at theirs: frames/s | frozen s "
        "| Label delay s, median (worst) | Longest without a mood s | Sessions lost | Others' grid frames/s "
        "| Back after s, median (worst) |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for fault, results in rows.items():
        delays = [delay for one in results for delay in one.label_delays_s] or [float("nan")]
        backs = [one.back_s for one in results if one.back_s is not None]
        watched_s = median(one.watched_s for one in results)
        lines.append(
            f"| {fault.title} | {median(r.video_fps for r in results):.1f} "
            f"| {median(r.video_frozen_s for r in results):.1f} of {watched_s:.0f} "
            f"| {median(r.grid_fps for r in results):.1f} "
            f"| {median(r.grid_frozen_s for r in results):.1f} of {watched_s:.0f} "
            f"| {median(delays):.2f} ({max(delays):.2f}) | {max(r.mood_gap_s for r in results):.1f} "
            f"| {sum(r.reconnects for r in results) / len(results):.1f} "
            f"| {median(r.other_fps for r in results):.1f} "
            f"| {f'{median(backs):.1f} ({max(backs):.1f})' if backs else '-'} |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measure, print; 0 if everybody came back in time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0, help="of a condition that lasts (default 40)")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each row (default 1)")
    parser.add_argument("--only", nargs="*", metavar="WORD", help="rows whose title holds one of these")
    arguments = parser.parse_args()
    reason = why_not()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    wanted = [f for f in FAULTS if arguments.only is None or any(word in f.title for word in arguments.only)]
    rows: dict[Fault, list[Result]] = {}
    try:
        for number in range(arguments.repeats):
            for fault in wanted:
                print(f"[{number + 1}/{arguments.repeats}] {fault.title} ...", end=" ", file=sys.stderr, flush=True)
                result = asyncio.run(run(fault, arguments.seconds))
                rows.setdefault(fault, []).append(result)
                back = "" if result.back_s is None else f", back after {result.back_s:.1f} s"
                print(f"{result.video_fps:.1f} frames/s, grid {result.grid_fps:.1f}{back}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what is there:", file=sys.stderr)
    print(table(rows))
    backs = [one.back_s for results in rows.values() for one in results if one.back_s is not None]
    met = max(backs, default=0.0) <= BACK_GOAL_S
    print(f"\nGoal: everybody back within {BACK_GOAL_S:.0f} s: {'met' if met else 'NOT met'} ({len(backs)} times).")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
