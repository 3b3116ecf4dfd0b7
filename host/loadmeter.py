"""Measures once a second what this process has left, and eases its rooms when that is little."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from host.headroom import Headroom, Reading
from host.room import Room

logger = logging.getLogger(__name__)

SAMPLE_S = 1.0
LAG_EVERY_S = 0.1
"""How often the event loop is asked whether it is on time."""

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Of a container: microseconds of CPU time, and of the time in which it may use them; "max" without a limit."""


class LoadMeter:
    """Event loop only; `start` before use and `close` at the end."""

    def __init__(self, rooms: Sequence[Room], cores: float | None = None) -> None:
        """`cores`: what this process may use, if not all that the system gives it."""
        self.headroom = Headroom()
        self._rooms = rooms
        self._cores = usable_cores() if cores is None else cores
        self._task: asyncio.Task[None] | None = None
        self._now_s = self._cpu_s = self._loop_s = 0.0
        self._frames: list[int] = []

    def start(self) -> None:
        """Begin to measure."""
        self._begin()
        self._task = asyncio.create_task(self._watch(), name="load meter")

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            lag_s = 0.0
            while time.monotonic() - self._now_s < SAMPLE_S:
                asked_s = time.monotonic()
                await asyncio.sleep(LAG_EVERY_S)
                lag_s = max(lag_s, time.monotonic() - asked_s - LAG_EVERY_S)
            try:
                self._take(lag_s)
            except Exception:  # a host that cannot be measured goes on as it is
                logger.exception("could not measure the load")

    def _begin(self) -> None:
        """What the next reading is counted from."""
        self._now_s = time.monotonic()
        self._cpu_s, self._loop_s = time.process_time(), time.thread_time()
        self._frames = [room.renderer.frames for room in self._rooms]

    def _take(self, lag_s: float) -> None:
        before_s, cpu_s, loop_s, frames = self._now_s, self._cpu_s, self._loop_s, self._frames
        self._begin()
        passed_s = self._now_s - before_s
        # One frame more than came: where in its interval a grid is when we look is chance.
        rates = [
            min(1.0, (now - then + 1) / (passed_s * room.renderer.rate))
            for room, now, then in zip(self._rooms, self._frames, frames, strict=True)
            if room.crowd
        ]
        reading = Reading(
            cpu=(self._cpu_s - cpu_s) / (passed_s * self._cores),
            loop=(self._loop_s - loop_s) / passed_s,
            rate=min(rates, default=1.0),
            lag_s=lag_s if rates else 0.0,  # with nobody here it is others who keep the machine busy
        )
        level = self.headroom.level
        if self.headroom.update(reading, self._now_s) is not level:
            for room in self._rooms:
                room.ease(self.headroom.level)


def usable_cores() -> float:
    """Cores that this process may use: by its affinity, and by its container's quota (cgroup v2)."""
    try:
        cores = float(len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        cores = float(os.cpu_count() or 1)
    with contextlib.suppress(OSError, ValueError):
        quota, period = CPU_QUOTA.read_text().split()
        cores = min(cores, int(quota) / int(period))  # ValueError: "max"
    return cores
