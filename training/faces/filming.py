"""A frame of a demo clip as the person's webcam shows it; needs Blender, so only worker processes import this."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np

from training.faces.behaviour import Plan, Pose
from training.faces.camera import Picture, meter, photograph
from training.faces.film import HEIGHT, SCRIPTS, WIDTH, Script, Shot, frame_truth, shot
from training.faces.scene import Seen, Take, build
from training.faces.setting import Setting, make_setting
from training.faces.studio import Studio, describe
from training.faces.truth import Light, Mode
from training.files import write_json, writing

HEAD_SHARE = 0.95
"""Half of the picture's height at the face, in heads: somebody at a desk."""


def write_frame(assets: Path, name: str, frame: int, path: Path) -> None:
    """A frame of the clip `name` as PNG, with its truth beside it. Raises `TrainingFailed`."""
    script = next(script for script in SCRIPTS if script.name == name)
    picture, seen, shown = film(_studio(assets), script, frame)
    truth = describe(shown[0], _studio(assets).model(script.person).person, shown[1], seen)
    write_json(path.with_suffix(".json"), frame_truth(truth, frame))
    with writing(path) as aside:
        cv2.imwrite(str(aside), picture[..., ::-1])


@cache
def _studio(assets: Path) -> Studio:
    return Studio(assets, WIDTH, HEIGHT)


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


def _take(script: Script, now: Shot) -> Take:
    first = script.moments[0]
    return Take(now.moved, Pose(first.yaw, first.pitch, first.roll), WIDTH / HEIGHT)


def _plan(script: Script, now: Shot) -> Plan:
    return Plan(0, script.person, (script.scene, 0, 0), Mode.ATTENTIVE, now.pose, now.face)
