"""Work in several processes: nothing is lost, also when a process dies."""

from __future__ import annotations

import os
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from typing import Any

import pytest

from training.errors import TrainingFailed
from training.pool import each


def square(number: int) -> int:
    if number == 13:
        os._exit(9)  # as a codec's crash does
    if number < 0:
        raise TrainingFailed("expected a positive number")
    return number * number


def minus(number: int) -> int:
    return -number


def test_every_task_gives_its_result_though_one_takes_its_process_down() -> None:
    found = sorted(each(square, range(10, 16), 2, minus))
    assert found == [-13, 100, 121, 144, 196, 225]


def test_a_task_that_finds_the_processes_dead_is_handed_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    submit = ProcessPoolExecutor.submit
    refused: list[Any] = []

    def dead_once(pool: ProcessPoolExecutor, work: Any, task: int) -> Future[Any]:
        if task == 3 and not refused:
            refused.append(task)
            raise BrokenProcessPool
        return submit(pool, work, task)

    monkeypatch.setattr(ProcessPoolExecutor, "submit", dead_once)
    assert sorted(each(square, [2, 3, 4], 1, minus)) == [4, 9, 16]


def test_what_the_work_raises_comes_out_and_the_rest_is_left() -> None:
    with pytest.raises(TrainingFailed, match="positive number"), closing(each(square, [-1, *range(200)], 1)) as results:
        list(results)


def test_no_tasks_start_no_process_and_give_nothing() -> None:
    assert list(each(square, [], 2)) == []
