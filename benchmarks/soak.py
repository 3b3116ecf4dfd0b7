"""A long meeting with people coming and going: python benchmarks/soak.py [--minutes 30] [--joins 1000]

The server is a process of its own, `edgeattend serve`. A steady few stay, with a viewer and the host's annotated
picture; around them others join and leave at random, some politely, some without a word, some after half a hand-shake.
Measured of the server, from /proc and /metrics: resident memory, threads, file descriptors, tasks of its event loop,
and the grid's rate. What it says on standard error is collected: no coroutine may be left un-awaited, no task lost.

Exits 1 unless everything is flat between the first part (after a warm-up) and the last, and nothing was complained of.
With `--debug` the server runs under -X dev (asyncio's debug mode, twice as slow). On a machine that others keep busy
the host refuses newcomers, as it should; a run in which a fifth of the visits ended so says little, and fails, too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
from load_peer import EncodedTrack, LoadPeer, Refused, encode_clip
from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).parent.parent
ARGUMENTS = ("--port", "0", "--json", "--secret-file")
STEADY = 4
FPS = 15
SIZE = (320, 240)
KBPS = 200
"""What everybody sends: small, so that the load is joining and leaving."""

MOST_AT_ONCE = 10
"""Passers-by who are inside together."""

STAY_S = (1.0, 12.0)
JOIN_S = 30.0
WARM_UP, WARM_UP_S = 0.2, 120.0
"""Part of the time in which fonts, caches and libraries fill up, and what it takes at least (half of a short run)."""

MOST_GROWTH_MIB_PER_H = 30.0
"""The history alone takes some: a row per change of label, up to 50,000."""
MOST_GROWTH_MIB = 16.0
"""Whatever the time: what was needed once stays with the allocator, such as 14 MiB for frames that waited while others
kept the machine busy. A session that is never freed is a tenth of a MiB or more, a thousand times."""
MOST_REFUSED = 0.2
LEAST_RATE = 0.8

COMPLAINTS = re.compile(
    r"never awaited|never retrieved|destroyed but it is pending|Traceback|ResourceWarning|ERROR|CRITICAL"
)
"""Of asyncio, of Python and of ours."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The server at one moment."""

    at_s: float
    inside: float
    rss_mib: float
    threads: float
    files: float
    tasks: float
    grid_fps: float
    level: float
    """Of host/headroom.py."""


class Server:
    """`edgeattend serve` as a process, and what it says."""

    def __init__(self, *, debug: bool) -> None:
        options = ["-X", "dev"] if debug else ["-W", "default"]
        self._folder = tempfile.TemporaryDirectory(prefix="soak")
        self._errors = Path(self._folder.name) / "stderr"
        self._stderr = self._errors.open("wb")
        self._process = subprocess.Popen(
            (sys.executable, *options, "-m", "edgeattend", "serve", *ARGUMENTS, f"{self._folder.name}/secret"),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,  # a Ctrl-C is for us, and its CPU time is shared out apart from ours
        )
        assert self._process.stdout is not None
        self.ready: dict[str, Any] = json.loads(self._process.stdout.readline())
        self.origin = self.ready["status_url"].split("/r/")[0]
        events = self._process.stdout  # somebody has to read them
        threading.Thread(target=lambda: deque(events, maxlen=0), name="events", daemon=True).start()

    async def sample(self, http: aiohttp.ClientSession, began_s: float) -> Sample:
        """One look."""
        async with http.get(self.origin + "/metrics") as response:
            families = list(text_string_to_metric_families(await response.text()))
        values: Counter[str] = Counter()
        for one in (sample for family in families for sample in family.samples):
            values[one.name] += one.value  # type: ignore[assignment]
        proc = Path(f"/proc/{self._process.pid}")
        threads = len(list((proc / "task").iterdir()))
        return Sample(
            at_s=time.monotonic() - began_s,
            inside=values["edgeattend_participants"],
            rss_mib=values["process_resident_memory_bytes"] / 2**20,
            threads=threads,
            files=len(list((proc / "fd").iterdir())),
            tasks=values["edgeattend_tasks"],
            grid_fps=values["edgeattend_grid_fps"],
            level=values["edgeattend_headroom_level"],
        )

    def end(self) -> tuple[int, list[str]]:
        """Ask it to end in order. Returns exit code and complaints."""
        self._process.terminate()
        try:
            code = self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._stderr.close()
        lines = self._errors.read_text(errors="replace").splitlines()
        self._folder.cleanup()
        return code, [line for line in lines if COMPLAINTS.search(line)]


class Visitors:
    """Those who come and go, and how it went."""

    def __init__(self, http: aiohttp.ClientSession, server: Server, clip: list[bytes]) -> None:
        self._http, self._server, self._clip = http, server, clip
        self.outcomes: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def inside(self, name: str) -> AsyncIterator[LoadPeer]:
        """Somebody who sees the grid."""
        peer = LoadPeer(EncodedTrack(self._clip, FPS))
        try:
            whip, token = self._server.ready["whip_url"], self._server.ready["tokens"]["participant"]
            await peer.join(self._http, f"{whip}?name={name}", token)
            await peer.wait_for_grid(JOIN_S)
            yield peer
        finally:
            await peer.close()

    async def visit(self, number: int, places: asyncio.Semaphore) -> None:
        """Come, stay, and go in one way or another."""
        async with places:
            how = random.choice(("politely", "politely", "without a word", "half-way"))
            try:
                if how == "half-way":
                    await self._knock(number)
                else:
                    async with self.inside(f"Visitor+{number}") as peer:
                        await asyncio.sleep(random.uniform(*STAY_S))
                        if how == "politely":
                            headers = {"Authorization": f"Bearer {peer.resume}"}
                            async with self._http.delete(self._server.origin + peer.location, headers=headers):
                                pass
            except Refused as refused:  # a busy machine: others' turn first
                self.outcomes[f"refused with {refused.status}"] += 1
                await asyncio.sleep(float(refused.retry_after_s or 1))
            except (TimeoutError, aiohttp.ClientError) as error:
                self.outcomes[type(error).__name__] += 1
            else:
                self.outcomes[how] += 1

    async def _knock(self, number: int) -> None:
        """An offer, and never a connection."""
        peer = LoadPeer(None)
        try:
            url, token = self._server.ready["whep_url"], self._server.ready["tokens"]["viewer"]
            await peer.join(self._http, url, token)
        finally:
            await peer.close()


async def watch_annotated(http: aiohttp.ClientSession, server: Server) -> None:
    """The host's dashboard, open all the time."""
    async with http.get(server.ready["annotated_url"], timeout=aiohttp.ClientTimeout(total=None)) as response:
        async for _ in response.content.iter_chunked(65536):
            pass


async def stay(visitors: Visitors, number: int, ready: asyncio.Semaphore) -> None:
    """One of the steady few."""
    async with visitors.inside(f"Steady+{number}"):
        ready.release()
        await asyncio.Event().wait()


async def soak(server: Server, minutes: float, joins: int, samples: list[Sample]) -> Counter[str]:
    """Everything. Returns how visits ended; samples are added while it goes on."""
    clip = encode_clip(*SIZE, FPS, KBPS)
    began_s = time.monotonic()
    end_s = began_s + 60 * minutes
    async with aiohttp.ClientSession() as http:
        visitors = Visitors(http, server, clip)
        ready = asyncio.Semaphore(0)
        steady = [asyncio.create_task(stay(visitors, number, ready)) for number in range(STEADY)]
        steady.append(asyncio.create_task(watch_annotated(http, server)))
        for _ in range(STEADY):
            await ready.acquire()
        places = asyncio.Semaphore(MOST_AT_ONCE)
        visits: set[asyncio.Task[None]] = set()
        started, sample_every_s = 0, max(2.0, 60 * minutes / 120)
        next_sample_s = time.monotonic()
        while time.monotonic() < end_s or visits:
            now_s = time.monotonic()
            due = min(joins, int(joins * (now_s - began_s) / (60 * minutes)) + 1)
            while started < due and len(visits) < 2 * MOST_AT_ONCE:
                started += 1
                visit = asyncio.create_task(visitors.visit(started, places))
                visits.add(visit)
                visit.add_done_callback(visits.discard)
            if now_s >= next_sample_s:
                next_sample_s = now_s + sample_every_s
                samples.append(await server.sample(http, began_s))
                print(line(samples[-1]), f"  {sum(visitors.outcomes.values())} visits", file=sys.stderr, flush=True)
            await asyncio.sleep(0.2)
        await asyncio.sleep(15.0)  # the last ones who left without a word are gone by then
        samples.append(await server.sample(http, began_s))
        failed = [task.exception() for task in steady if task.done() and not task.cancelled()]
        for task in steady:
            task.cancel()
        await asyncio.gather(*steady, return_exceptions=True)
        for error in failed:
            visitors.outcomes[f"steady: {error!r}"] += 1
    return visitors.outcomes


def line(sample: Sample) -> str:
    """A sample in words."""
    return (
        f"{sample.at_s:7.1f} s  {sample.inside:3.0f} inside  RSS {sample.rss_mib:6.1f} MiB"
        f"  {sample.threads:3.0f} threads  {sample.files:3.0f} files  {sample.tasks:4.0f} tasks"
        f"  grid {sample.grid_fps:4.1f}  level {sample.level:.0f}"
    )


def parts(samples: list[Sample]) -> dict[str, Sample]:
    """Medians of the beginning (after the warm-up), the middle and the end."""
    total_s = samples[-1].at_s
    warm_s = max(WARM_UP * total_s, min(WARM_UP_S, total_s / 2))
    settled = [sample for sample in samples if sample.at_s >= warm_s]
    third = max(1, len(settled) // 3)
    return {
        "start": _middle(settled[:third]),
        "middle": _middle(settled[third : 2 * third]),
        "end": _middle(settled[2 * third :]),
    }


def _middle(samples: Iterable[Sample]) -> Sample:
    samples = list(samples)
    return Sample(*(median(getattr(sample, field.name) for sample in samples) for field in fields(Sample)))


def table(found: dict[str, Sample], last: Sample) -> str:
    """The parts as Markdown, and what is left when all visitors are gone."""
    lines = ["| | Inside | RSS MiB | Threads | Files | Tasks | Grid frames/s |", "|---|---|---|---|---|---|---|"]
    for name, one in (found | {"visitors gone": last}).items():
        lines.append(
            f"| {name} | {one.inside:.0f} | {one.rss_mib:.1f} | {one.threads:.0f} | {one.files:.0f} | {one.tasks:.0f} "
            f"| {one.grid_fps:.1f} |"
        )
    return "\n".join(lines)


def problems(found: dict[str, Sample], last: Sample) -> list[str]:
    """What is not flat."""
    start, end = found["start"], found["end"]
    wrong = []
    growth = end.rss_mib - start.rss_mib
    most = MOST_GROWTH_MIB + MOST_GROWTH_MIB_PER_H * (end.at_s - start.at_s) / 3600
    if growth > most:
        wrong.append(f"RSS grew by {growth:.1f} MiB, expected at most {most:.1f}")
    each = max(1.0, start.inside)
    for name in ("threads", "files", "tasks"):
        before, after = getattr(start, name), getattr(end, name)
        # As many more as more people are inside, and a few that are on their way out.
        if after > before * max(1.0, end.inside / each) + 10:
            wrong.append(f"{name} went from {before:.0f} to {after:.0f}")
    if end.grid_fps < LEAST_RATE * start.grid_fps:
        wrong.append(f"the grid's rate fell from {start.grid_fps:.1f} to {end.grid_fps:.1f} frames/s")
    if last.inside != STEADY:
        wrong.append(f"expected {STEADY} inside when the visitors were gone, got {last.inside:.0f}")
    return wrong


def main() -> int:
    """Run, print; 0 if all was flat and nothing was complained of."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--joins", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="of who does what (default 1)")
    parser.add_argument("--debug", action="store_true", help="the server under -X dev")
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell started us in the background
        signal.signal(number, signal.default_int_handler)
    server = Server(debug=arguments.debug)
    samples: list[Sample] = []
    outcomes: Counter[str] = Counter()
    try:
        outcomes = asyncio.run(soak(server, arguments.minutes, arguments.joins, samples))
    except KeyboardInterrupt:
        print("interrupted; what is there:", file=sys.stderr)
    finally:
        code, complaints = server.end()
    found = parts(samples)
    wrong = problems(found, samples[-1])
    if code != 0:
        wrong.append(f"the server ended with exit code {code}")
    refused = sum(count for how, count in outcomes.items() if how.startswith("refused"))
    if refused > MOST_REFUSED * sum(outcomes.values()):
        wrong.append(f"{refused} of {sum(outcomes.values())} visits were refused: the machine was too busy to say much")
    wrong += complaints[:20]
    visits = ", ".join(f"{count} {how}" for how, count in sorted(outcomes.items()))
    print(f"{table(found, samples[-1])}\n\n{sum(outcomes.values())} visits: {visits}")
    print("Flat." if not wrong else "\n".join(["Not flat:", *wrong]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
