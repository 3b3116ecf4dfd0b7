"""What a meeting costs its host, against two other ways to build it: python benchmarks/host_load.py [--quick]

The host runs in a process of its own; participants send video that was encoded before and receive the grid without
decoding it, eight to a process. Measured per point: the host process's CPU time over wall time (cores), its memory,
frames and bits that arrive, and the time from a posted offer to the first grid frame, joining one after the other.

Compared at one number of participants: (a) aiortc's usual way, baseline_relay.py; (b) the reference's way,
baseline_tcp.py. Points are repeated round robin, and medians reported: ratios hold on a busy machine, absolute
numbers do not. What happens past what a host can take is in overload.py (--past-the-limit).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median

import aiohttp
import baseline_relay
import baseline_tcp
import overload
from load_peer import PEOPLE, EncodedTrack, LoadPeer, encode_clip
from processes import Child, ChildFailed, Usage, answer_questions, say, usage

from host.renderer import GridConfig
from peer.sender import fit
from signaling.server import ServeConfig, running

CAMERA = (640, 480)
"""What participants send unless the host is asked, in pixels."""

CAMERA_KBPS = 600
"""For `CAMERA` at 15 frames/s."""

PEERS_PER_PROCESS = 8
JOIN_S = 20.0
"""For one participant to see the grid."""

Counters = tuple[float, list[tuple[int, int, int]]]
"""When (monotonic s), and per viewer: grid frames received, bytes sent, bytes received."""


@dataclass(frozen=True, slots=True)
class Point:
    """What to measure: `system` is ours, relay or tcp; `asked` sends the size that the host asks for."""

    system: str
    participants: int
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One measurement of a point; rates in Mbit/s for one participant, without UDP and IP headers."""

    cores: float
    rss_mib: float
    fps_median: float
    fps_min: float
    down_mbps: float
    up_mbps: float
    join_median_s: float
    join_max_s: float


def serve(pipe: Connection, config: GridConfig) -> None:
    """Our host in a process of its own: says (URL, token), then answers `usage` and `viewer`."""

    async def work() -> None:
        async with running(ServeConfig(secret="benchmark" * 5, port=0, grid=config)) as server:
            links = server.links[0]

            async def viewer() -> tuple[str, str]:
                return links.whep_url, links.tokens["viewer"]

            say(pipe, (links.whip_url, links.tokens["participant"]))
            await answer_questions(pipe, {"usage": usage, "viewer": viewer})

    asyncio.run(work())


def take_part(pipe: Connection, url: str, token: str, numbers: range, fps: int) -> None:
    """Participants in a process of their own: says their join times, then answers `counters` and `send_asked`."""

    async def work() -> None:
        clips = [encode_clip(*CAMERA, fps, CAMERA_KBPS, clip=clip) for clip in PEOPLE]
        peers: list[LoadPeer] = []
        tracks: list[EncodedTrack] = []

        async def counters() -> Counters:
            traffic = [await peer.traffic() for peer in peers]
            return time.monotonic(), [(p.grid_frames, *t) for p, t in zip(peers, traffic, strict=True)]

        async def send_asked() -> tuple[int, int, int]:
            """Send what the host asks for from now on: width, height, kbit/s."""
            asked = peers[0].asked
            assert asked is not None, "the host asked for no size"
            size = fit(*CAMERA, asked)
            again = [encode_clip(*size, asked.fps, asked.kbps, clip=clip) for clip in PEOPLE]
            for number, track in zip(numbers, tracks, strict=True):
                track.replace(again[number % len(PEOPLE)])
            return *size, asked.kbps

        try:
            async with aiohttp.ClientSession() as http:
                joins = []
                for number in numbers:
                    tracks.append(EncodedTrack(clips[number % len(PEOPLE)], fps))
                    peers.append(LoadPeer(tracks[-1]))
                    await peers[-1].join(http, f"{url}?name=Person+{number}", token)
                    joins.append(await peers[-1].wait_for_grid(JOIN_S))
            say(pipe, joins)
            await answer_questions(pipe, {"counters": counters, "send_asked": send_asked})
        finally:
            await asyncio.gather(*(peer.close() for peer in peers))

    asyncio.run(work())


@contextlib.contextmanager
def meeting(point: Point, grid: GridConfig) -> Iterator[tuple[Child, list[Child], list[float]]]:
    """A host and its participants, all joined: the processes, and the join times in s."""
    with contextlib.ExitStack() as stack:
        if point.system == "tcp":
            host = stack.enter_context(Child("host", baseline_tcp.serve, grid))
            address = host.answer()
            guests = stack.enter_context(
                Child("participants", baseline_tcp.take_part, address, point.participants, grid.fps)
            )
            yield host, [guests], guests.answer(timeout_s=JOIN_S * point.participants)
            return
        if point.system == "relay":
            host = stack.enter_context(Child("host", baseline_relay.serve, grid))
        else:
            host = stack.enter_context(Child("host", serve, grid))
        url, token = host.answer()
        children: list[Child] = []
        joins: list[float] = []
        for first in range(0, point.participants, PEERS_PER_PROCESS):
            numbers = range(first, min(first + PEERS_PER_PROCESS, point.participants))
            children.append(stack.enter_context(Child("participants", take_part, url, token, numbers, grid.fps)))
            joins += children[-1].answer(timeout_s=JOIN_S * (len(numbers) + 1))
        yield host, children, joins


def measure(point: Point, grid: GridConfig, settle_s: float, seconds: float) -> Result:
    """One measurement. Raises `ChildFailed`."""
    with meeting(point, grid) as (host, children, joins):
        if point.asked:
            time.sleep(2.0)  # the last one's video is seen, and the layout with it settled
            for child in children:
                child.ask("send_asked")
        time.sleep(settle_s)
        before, used_before = _counters(children), _usage(host)
        time.sleep(seconds)
        after, used = _counters(children), _usage(host)
    fps, down, up = [], [], []
    for (began, first), (ended, last) in zip(before, after, strict=True):
        for (frames0, sent0, received0), (frames1, sent1, received1) in zip(first, last, strict=True):
            fps.append((frames1 - frames0) / (ended - began))
            up.append((sent1 - sent0) * 8e-6 / (ended - began))
            down.append((received1 - received0) * 8e-6 / (ended - began))
    return Result(
        cores=(used.cpu_s - used_before.cpu_s) / (used.at_s - used_before.at_s),
        rss_mib=used.rss_mib,
        fps_median=median(fps),
        fps_min=min(fps),
        down_mbps=median(down),
        up_mbps=median(up),
        join_median_s=median(joins),
        join_max_s=max(joins),
    )


def _counters(children: list[Child]) -> list[Counters]:
    for child in children:
        child.tell("counters")
    return [child.answer() for child in children]


def _usage(host: Child) -> Usage:
    answer = host.ask("usage")
    assert isinstance(answer, Usage)
    return answer


def combine(results: list[Result]) -> Result:
    """The median of each figure; the worst join of all."""
    values = {name: median(getattr(r, name) for r in results) for name in Result.__slots__}
    return Result(**(values | {"join_max_s": max(r.join_max_s for r in results)}))


TITLES = {
    "ours": "EdgeAttend",
    "relay": "(a) aiortc, an encoder per viewer",
    "tcp": "(b) reference: TCP + JPEG, 8 frames/s",
}


def title(point: Point) -> str:
    """A point in words."""
    video = "asked size" if point.asked else f"{CAMERA[0]}x{CAMERA[1]}"
    return f"{TITLES[point.system]} | {point.participants} | {video}"


def table(results: dict[Point, Result]) -> str:
    """All points as Markdown."""
    lines = [
        "| Host | Participants | They send | Cores | RSS MiB | Grid frames/s, median (min) "
        "| Down Mbit/s each | Up Mbit/s each | Join s, median (max) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {title(point)} | {r.cores:.3f} | {r.rss_mib:.0f} | {r.fps_median:.1f} ({r.fps_min:.1f}) "
        f"| {r.down_mbps:.2f} | {r.up_mbps:.2f} | {r.join_median_s:.2f} ({r.join_max_s:.2f}) |"
        for point, r in results.items()
    ]
    return "\n".join(lines)


def ratios(results: dict[Point, Result], compared: int) -> str:
    """The price of one more participant, and how the baselines compare with us, in words."""
    lines = []
    for asked in (False, True):
        ours = {p.participants: r for p, r in results.items() if p.system == "ours" and p.asked is asked}
        if len(ours) > 1:
            few, many = min(ours), max(ours)
            each = (ours[many].cores - ours[few].cores) / (many - few)
            what = "the asked size" if asked else f"{CAMERA[0]}x{CAMERA[1]}"
            lines.append(f"One more participant at {what}: {each:.3f} cores (from {few} to {many}).")
    base = results.get(Point("ours", compared))
    for system in ("relay", "tcp"):
        other = results.get(Point(system, compared))
        if base is not None and other is not None:
            lines.append(
                f"Ours against {TITLES[system]}, {compared} participants: "
                f"cores {base.cores:.2f} : {other.cores:.2f} = 1 : {other.cores / base.cores:.1f}, "
                f"down {base.down_mbps:.1f} : {other.down_mbps:.1f} = 1 : {other.down_mbps / base.down_mbps:.1f}, "
                f"up {base.up_mbps:.1f} : {other.up_mbps:.1f} = 1 : {other.up_mbps / base.up_mbps:.1f}."
            )
    return "\n".join(lines)


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, nargs="*", default=[1, 2, 4, 8, 16], metavar="N")
    parser.add_argument("--video", choices=["both", "camera", "asked"], default="both", help="what participants send")
    parser.add_argument("--compare", type=int, default=8, metavar="N", help="participants of the baselines; 0: none")
    parser.add_argument("--seconds", type=float, default=8.0, help="measured per point (default 8)")
    parser.add_argument("--settle", type=float, default=4.0, help="seconds before that (default 4)")
    parser.add_argument("--repeats", type=int, default=1, help="rounds over all points (default 1)")
    parser.add_argument("--quick", action="store_true", help="two points of 3 s and no baselines: does it work?")
    parser.add_argument("--grid", default="1280x720", help="WIDTHxHEIGHT (default 1280x720)")
    parser.add_argument("--fps", type=int, default=15, help="of grid and participants (default 15)")
    parser.add_argument("--past-the-limit", action="store_true", help="instead: until newcomers are refused")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every single result there")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.participants, arguments.compare, arguments.seconds, arguments.settle = [1, 4], 0, 3.0, 2.0
    return arguments


def points_of(arguments: argparse.Namespace) -> list[Point]:
    """What the command line asks for, baselines beside the point they are compared with."""
    sizes = {"both": [False, True], "camera": [False], "asked": [True]}[arguments.video]
    points = [Point("ours", n, asked) for n in arguments.participants for asked in sizes]
    if arguments.compare:
        base = Point("ours", arguments.compare)
        if base not in points:
            points.append(base)
        place = points.index(base) + 1
        points[place:place] = [Point("relay", arguments.compare), Point("tcp", arguments.compare)]
    return points


def main() -> int:
    """Measure, print; 0 if every point worked."""
    arguments = parse_arguments()
    if arguments.past_the_limit:
        return overload.main(["--fps", str(arguments.fps)])
    width, height = (int(side) for side in arguments.grid.split("x"))
    grid = GridConfig(width=width, height=height, fps=arguments.fps)
    points = points_of(arguments)
    total = len(points) * arguments.repeats
    singles: dict[Point, list[Result]] = {point: [] for point in points}
    failed = 0
    try:
        for number in range(total):
            point = points[number % len(points)]
            print(f"[{number + 1}/{total}] {title(point)} ...", end=" ", file=sys.stderr, flush=True)
            try:
                result = measure(point, grid, arguments.settle, arguments.seconds)
            except ChildFailed as error:
                failed += 1
                print(f"failed: {error}", file=sys.stderr)
                continue
            singles[point].append(result)
            print(f"{result.cores:.3f} cores, {result.fps_median:.1f} frames/s", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what is there:", file=sys.stderr)
        failed += 1
    results = {point: combine(some) for point, some in singles.items() if some}
    print(table(results))
    print()
    print(ratios(results, arguments.compare))
    if arguments.json is not None:
        entries = [asdict(point) | asdict(result) for point, some in singles.items() for result in some]
        arguments.json.write_text(json.dumps(entries, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
