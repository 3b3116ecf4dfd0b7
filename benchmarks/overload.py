"""Past what a host can take: python benchmarks/overload.py [--rooms N] [--every S]

The host gets one core and several rooms. Participants come one after the other, to one room after the other, until
newcomers are refused; then some leave until the host is well again. Told once a second: how many are inside, what the
host gives up (host/headroom.py), what it measures, and the grid frames per second that those inside receive.

What is behind that figure: a participant counts from the second after their first frame. Exits 1 if nobody was
refused, or if the host did not recover.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from statistics import median

import aiohttp
from load_peer import EncodedTrack, LoadPeer, Refused, encode_clip
from processes import Child, Question, answer_questions, say
from prometheus_client.parser import text_string_to_metric_families

from host.headroom import Level
from host.renderer import GridConfig
from peer.sender import fit
from signaling.protocol import Send
from signaling.server import ServeConfig, running

CAMERA = (640, 480)
CAMERA_KBPS = 600
CLIP_FRAMES = 30
JOIN_S = 20.0
CONNECT_S = 10.0
"""As our own participants: then they try again."""

LEAST_S = 0.5
"""Between two looks: less says nothing of a rate."""


Door = tuple[str, str, str]
"""A room's WHIP address, its WHEP address, and a participant's token."""


@dataclass(slots=True)
class Guest:
    """Somebody inside, and what was counted of them at the last look."""

    peer: LoadPeer
    track: EncodedTrack
    door: Door
    sends: Send | None = None
    frames: int = 0
    counted_s: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What the host measured in the last second; `rate`: of its grids, as it should be, `slowest`: as it is."""

    level: Level
    cpu: float
    loop: float
    lag_s: float
    rate: int
    slowest: float


@dataclass(slots=True)
class Timeline:
    """What was seen, second by second."""

    began_s: float = field(default_factory=time.monotonic)
    rates: list[tuple[Level, float, float]] = field(default_factory=list)

    def tell(self, inside: int, came_back: int, load: Load, fps: list[float]) -> None:
        """One line."""
        if fps:
            self.rates.append((load.level, min(fps), median(fps)))
        shown = f"{median(fps):.1f} ({min(fps):.1f})" if fps else "-"
        print(
            f"{time.monotonic() - self.began_s:6.1f} s  {inside:3} inside, {came_back} came back"
            f"  {load.level.name.lower():8}  CPU {load.cpu:.2f}  loop {load.loop:.2f}, {load.lag_s:.3f} s late"
            f"  grid {load.slowest:.1f} of {load.rate}  received {shown}",
            flush=True,
        )

    def table(self) -> str:
        """Frames per second received, by level, as Markdown."""
        lines = ["| Level | Seconds | Median of medians | Slowest participant, median | Slowest, worst second |"]
        lines.append("|---|---|---|---|---|")
        for level in Level:
            lows = [low for at, low, _ in self.rates if at == level]
            if lows:
                middle = median(middle for at, _, middle in self.rates if at == level)
                lines.append(
                    f"| {level.name.lower()} | {len(lows)} | {middle:.1f} | {median(lows):.1f} | {min(lows):.1f} |"
                )
        return "\n".join(lines)


def _settle_on(core: int) -> None:
    """One core, and in a scheduling group of our own (autogroup, sched(7)): what is measured is not each other."""
    os.setsid()
    os.sched_setaffinity(0, {core})


def serve(pipe: Connection, grid: GridConfig, rooms: int, core: int) -> None:
    """The host on one core: says its doors."""
    _settle_on(core)

    async def work() -> None:
        names = tuple(f"room{number}" for number in range(rooms))
        async with running(ServeConfig(secret="benchmark" * 5, port=0, rooms=names, grid=grid)) as server:
            say(pipe, [(one.whip_url, one.whep_url, one.tokens["participant"]) for one in server.links])
            await answer_questions(pipe, {})

    asyncio.run(work())


class Crowd:
    """All participants: each method is an answer to a question."""

    def __init__(self, http: aiohttp.ClientSession, doors: list[Door], fps: int) -> None:
        self._http, self._doors, self._fps = http, doors, fps
        self.came_back = 0
        self._guests: list[Guest] = []
        self._clips: dict[Send | None, list[bytes]] = {None: encode_clip(*CAMERA, fps, CAMERA_KBPS, frames=CLIP_FRAMES)}

    def questions(self) -> dict[str, Question]:
        """Names of the methods for the pipe."""
        return {
            "join": self.join,
            "come_back": self.come_back,
            "watch": self.watch,
            "leave": self.leave,
            "rates": self.rates,
        }

    async def join(self) -> str:
        """One more. Returns why not, or an empty text."""
        door = self._doors[len(self._guests) % len(self._doors)]
        return await self._enter(door, door[2])

    async def come_back(self) -> str:
        """Somebody whose connection broke, with their personal token. Returns as `join`."""
        return await self._come_back(self._guests[0])

    async def watch(self) -> str:
        """A viewer, for a moment. Returns as `join`."""
        viewer = LoadPeer(None)
        try:
            await viewer.join(self._http, self._doors[0][1], self._doors[0][2])
        except Refused as refused:
            return _words(refused)
        finally:
            await viewer.close()
        return ""

    async def leave(self, count: int) -> int:
        """The last ones go. Returns how many are left."""
        for _ in range(min(count, len(self._guests))):
            guest = self._guests.pop()
            origin = guest.door[0].split("/whip/")[0]
            headers = {"Authorization": f"Bearer {guest.peer.resume}"}
            async with self._http.delete(origin + guest.peer.location, headers=headers):
                await guest.peer.close()
        return len(self._guests)

    async def rates(self) -> tuple[int, int, list[float]]:
        """How many are inside, how often one came back, and what each received per second since the last time."""
        now_s, found = time.monotonic(), []
        for guest in self._guests:
            if guest.counted_s is not None and now_s - guest.counted_s < LEAST_S:
                continue
            if guest.counted_s is not None:
                found.append((guest.peer.grid_frames - guest.frames) / (now_s - guest.counted_s))
            if guest.peer.grid_frames:
                guest.frames, guest.counted_s = guest.peer.grid_frames, now_s
        return len(self._guests), self.came_back, found

    async def follow(self) -> None:
        """Send what the host asks for, until cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "encode") as encoding:
            while True:
                await asyncio.sleep(0.5)
                for guest in list(self._guests):
                    waited_s = time.monotonic() - guest.peer.posted_s
                    if guest.peer.lost or (not guest.peer.grid_frames and waited_s > CONNECT_S):
                        await self._come_back(guest)
                        continue
                    asked = guest.peer.asked
                    if asked is None or asked == guest.sends:
                        continue
                    if asked not in self._clips:
                        self._clips[asked] = await loop.run_in_executor(encoding, _encode, asked)
                    guest.track.replace(self._clips[asked], asked.fps)
                    guest.sends = asked

    async def close(self) -> None:
        """Everybody goes without a word."""
        await asyncio.gather(*(guest.peer.close() for guest in self._guests))

    async def _come_back(self, guest: Guest) -> str:
        self._guests.remove(guest)
        self.came_back += 1
        await guest.peer.close()
        return await self._enter(guest.door, guest.peer.resume)

    async def _enter(self, door: Door, token: str) -> str:
        track = EncodedTrack(self._clips[None], self._fps)
        guest = Guest(LoadPeer(track), track, door)
        try:
            await guest.peer.join(self._http, f"{door[0]}?name=Person", token)
        except Refused as refused:
            await guest.peer.close()
            return _words(refused)
        self._guests.append(guest)
        return ""


def _encode(asked: Send) -> list[bytes]:
    size = fit(*CAMERA, asked)
    return encode_clip(*size, asked.fps, asked.kbps, frames=CLIP_FRAMES)


def _words(refused: Refused) -> str:
    return f"refused with {refused.status}, Retry-After {refused.retry_after_s}"


def take_part(pipe: Connection, doors: list[Door], fps: int, core: int) -> None:
    """All participants on one core."""
    _settle_on(core)

    async def work() -> None:
        async with aiohttp.ClientSession() as http:
            crowd = Crowd(http, doors, fps)
            following = asyncio.create_task(crowd.follow())
            say(pipe, "ready")
            await answer_questions(pipe, crowd.questions())
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await crowd.close()

    asyncio.run(work())


def load_of(metrics_url: str) -> Load:
    """What the host says of itself."""
    with urllib.request.urlopen(metrics_url, timeout=10) as response:
        families = {family.name: family for family in text_string_to_metric_families(response.read().decode())}

    def value(name: str) -> float:
        return float(families[f"edgeattend_{name}"].samples[0].value)

    rates = [sample.value for sample in families["edgeattend_grid_fps"].samples]
    return Load(
        Level(int(value("headroom_level"))),
        value("cpu_ratio"),
        value("loop_busy_ratio"),
        value("loop_lag_seconds"),
        int(value("grid_rate")),
        min(rates),
    )


def seconds(host: str, guests: Child, timeline: Timeline, most_s: float) -> Iterator[Level]:
    """The level, once a second, with a line each. `host`: the address of its metrics."""
    due_s = time.monotonic()
    for _ in range(round(most_s)):
        due_s = max(due_s + 1.0, time.monotonic())
        time.sleep(max(0.0, due_s - time.monotonic()))
        load = load_of(host)
        inside, came_back, fps = guests.ask("rates")
        timeline.tell(inside, came_back, load, fps)
        yield load.level


def run(host: str, guests: Child, arguments: argparse.Namespace) -> bool:
    """Up, past the limit, and back; whether all of it happened."""
    timeline = Timeline()
    refusals: list[str] = []
    for second, _ in enumerate(seconds(host, guests, timeline, arguments.most_s)):
        if second % arguments.every == 0:
            refusal = guests.ask("join", timeout_s=JOIN_S)
            if refusal:
                refusals.append(refusal)
                print(f"         newcomer: {refusal}")
        if len(refusals) >= arguments.refusals:
            break
    inside, *_ = guests.ask("rates")
    print(f"         viewer: {guests.ask('watch') or 'let in'}")
    back = guests.ask("come_back", timeout_s=JOIN_S)
    print(f"         who was here before: {back or 'let in'}")
    for _ in seconds(host, guests, timeline, arguments.hold_s):
        pass
    left, began_s = guests.ask("leave", round(inside * arguments.leave)), time.monotonic()
    print(f"         {inside - left} leave")
    recovered = any(level == Level.NORMAL for level in seconds(host, guests, timeline, arguments.most_s))
    took_s = time.monotonic() - began_s
    newcomer = guests.ask("join", timeout_s=JOIN_S)
    print(f"\n{timeline.table()}\n")
    print(f"{inside} were inside when newcomers were refused ({len(refusals)} of them): {refusals[-1:]}.")
    print(f"Normal again {took_s:.0f} s after {inside - left} left; a newcomer is {newcomer or 'let in'}.")
    return bool(refusals) and not back and recovered and not newcomer


def main(options: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=12, help="that the host has open (default 12)")
    parser.add_argument("--every", type=int, default=2, help="seconds between two who come (default 2)")
    parser.add_argument("--refusals", type=int, default=3, help="after so many nobody comes any more (default 3)")
    parser.add_argument("--hold-s", type=float, default=15.0, help="with everybody inside (default 15)")
    parser.add_argument("--leave", type=float, default=0.7, help="part of them that leaves then (default 0.7)")
    parser.add_argument("--most-s", type=float, default=150.0, help="for each way (default 150)")
    parser.add_argument("--fps", type=int, default=15, help="of grid and participants (default 15)")
    arguments = parser.parse_args(options)
    cores = sorted(os.sched_getaffinity(0))
    grid = GridConfig(fps=arguments.fps)
    with Child("host", serve, grid, arguments.rooms, cores[0]) as host:
        doors = host.answer()
        with Child("participants", take_part, doors, arguments.fps, cores[-1]) as guests:
            guests.answer()
            metrics_url = doors[0][0].split("/whip/")[0] + "/metrics"
            return 0 if run(metrics_url, guests, arguments) else 1


if __name__ == "__main__":
    sys.exit(main())
