"""The stage `render`: images and truth of people who do not exist, by several Blender processes side by side.

Image i depends on i alone. Those that are there already, with their line in `truth.jsonl`, are not rendered again:
a run that was killed goes on, a larger --count adds to it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import msgspec
import typer
from tqdm import tqdm

from training.errors import TrainingFailed
from training.faces.assets import check, manifest
from training.faces.behaviour import GROUP
from training.faces.sheets import write_sheets
from training.faces.truth import RENDERER, TRUTH_FILE, Truth, read_truth

SIZE = 192
"""Pixels: the classifier's 160 with room for the crop to move."""

ATTEMPTS = 2
"""At a group whose process died."""

SILENT_STARTS = 6
"""Processes one after the other that died without an image: Blender does not run here, and will not for the rest."""


@dataclass(frozen=True)
class RenderConfig:
    """`count` images from number `start` on, by `jobs` processes."""

    assets: Path
    out: Path
    count: int
    start: int = 0
    jobs: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """What a worker says of one image."""

    truth: Truth | None = None
    failed: int | None = None
    error: str = ""


def run(config: RenderConfig) -> None:
    """Render what is missing. Raises `TrainingFailed`."""
    check_blender()
    check(config.assets, manifest())
    config.out.mkdir(parents=True, exist_ok=True)
    done = _already_there(config.out)
    wanted = [number for number in range(config.start, config.start + config.count) if number not in done]
    if not wanted:
        typer.echo(f"`render` is done already: {config.count} images in {config.out}")
    else:
        failed = _render(config, wanted)
        typer.echo(f"{len(wanted) - len(failed)} images rendered, {config.count - len(wanted)} were there already")
        for number, error in failed[:5]:
            typer.echo(f"WARNING: image {number} could not be rendered: {error}", err=True)
        if len(failed) == len(wanted):
            raise TrainingFailed(f"expected images in {config.out}, got none: {failed[0][1]}")
    for path in write_sheets(config.out):
        typer.echo(f"look at {path}")


def check_blender() -> None:
    """Raise `TrainingFailed` where Blender is not installed."""
    if find_spec("bpy") is None:
        raise TrainingFailed(
            "expected Blender as a module, got no bpy: make the renderer's own environment with"
            " `. scripts/environment faces` (CPython 3.11; bpy and the training packages need different NumPy)"
        )


def _already_there(out: Path) -> set[int]:
    """Numbers whose image and truth both lie in `out`; a torn last line is cut off. Raises `TrainingFailed`."""
    path = out / TRUTH_FILE
    if not path.exists():
        return set()
    data = path.read_bytes()
    if not data.endswith(b"\n"):
        os.truncate(path, data.rfind(b"\n") + 1)
    truths = read_truth(out)
    if others := sorted({truth.renderer for truth in truths} - {RENDERER}):
        raise TrainingFailed(
            f"expected images of the renderer's version {RENDERER} in {out}, got ones of version"
            f" {', '.join(map(str, others))}: they do not belong in one folder; take another --out"
        )
    return {truth.id for truth in truths if (out / truth.file).is_file()}


def _render(config: RenderConfig, wanted: list[int]) -> list[tuple[int, str]]:
    """Share the groups out, write down each image's truth as it comes; the images that failed, and why."""
    groups: dict[int, list[int]] = {}
    for number in wanted:
        groups.setdefault(number // GROUP, []).append(number)
    tasks: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
    for group in groups.values():
        tasks.put(group)
    jobs = min(config.jobs or os.cpu_count() or 1, len(groups))
    answers: queue.Queue[Answer | BaseException | None] = queue.Queue(maxsize=4 * jobs)
    crew = [_Crew(config, tasks, answers) for _ in range(jobs)]
    failed: list[tuple[int, str]] = []
    try:
        with (
            (config.out / TRUTH_FILE).open("ab") as lines,
            tqdm(total=len(wanted), desc="render", unit="image", disable=None) as progress,
        ):
            for member in crew:
                member.start()
            for answer in _until_all_end(answers, jobs):
                if answer.truth is not None:
                    lines.write(msgspec.json.encode(answer.truth) + b"\n")
                    lines.flush()
                elif answer.failed is not None:
                    failed.append((answer.failed, answer.error))
                progress.update()
    finally:
        for member in crew:
            member.stop()
    return failed


def worker_command(config: RenderConfig) -> list[str]:
    """What a worker process is started with."""
    return [sys.executable, "-m", "training.faces.worker", str(config.assets), str(config.out), str(SIZE)]


def _until_all_end(answers: queue.Queue[Answer | BaseException | None], jobs: int) -> Iterator[Answer]:
    while jobs:
        answer = answers.get()
        if answer is None:
            jobs -= 1
        elif isinstance(answer, BaseException):
            raise answer
        else:
            yield answer


class _Crew(threading.Thread):
    """One worker process and the thread that feeds it; a new process where one dies."""

    def __init__(
        self,
        config: RenderConfig,
        tasks: queue.SimpleQueue[list[int]],
        answers: queue.Queue[Answer | BaseException | None],
    ) -> None:
        super().__init__(name="edgeattend-render", daemon=True)
        self._command = worker_command(config)
        self._tasks, self._answers = tasks, answers
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  what the process says before it dies
        self._silent = 0

    def run(self) -> None:
        """Take groups until there are none."""
        try:
            while not self._stopping.is_set():
                try:
                    group = self._tasks.get_nowait()
                except queue.Empty:
                    break
                self._render(group)
            self._say(None)
        except BaseException as error:  # the main thread says it
            self._say(error)

    def stop(self) -> None:
        """End the process; what it was rendering is rendered next time."""
        self._stopping.set()
        if self._process is not None:
            self._process.kill()
        with suppress(queue.Empty):
            while True:
                self._answers.get_nowait()
        if self.is_alive():
            self.join(timeout=10)
        self._end_process()
        self._complaints.close()

    def _render(self, group: list[int]) -> None:
        left = list(group)
        for _ in range(ATTEMPTS):
            while left and not self._stopping.is_set():
                answer = self._ask(left[0])
                if answer is None:
                    break
                self._say(answer)
                left.pop(0)
        if not self._stopping.is_set():
            for number in left:
                self._say(Answer(failed=number, error=f"Blender's process died{self._last_words()}"))

    def _ask(self, number: int) -> Answer | None:
        """A worker's answer, None when it died."""
        process = self._process or self._start_process()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(f"{number}\n".encode())
            process.stdin.flush()
            line = process.stdout.readline()
        except OSError:
            line = b""
        if not line:
            self._end_process()
            self._silent += 1
            if self._silent >= SILENT_STARTS:
                raise TrainingFailed(
                    f"expected Blender's processes to render, got {self._silent} that died one after the other without"
                    f" an image{self._last_words()}"
                )
            return None
        self._silent = 0
        return msgspec.json.decode(line, type=Answer)

    def _last_words(self) -> str:
        """The last line of what the process that died has said, if it has."""
        self._complaints.seek(0)
        lines = self._complaints.read().decode(errors="replace").strip().splitlines()
        return f": {lines[-1].strip()[:200]}" if lines else ""

    def _start_process(self) -> subprocess.Popen[bytes]:
        self._complaints.seek(0)
        self._complaints.truncate()
        self._process = subprocess.Popen(  # noqa: S603
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._complaints,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        return self._process

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()
            process.wait()

    def _say(self, answer: Answer | BaseException | None) -> None:
        """Bounded: a slow disk slows the rendering, and nothing piles up."""
        while not self._stopping.is_set():
            try:
                self._answers.put(answer, timeout=0.5)
            except queue.Full:
                continue
            return
