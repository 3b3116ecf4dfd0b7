"""`edgeattend train clips`: the demo's clips with their truth, made by the generator that makes the training images.

Frames are kept in the folder until a clip is whole, so that a run that was killed goes on.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import typer
from tqdm import tqdm

from training.errors import TrainingFailed
from training.faces.assets import check, manifest
from training.faces.behaviour import Plan, Pose
from training.faces.camera import Picture, meter, photograph
from training.faces.film import FPS, SCRIPTS, Script, Shot, frame_truth, shot
from training.faces.label import LabelRule
from training.faces.render import check_blender
from training.faces.scene import Seen, Take, build
from training.faces.setting import Setting, make_setting
from training.faces.studio import RENDERER, Studio, describe
from training.faces.truth import Light, Mode
from training.files import read_json, write_json, writing

WIDTH, HEIGHT = 640, 480
HEAD_SHARE = 0.95
"""Half of the picture's height at the face, in heads: somebody at a desk."""

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
    tasks = [(name, frame) for name in names for frame in range(known[name].frames)]
    wanted = [task for task in tasks if not _frame_file(config.out, *task).is_file()]
    try:
        with _studios(config) as pool, tqdm(total=len(wanted), desc="clips", unit="frame", disable=None) as progress:
            for done in as_completed([pool.submit(_render, config.assets, config.out, *task) for task in wanted]):
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


@cache
def _studio(assets: Path) -> Studio:
    return Studio(assets, WIDTH, HEIGHT)


def _render(assets: Path, out: Path, name: str, frame: int) -> None:
    """Write one frame with its truth."""
    script = next(script for script in SCRIPTS if script.name == name)
    picture, seen, shown = film(_studio(assets), script, frame)
    truth = describe(shown[0], _studio(assets).model(script.person).person, shown[1], seen)
    path = _frame_file(out, name, frame)
    write_json(path.with_suffix(".json"), frame_truth(truth, frame))
    with writing(path) as aside:
        cv2.imwrite(str(aside), picture[..., ::-1])


def film(studio: Studio, script: Script, frame: int) -> tuple[Picture, Seen, tuple[Plan, Setting]]:
    """A frame as the person's webcam shows it."""
    setting, metered = _set_up(studio, script)
    now = shot(script, frame)
    plan = _plan(script, now)
    model = studio.model(script.person)
    seen = build(studio.kit, studio.world, model.person, model.albedo, plan, setting, _take(script, now))
    picture = photograph(
        studio.picture(), np.random.default_rng([script.scene, 6]), metered, Light.ROOM, model.person.skin.darkness
    )
    return picture, seen, (plan, setting)


@cache
def _set_up(studio: Studio, script: Script) -> tuple[Setting, float]:
    """Room, light and exposure of a clip; a webcam that follows every movement with its exposure would flicker."""
    setting = clip_setting(script)
    first, model = shot(script, 0), studio.model(script.person)
    seen = build(
        studio.kit, studio.world, model.person, model.albedo, _plan(script, first), setting, _take(script, first)
    )
    return setting, meter(studio.picture(), seen.head_box)


def clip_setting(script: Script) -> Setting:
    """A lit room, seen from above the screen."""
    for attempt in range(100):
        setting = make_setting(np.random.default_rng([script.scene, attempt, 4]), Mode.ATTENTIVE)
        if setting.light is Light.ROOM and setting.lamps and setting.occluder is None and setting.backdrop != "window":
            break
    return Setting(**(vars(setting) | {"half": HEAD_SHARE, "view": (0.0, 3.0), "tilt": 0.0, "shift": (0.0, -0.1)}))


def encode(out: Path, script: Script) -> Path:
    """Frames -> `NAME.mp4` (H.264) and `NAME.json`; takes the frames away. Raises `TrainingFailed`."""
    files = [_frame_file(out, script.name, frame) for frame in range(script.frames)]
    path = out / f"{script.name}.mp4"
    with writing(path) as aside, av.open(str(aside), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": str(QUALITY_CRF), "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, file in enumerate(files):
            frame = av.VideoFrame.from_ndarray(np.asarray(cv2.imread(str(file)), np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    truths = [read_json(file.with_suffix(".json"), what="a frame's truth", advice="render again") for file in files]
    write_json(
        out / f"{script.name}.json",
        {
            "clip": path.name, "fps": FPS, "renderer": RENDERER, "rule": asdict(LabelRule()),
            "angles": "degrees; yaw > 0 to the picture's right, pitch > 0 up", "frames": truths,
        },
    )  # fmt: skip
    for file in files:
        file.unlink()
        file.with_suffix(".json").unlink()
    return path


def _take(script: Script, now: Shot) -> Take:
    first = script.moments[0]
    return Take(now.moved, Pose(first.yaw, first.pitch, first.roll), WIDTH / HEIGHT)


def _plan(script: Script, now: Shot) -> Plan:
    return Plan(0, script.person, (script.scene, 0, 0), Mode.ATTENTIVE, now.pose, now.face)


def _frame_file(out: Path, name: str, frame: int) -> Path:
    return out / ".frames" / f"{name}-{frame:04d}.png"
