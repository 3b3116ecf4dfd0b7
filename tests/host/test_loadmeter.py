"""What is measured of a host, and that its rooms hear of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from host.headroom import Level, Reading
from host.loadmeter import LoadMeter, usable_cores
from tests.fake_peer import until


class FakeRoom:
    """Composes as many frames as it is told."""

    def __init__(self, crowd: int = 1, fps: int = 15) -> None:
        self.crowd = crowd
        self.renderer = SimpleNamespace(frames=0, rate=fps)
        self.levels: list[Level] = []

    def ease(self, level: Level) -> None:
        self.levels.append(level)


@pytest.fixture(autouse=True)
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.loadmeter.SAMPLE_S", 0.2)
    monkeypatch.setattr("host.loadmeter.LAG_EVERY_S", 0.02)


@asynccontextmanager
async def metered(*rooms: Any, cores: float | None = None) -> AsyncIterator[Iterator[Reading]]:
    """The readings of a meter that runs, as they come."""
    meter = LoadMeter(rooms, cores)
    meter.start()
    try:
        yield iter(lambda: meter.headroom.reading, None)
    finally:
        await meter.close()


def burn(seconds: float) -> None:
    """Keep this thread busy for so much CPU time."""
    until_s = time.thread_time() + seconds
    while time.thread_time() < until_s:
        pass


async def test_a_busy_event_loop_shows_in_every_measure() -> None:
    """Others use these cores, too: sooner or later they leave us a fifth of one for as long as a reading takes."""
    async with metered(FakeRoom(), cores=1.0) as readings, asyncio.timeout(60):
        while True:
            burn(0.15)
            await asyncio.sleep(0.001)
            reading = next(readings)
            if reading.loop > 0.2 and reading.cpu >= 0.9 * reading.loop and reading.lag_s > 0.1:
                break


async def test_a_busy_thread_uses_the_process_not_its_event_loop() -> None:
    async with metered(FakeRoom(), cores=1.0) as readings:
        await asyncio.to_thread(burn, 0.6)
        reading = next(readings)
    assert reading.cpu > 2 * reading.loop


async def test_the_process_is_measured_against_the_cores_it_may_use() -> None:
    async with metered(FakeRoom(), cores=1.0) as of_one, metered(FakeRoom(), cores=8.0) as of_eight:
        async with asyncio.timeout(60):
            while True:  # two meters look at slightly different times
                await asyncio.to_thread(burn, 0.3)
                one, eight = next(of_one).cpu, next(of_eight).cpu
                if one > 0.2 and 5 * eight < one < 11 * eight:
                    break


async def test_the_slowest_grid_counts_and_one_that_nobody_sees_does_not() -> None:
    good, slow, empty = FakeRoom(), FakeRoom(), FakeRoom(crowd=0)
    async with metered(good, slow, empty) as readings:
        reading = next(readings)
        while (again := next(readings)) is reading:
            good.renderer.frames += 1
            await asyncio.sleep(1 / 40)
        assert again.rate < 0.8  # one frame may always be on its way
        slow.crowd = 0
        await until(lambda: next(readings) is not again)
        reading = next(readings)
        while (again := next(readings)) is reading:
            good.renderer.frames += 1
            await asyncio.sleep(1 / 40)
        assert again.rate == 1.0


async def test_a_host_without_anybody_is_never_strained_by_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async with metered(FakeRoom(crowd=0)) as readings:
        first = next(readings)
        time.sleep(0.4)  # noqa: ASYNC251  as if the machine did something else
        await until(lambda: next(readings) is not first)
        assert (next(readings).rate, next(readings).lag_s) == (1.0, 0.0)


async def test_rooms_hear_of_every_new_level_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.headroom.STRAINED_S", 0.0)
    rooms = [FakeRoom(), FakeRoom()]  # without a frame
    async with metered(*rooms):
        await until(lambda: rooms[1].levels[-1:] == [Level.REFUSING])
        await asyncio.sleep(0.3)  # a reading more
    assert [room.levels for room in rooms] == [[Level.SMALLER, Level.SLOWER, Level.REFUSING]] * 2


async def test_a_reading_that_fails_is_not_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    room = FakeRoom()
    good = room.renderer
    async with metered(room) as readings:
        room.renderer = SimpleNamespace()
        await until(lambda: "could not measure the load" in caplog.text)
        room.renderer = good
        reading = next(readings)
        await until(lambda: next(readings) is not reading)


@pytest.mark.parametrize(
    ("quota", "cores"), [("max 100000", 4.0), ("150000 100000", 1.5), ("800000 100000", 4.0), ("", 4.0), (None, 4.0)]
)
def test_a_container_may_use_less_than_there_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, quota: str | None, cores: float
) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota + "\n")
    monkeypatch.setattr("host.loadmeter.CPU_QUOTA", file)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    assert usable_cores() == cores
