"""A participant's process: listened to, and ended in order."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from signaling import process as module
from signaling.process import STDERR_LINES, ParticipantProcess
from tests.fake_peer import until


def participant(script: str, events: list[dict[str, Any]]) -> ParticipantProcess:
    """A process of Python that runs `script` in place of `edgeattend join`."""
    process = ParticipantProcess("http://host/r/main?token=t", "Ana", "test", events.append)
    process._command = (sys.executable, "-u", "-c", script)  # type: ignore[assignment]
    return process


def test_the_command_is_the_one_a_person_would_type_but_for_the_link_which_others_must_not_see() -> None:
    process = ParticipantProcess("http://host/r/main?token=t", "Ana", "camera:0", lambda _: None)
    assert process._command[1:] == ("-m", "edgeattend", "join", "--name", "Ana", "--source", "camera:0", "--json")


async def test_the_link_is_in_the_environment() -> None:
    events: list[dict[str, Any]] = []
    script = """import json, os; print(json.dumps({"link": os.environ["EDGEATTEND_LINK"]}))"""
    assert await participant(script, events).run() == 0
    assert events == [{"link": "http://host/r/main?token=t"}]


async def test_events_are_heard_and_other_output_is_not() -> None:
    events: list[dict[str, Any]] = []
    process = participant("""print('{"event":"connected"}'); print('a library says hello'); print()""", events)
    assert await process.run() == 0
    assert events == [{"event": "connected"}]


async def test_the_last_words_are_kept() -> None:
    process = participant("import sys; [print(f'line {n}', file=sys.stderr) for n in range(100)]; sys.exit(3)", [])
    assert await process.run() == 3
    assert list(process.last_words) == [f"line {number}" for number in range(100 - STDERR_LINES, 100)]


async def test_a_cancelled_process_is_asked_to_leave() -> None:
    script = """
import signal, time
def leave(*_):
    print('{"event":"left"}')
    raise SystemExit(0)
signal.signal(signal.SIGTERM, leave)
print('{"event":"ready"}')
while True: time.sleep(1)
"""
    events: list[dict[str, Any]] = []
    task = asyncio.create_task(participant(script, events).run())
    await until(lambda: events)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_process_that_does_not_leave_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STOP_S", 0.2)
    script = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print('{"event":"ready"}')
while True: time.sleep(1)
"""
    events: list[dict[str, Any]] = []
    task = asyncio.create_task(participant(script, events).run())
    await until(lambda: events)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
