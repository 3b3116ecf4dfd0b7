"""A meeting on one machine, for a first look: the server here, and each participant a process of their own."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.mode import Mode
from signaling.errors import ConfigInvalid
from signaling.process import ParticipantProcess
from signaling.server import Links, RunningServer, ServeConfig, running

LOOK_EVERY_S = 0.25

STAGGER_S = 1.0
"""People come one after the other, and their clips are out of step."""


@dataclass(slots=True)
class Seen:
    """What one demo participant told of itself."""

    name: str
    labels: Counter[str] = field(default_factory=Counter)
    grid_reports: int = 0
    grid_fps: float = 0.0
    in_grid: bool = False
    frames_received: int = 0
    last_words: list[str] = field(default_factory=list)

    def hear(self, event: dict[str, Any]) -> None:
        """Take one event of the participant's process."""
        if event.get("event") == "label":
            self.labels[event["label"]] += 1
        elif event.get("event") == "grid":
            self.grid_reports += 1
            self.grid_fps = event["fps"]
            self.frames_received = event["frames"]

    @property
    def complete(self) -> bool:
        """Whether this participant was a tile in the grid, saw the grid, and had a label."""
        return self.in_grid and self.grid_reports > 0 and bool(self.labels)


@dataclass(frozen=True, slots=True)
class DemoConfig:
    """`clips` are played by the participants in turn; `seconds` None runs until `stop`."""

    serve: ServeConfig
    clips: Sequence[Path]
    participants: int
    seconds: float | None


async def run_demo(
    config: DemoConfig,
    on_ready: Callable[[Links], None],
    on_event: Callable[[dict[str, Any]], None],
    stop: asyncio.Event,
) -> dict[str, Any]:
    """Run the meeting; returns the summary. Raises as `running`."""
    if not config.clips:
        raise ConfigInvalid("expected video files for the demo's participants, got none: install EdgeAttend again")
    seen = [Seen(_name(clip, index // len(config.clips))) for index, clip in _cast(config)]
    async with running(config.serve, lambda _room, event: on_event(event)) as server:
        links = server.links[0]
        on_ready(links)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_participant(links, one, clip, index * STAGGER_S))
                for one, (index, clip) in zip(seen, _cast(config), strict=True)
            ]
            timer = group.create_task(_watch(server, seen, config.seconds, stop))
            await timer
            for task in tasks:
                task.cancel()
    return await _summary(seen, server)


def _cast(config: DemoConfig) -> list[tuple[int, Path]]:
    return [(index, config.clips[index % len(config.clips)]) for index in range(config.participants)]


def _name(clip: Path, round_number: int) -> str:
    name = clip.stem.capitalize()
    return name if round_number == 0 else f"{name} {round_number + 1}"


async def _watch(server: RunningServer, seen: list[Seen], seconds: float | None, stop: asyncio.Event) -> None:
    """Note who has a live tile with video, until the time is over or `stop` is set."""
    room = server.directory.rooms()[0]
    loop = asyncio.get_running_loop()
    end = None if seconds is None else loop.time() + seconds
    while not stop.is_set() and (end is None or loop.time() < end):
        for entry in room.status(labels=False)["participants"]:
            for one in seen:
                if entry["name"] == one.name and entry["video"] is not None and entry["state"] == "live":
                    one.in_grid = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY_S)


async def _participant(links: Links, seen: Seen, clip: Path, after_s: float) -> None:
    await asyncio.sleep(after_s)
    process = ParticipantProcess(links.participant_url, seen.name, str(clip), seen.hear)
    try:
        await process.run()
    finally:
        seen.last_words = list(process.last_words)


async def _summary(seen: list[Seen], server: RunningServer) -> dict[str, Any]:
    """The last event: what happened, and whether every participant was seen and had a label.

    In aggregate mode it has the room's share in place of everybody's labels, like all that a host gets to see.
    """
    room = server.directory.rooms()[0]
    aggregate = room.record.mode is Mode.AGGREGATE
    return {
        "event": "summary",
        "ok": all(one.complete for one in seen),
        "grid_fps": round(room.renderer.fps, 1),
        "grid_frames": room.renderer.frames,
        "participants": [
            {
                "name": one.name,
                "in_grid": one.in_grid,
                **({} if aggregate else {"labels": dict(one.labels)}),
                "grid_fps": one.grid_fps,
                "frames_received": one.frames_received,
                **({} if one.complete else {"stderr": one.last_words}),
            }
            for one in seen
        ],
        **({"room": (await room.record.summary())["room"]} if aggregate else {}),
    }
