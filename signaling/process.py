"""A participant of our own making: one `edgeattend join` process, listened to and ended in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

STOP_S = 5.0
"""For the process to leave the meeting by itself before it is killed."""

STDERR_LINES = 20

LINK_VARIABLE = "EDGEATTEND_LINK"
"""Where `edgeattend join` takes its link from: everybody on a machine sees command lines, and the link has a token."""


class ParticipantProcess:
    """Runs until it ends by itself or `run` is cancelled; `on_event` hears each of its JSON events."""

    def __init__(self, url: str, name: str, source: str, on_event: Callable[[dict[str, Any]], None]) -> None:
        self._command = (sys.executable, "-m", "edgeattend", "join", "--name", name, "--source", source, "--json")
        self._environment = os.environ | {LINK_VARIABLE: url}
        self._on_event = on_event
        self.last_words: deque[str] = deque(maxlen=STDERR_LINES)

    async def run(self) -> int:
        """Start, listen, and return the exit code."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            start_new_session=True,  # a Ctrl-C in the terminal is for us: we end it in order
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            await asyncio.gather(self._read_events(process.stdout), self._read_last_words(process.stderr))
            return await process.wait()
        finally:
            await _end(process)

    async def _read_events(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            with contextlib.suppress(ValueError):  # not an event: a library wrote to standard output
                self._on_event(json.loads(line))

    async def _read_last_words(self, stream: asyncio.StreamReader) -> None:
        async for line in stream:
            self.last_words.append(line.decode(errors="replace").rstrip())


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()
