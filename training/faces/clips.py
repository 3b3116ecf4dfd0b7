"""`edgeattend train clips`: the demo's clips with their truth, made by the generator that makes the training images.

Frames are kept in the folder until a clip is whole, so that a run that was killed goes on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import typer
from tqdm import tqdm

from training.errors import TrainingFailed
from training.faces.assets import check, manifest
from training.faces.film import FPS, HEIGHT, SCRIPTS, WIDTH, Script
from training.faces.label import LabelRule
from training.faces.render import check_blender
from training.faces.truth import RENDERER
from training.files import read_json, write_text, writing

QUALITY_CRF = 23


@dataclass(frozen=True)
class ClipsConfig:
    """`only`: names of clips, None for all."""

    assets: Path
    out: Path
    only: tuple[str, ...] | None = None
    jobs: int | None = None


def run(config: ClipsConfig) -> None:
    """Render what is missing, then encode. Raises `TrainingFailed`."""
    check_blender()
    check(config.assets, manifest())
    known = {script.name: script for script in SCRIPTS}
    names = config.only or tuple(known)
    if unknown := sorted(set(names) - set(known)):
        raise TrainingFailed(f"expected clips of {', '.join(known)}, got {', '.join(unknown)}")
    for name in (name for name in names if _clip_file(config.out, name).is_file()):
        typer.echo(f"{_clip_file(config.out, name)} is there already: delete it to film it again")
    names = tuple(name for name in names if not _clip_file(config.out, name).is_file())
    tasks = [(name, frame) for name in names for frame in range(known[name].frames)]
    wanted = [task for task in tasks if not _frame_file(config.out, *task).is_file()]
    try:
        with _studios(config) as pool, tqdm(total=len(wanted), desc="clips", unit="frame", disable=None) as progress:
            frames = [(*task, _frame_file(config.out, *task)) for task in wanted]
            for done in as_completed([pool.submit(_render, config.assets, *frame) for frame in frames]):
                done.result()
                progress.update()
    except BrokenProcessPool as error:
        raise TrainingFailed("expected Blender to render every frame, got a process that died: run it again") from error
    for name in names:
        path = encode(config.out, known[name])
        typer.echo(f"{path}: {known[name].frames} frames, {path.stat().st_size / 1e6:.2f} MB")


@contextmanager
def _studios(config: ClipsConfig) -> Iterator[ProcessPoolExecutor]:
    jobs = config.jobs or os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _begin() -> None:
    """In each process: Blender's progress goes nowhere, Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)


def _render(assets: Path, name: str, frame: int, path: Path) -> None:
    """In a worker. Only there is Blender imported: its module path, handed down to a child, would hide `bpy` there."""
    from training.faces.filming import write_frame  # noqa: PLC0415

    write_frame(assets, name, frame, path)


def encode(out: Path, script: Script) -> Path:
    """Frames -> `NAME.json` and `NAME.mp4` (H.264), which says that the clip is done; takes the frames away.

    Raises `TrainingFailed`.
    """
    files = [_frame_file(out, script.name, frame) for frame in range(script.frames)]
    path = _clip_file(out, script.name)
    truths = [read_json(file.with_suffix(".json"), what="a frame's truth", advice="render again") for file in files]
    write_text(path.with_suffix(".json"), truth_text(path.name, truths))
    with writing(path) as aside, av.open(str(aside), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": str(QUALITY_CRF), "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, file in enumerate(files):
            frame = av.VideoFrame.from_ndarray(np.asarray(cv2.imread(str(file)), np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    for file in files:
        file.unlink()
        file.with_suffix(".json").unlink()
    return path


def truth_text(clip: str, truths: list[dict[str, Any]]) -> str:
    """The truth of a clip as JSON, each frame a line: as easy to read as a table, a quarter smaller than indented."""
    head = {
        "clip": clip, "fps": FPS, "renderer": RENDERER, "rule": asdict(LabelRule()),
        "angles": "degrees; yaw > 0 to the picture's right, pitch > 0 up",
    }  # fmt: skip
    lines = ",\n".join("  " + json.dumps(truth, separators=(",", ":"), allow_nan=False) for truth in truths)
    return json.dumps(head, indent=1).removesuffix("\n}") + f',\n "frames": [\n{lines}\n ]\n}}\n'


def _clip_file(out: Path, name: str) -> Path:
    return out / f"{name}.mp4"


def _frame_file(out: Path, name: str, frame: int) -> Path:
    return out / ".frames" / f"{name}-{frame:04d}.png"
