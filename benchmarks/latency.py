"""From a participant's picture to a viewer's grid: python benchmarks/latency.py [--quick]

One participant stamps a counter onto each picture (stamp.py) and encodes it live at the size the host asks for; a
viewer decodes the grid and reads the stamp. Latency is the time between drawing a stamp and having the first decoded
grid frame that shows it: encode, RTP, decode, wait for the grid's next frame, compose, encode, RTP, decode. Camera
and screen are not in it. Host, source, viewer and the other participants have a process each; all clocks are one.

The source runs one percent slower than the host's clock, so that a run sees every phase between the two.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from statistics import median, quantiles
from typing import Any

import aiohttp
import av
import cv2
import numpy as np
import stamp
from aiortc import MediaStreamTrack
from host_load import CAMERA, JOIN_S, serve, take_part
from load_peer import LoadPeer, read_clip
from processes import Child, ChildFailed, answer_questions, say

from host.layout import Rect, fit, layout
from host.renderer import GridConfig
from peer.sender import fit as fit_sent
from signaling import rtc
from signaling.codec import Planes, VideoDecoder, Vp8Encoder, plane_views
from signaling.protocol import Send

DRIFT = 1.01
"""Length of the source's interval, in the host's."""

BEFORE_ASKED = Send(width=CAMERA[0], height=CAMERA[1], fps=15, kbps=600)
SETTLE_S = 4.0
COUNTERS = 1 << stamp.BITS


class StampedTrack(MediaStreamTrack):
    """Draws, encodes and sends; `drawn` says when (monotonic s) each counter was drawn."""

    kind = "video"

    def __init__(self, fps: int) -> None:
        super().__init__()
        self.asked = BEFORE_ASKED
        self.drawn: dict[int, float] = {}
        self._fps = fps
        self._pictures = list(read_clip("ana", *CAMERA, 60))
        self._start = time.monotonic()
        self._number = 0
        self._key_frame = False
        self._encoder: Vp8Encoder | None = None

    def ask_key_frame(self) -> None:
        """The next frame is a key frame."""
        self._key_frame = True

    async def recv(self) -> av.Packet[Any]:
        """The next packet, when its picture is due."""
        while True:
            self._number += 1
            due = self._start + self._number * DRIFT / self._fps
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            packet = self._encode(self._picture())
            if packet is not None:
                return packet

    def _picture(self) -> Planes:
        width, height = fit_sent(*CAMERA, self.asked)
        bgr = cv2.resize(self._pictures[self._number % 60], (width, height), interpolation=cv2.INTER_AREA)
        planes: Planes = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420), np.uint8)
        self.drawn[self._number % COUNTERS] = time.monotonic()
        stamp.draw(planes[:height], self._number)
        return planes

    def _encode(self, planes: Planes) -> av.Packet[Any] | None:
        size = planes.shape[1], planes.shape[0] * 2 // 3
        encoder = self._encoder
        if encoder is None or (encoder.width, encoder.height, encoder.kbps) != (*size, self.asked.kbps):
            encoder = self._encoder = Vp8Encoder(*size, self._fps, self.asked.kbps)
        key_frame, self._key_frame = self._key_frame, False
        packet = encoder.encode(planes, self._number, key_frame=key_frame)
        if packet is not None:
            packet.time_base = Fraction(1, self._fps)
        return packet


def send_stamps(pipe: Connection, url: str, token: str, fps: int) -> None:
    """The source in a process of its own: says when it sees the grid, then answers `send_asked` and `drawn`."""

    async def work() -> None:
        track = StampedTrack(fps)
        peer = LoadPeer(track)

        async def send_asked() -> tuple[int, int]:
            assert peer.asked is not None, "the host asked for no size"
            track.asked = peer.asked
            return fit_sent(*CAMERA, peer.asked)

        async def drawn() -> dict[int, float]:
            return track.drawn

        try:
            async with aiohttp.ClientSession() as http:
                await peer.join(http, f"{url}?name=Source", token, on_key_frame_request=track.ask_key_frame)
                say(pipe, await peer.wait_for_grid(JOIN_S))
            await answer_questions(pipe, {"send_asked": send_asked, "drawn": drawn})
        finally:
            await peer.close()

    asyncio.run(work())


class StampReader:
    """Decodes the grid; `seen` says when (monotonic s) each counter was first there."""

    def __init__(self, tile: Rect) -> None:
        self.seen: dict[int, float] = {}
        self.unreadable = 0
        self._tile = tile
        self._decoder = VideoDecoder("VP8")

    def take(self, frame: rtc.EncodedFrame) -> None:
        """One encoded grid frame."""
        picture = self._decoder.decode(frame.data)
        now = time.monotonic()
        if picture is None:
            return
        tile = self._tile
        number = stamp.read(plane_views(picture)[0][tile.y : tile.y + tile.height, tile.x : tile.x + tile.width])
        if number is None:
            self.unreadable += 1
        else:
            self.seen.setdefault(number, now)


def read_stamps(pipe: Connection, url: str, token: str, tile: Rect) -> None:
    """The viewer in a process of its own: says when it sees the grid, then answers `restart` and `seen`."""

    async def work() -> None:
        reader = StampReader(tile)
        viewer = LoadPeer(None, reader.take)

        async def restart() -> None:
            reader.seen.clear()
            reader.unreadable = 0

        async def seen() -> tuple[dict[int, float], int]:
            return reader.seen, reader.unreadable

        try:
            async with aiohttp.ClientSession() as http:
                await viewer.join(http, url, token)
                say(pipe, await viewer.wait_for_grid(JOIN_S))
            await answer_questions(pipe, {"restart": restart, "seen": seen})
        finally:
            await viewer.close()

    asyncio.run(work())


@dataclass(frozen=True, slots=True)
class Latency:
    """One measurement, in ms; `shown` is how many pictures of the source reached the viewer."""

    participants: int
    source_fps: int
    size: tuple[int, int]
    shown: int
    unreadable: int
    median_ms: float
    p95_ms: float
    worst_ms: float


def measure(participants: int, source_fps: int, grid: GridConfig, seconds: float) -> Latency:
    """One meeting. Raises `ChildFailed`."""
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(Child("host", serve, grid))
        url, token = host.answer()
        source = stack.enter_context(Child("source", send_stamps, url, token, source_fps))
        source.answer()
        if participants > 1:
            load = stack.enter_context(Child("load", take_part, url, token, range(1, participants), grid.fps))
            load.answer(timeout_s=JOIN_S * participants)
            time.sleep(2.0)
            load.ask("send_asked")
        else:
            time.sleep(2.0)
        size = source.ask("send_asked")
        place = layout(grid.width, grid.height, [CAMERA[0] / CAMERA[1]] * participants)[0]
        watch_url, viewer_token = host.ask("viewer")
        viewer = stack.enter_context(Child("viewer", read_stamps, watch_url, viewer_token, fit(*CAMERA, place)))
        viewer.answer()
        time.sleep(SETTLE_S)
        viewer.ask("restart")
        time.sleep(seconds)
        seen, unreadable = viewer.ask("seen")
        drawn = source.ask("drawn")
    # The first grid frame after the restart may show an older picture for the second time.
    late = sorted(1000 * (at - drawn[number]) for number, at in list(seen.items())[1:])
    if len(late) < 10:
        raise ChildFailed(f"expected stamps in the grid, read {len(late)}, unreadable {unreadable}")
    return Latency(
        participants, source_fps, size, len(late), unreadable, median(late), quantiles(late, n=20)[-1], late[-1]
    )


def table(results: list[Latency]) -> str:
    """All measurements as Markdown."""
    lines = [
        "| Participants | Source | Pictures shown (unreadable) | Median ms | 95 % ms | Worst ms |",
        "|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.participants} | {r.size[0]}x{r.size[1]}, {r.source_fps} frames/s | {r.shown} ({r.unreadable}) "
        f"| {r.median_ms:.0f} | {r.p95_ms:.0f} | {r.worst_ms:.0f} |"
        for r in results
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print; 0 if every measurement worked and met the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--participants", type=int, nargs="*", default=[1, 8], metavar="N")
    parser.add_argument("--source-fps", type=int, nargs="*", default=[15, 30], metavar="FPS")
    parser.add_argument("--seconds", type=float, default=14.0, help="measured per row; 7 s are one sweep (default 14)")
    parser.add_argument("--repeats", type=int, default=1, help="rounds over all rows, each printed (default 1)")
    parser.add_argument("--goal", type=float, default=150.0, metavar="MS", help="for the 95 %% (default 150)")
    parser.add_argument("--quick", action="store_true", help="one row of 7 s")
    parser.add_argument("--grid", default="1280x720", help="WIDTHxHEIGHT (default 1280x720)")
    parser.add_argument("--fps", type=int, default=15, help="of the grid (default 15)")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.participants, arguments.source_fps, arguments.seconds = [2], [15], 7.0
    width, height = (int(side) for side in arguments.grid.split("x"))
    grid = GridConfig(width=width, height=height, fps=arguments.fps)
    rows = [(n, fps) for _ in range(arguments.repeats) for n in arguments.participants for fps in arguments.source_fps]
    results: list[Latency] = []
    try:
        for number, (participants, fps) in enumerate(rows):
            print(
                f"[{number + 1}/{len(rows)}] {participants} participants, source at {fps} frames/s ...",
                end=" ",
                file=sys.stderr,
                flush=True,
            )
            try:
                results.append(measure(participants, fps, grid, arguments.seconds))
            except ChildFailed as error:
                print(f"failed: {error}", file=sys.stderr)
                continue
            print(f"median {results[-1].median_ms:.0f} ms, 95 % {results[-1].p95_ms:.0f} ms", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted; what is there:", file=sys.stderr)
    print(table(results))
    met = len(results) == len(rows) and all(r.p95_ms <= arguments.goal for r in results)
    print(f"\nGoal: 95 % within {arguments.goal:.0f} ms: {'met' if met else 'NOT met'}.")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
