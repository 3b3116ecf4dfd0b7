"""Benchmarks in several processes: a child answers its parent's questions over a pipe until it is told to stop.

The host, the participants and the viewers of a benchmark each get a process, so that one interpreter's lock does not
distort another's figures. A child ends when its parent does, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import time
import traceback
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

READY_S = 60.0
"""For a child to start or to answer; a busy machine takes seconds to import OpenCV."""

STOP_S = 10.0

Question = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used by now: CPU seconds of all its threads, resident MiB, and when (monotonic s)."""

    cpu_s: float
    rss_mib: float
    at_s: float


async def usage() -> Usage:
    """This process's `Usage`."""
    return usage_now()


def usage_now() -> Usage:
    """As `usage`, for children without an event loop."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Usage(time.process_time(), pages * 4096 / 2**20, time.monotonic())


class ChildFailed(Exception):  # noqa: N818
    """A child raised or did not answer; the message holds its traceback."""


class Child:
    """A process that runs `target(pipe, *arguments)`; `target` is a module's function. Use as a context."""

    def __init__(self, name: str, target: Callable[..., None], *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.name = name
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_run, name=name, args=(theirs, target, *arguments), daemon=True)
        self._process.start()
        theirs.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._pipe.send(("stop",))
        self._process.join(STOP_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def ask(self, question: str, *arguments: Any, timeout_s: float = READY_S) -> Any:
        """The answer to `question`. Raises `ChildFailed`."""
        self.tell(question, *arguments)
        return self.answer(timeout_s=timeout_s)

    def tell(self, question: str, *arguments: Any) -> None:
        """Ask without waiting; fetch the answer with `answer`. Raises `ChildFailed`."""
        try:
            self._pipe.send((question, *arguments))
        except OSError as error:
            raise ChildFailed(f"{self.name} is gone") from error

    def answer(self, *, timeout_s: float = READY_S) -> Any:
        """The next answer, or what the child said when it was ready. Raises `ChildFailed`."""
        try:
            if not self._pipe.poll(timeout_s):
                raise ChildFailed(f"{self.name} gave no answer in {timeout_s:.0f} s")
            ok, answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise ChildFailed(f"{self.name} ended") from error
        if not ok:
            raise ChildFailed(f"{self.name} failed:\n{answer}")
        return answer


def _run(pipe: Connection, target: Callable[..., None], *arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent tells us to stop
    try:
        target(pipe, *arguments)
    except Exception:
        with contextlib.suppress(OSError):
            pipe.send((False, traceback.format_exc()))


def say(pipe: Connection, value: Any) -> None:
    """In a child: an answer for the parent."""
    with contextlib.suppress(OSError):
        pipe.send((True, value))


async def answer_questions(pipe: Connection, questions: dict[str, Question]) -> None:
    """In a child: answer until the parent says stop or is gone."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "pipe") as executor:  # not the loop's own: aiortc encodes in that
        while True:
            try:
                name, *arguments = await loop.run_in_executor(executor, pipe.recv)
            except (EOFError, OSError):
                return
            if name == "stop":
                return
            say(pipe, await questions[name](*arguments))
