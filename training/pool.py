"""Work on many clips in several processes: bounded, clean on Ctrl-C, and alive when a decoder takes a process down."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

import cv2

Task = TypeVar("Task")
Result = TypeVar("Result")

WAITING_PER_PROCESS = 4
"""Tasks handed out ahead: enough that no process waits, few enough that Ctrl-C ends within seconds."""

MOST_PROCESSES = 61
"""Windows cannot wait for more at a time."""


def each(
    work: Callable[[Task], Result],
    tasks: Iterable[Task],
    jobs: int | None = None,
    crashed: Callable[[Task], Result] | None = None,
) -> Generator[Result]:
    """The results of `work`, a module's function, in the order in which they get done.

    `jobs`: processes, by default one per usable core. A task that kills its process (a codec's crash, no memory)
    gives `crashed(task)`; without `crashed` that is an error. What `work` raises comes out here, and the rest is
    cancelled.
    """
    count = min(jobs or usable_cores(), MOST_PROCESSES)
    left = iter(tasks)
    while True:
        running: dict[Future[Result], Task] = {}
        try:
            with _processes(count) as pool:
                for task in left:
                    try:
                        running[pool.submit(work, task)] = task
                    except BrokenProcessPool:  # since the last result; this task was not handed out
                        left = chain([task], left)
                        raise
                    if len(running) >= count * WAITING_PER_PROCESS:
                        yield from _done(running)
                while running:
                    yield from _done(running)
        except BrokenProcessPool:
            if crashed is None:
                raise
        else:
            return
        for suspect in running.values():  # one of them did it
            yield _alone(work, suspect, crashed)


def usable_cores() -> int:
    """Fewer than the machine has where a batch system or taskset gives this process a share."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _done(running: dict[Future[Result], Task]) -> Iterator[Result]:
    finished, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        result = future.result()
        del running[future]
        yield result


def _alone(work: Callable[[Task], Result], task: Task, crashed: Callable[[Task], Result]) -> Result:
    try:
        with _processes(1) as pool:
            return pool.submit(work, task).result()
    except BrokenProcessPool:
        return crashed(task)


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    # Fresh interpreters: a fork of a process with threads (OpenCV, torch, tqdm) may hang.
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), _start)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent alone decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)  # the processes are the parallelism


def _end_with_parent() -> None:
    # A parent that is killed cannot say so, and a worker would wait for its next task for ever.
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
