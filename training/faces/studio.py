"""Renders one image after another in one process: everything loaded stays, only the person and the scene change."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.errors import TrainingFailed
from training.faces.atlas import make_atlas
from training.faces.behaviour import Plan, plan
from training.faces.blender import make_world, render_to
from training.faces.camera import Picture, meter, photograph
from training.faces.figure import gaze_seen
from training.faces.kit import load_kit
from training.faces.person import Person, make_person
from training.faces.scene import Seen, build, shown_glasses
from training.faces.setting import Setting, make_setting
from training.faces.skin import Albedo, paint
from training.faces.truth import RENDERER, Truth
from training.files import write_bytes
from training.images import to_jpeg

JPEG_QUALITY = 92


@dataclass(frozen=True)
class Model:
    """A person with the painted skin."""

    person: Person
    albedo: Albedo


class Studio:
    """Pictures of `width` x `height` pixels made of the assets under `assets`."""

    def __init__(self, assets: Path, width: int, height: int) -> None:
        self.kit = load_kit(assets)
        self.atlas = make_atlas(self.kit)
        self.world = make_world(width, height)
        self._model: Model | None = None

    def model(self, seed: int) -> Model:
        """The person of a seed; the last one is kept, since images come in groups."""
        if self._model is None or self._model.person.seed != seed:
            person = make_person(self.kit, seed)
            self._model = Model(person, paint(person.skin, self.atlas, np.random.default_rng([seed, 5])))
        return self._model

    def render(self, number: int, folder: Path) -> Truth:
        """Write the image of a number, and say what it shows. Raises `TrainingFailed`."""
        shown = plan(number)
        model = self.model(shown.person)
        setting = make_setting(np.random.default_rng([*shown.scene, 4]), shown.mode)
        seen = build(self.kit, self.world, model.person, model.albedo, shown, setting)
        rendered = self.picture()
        metered = meter(rendered, seen.head_box)
        picture = photograph(
            rendered, np.random.default_rng([number, 6]), metered, setting.light, model.person.skin.darkness
        )
        truth = describe(shown, model.person, setting, seen)
        write_bytes(folder / truth.file, to_jpeg(picture, JPEG_QUALITY))
        return truth

    def picture(self) -> Picture:
        """The scene as it stands, rendered."""
        with tempfile.TemporaryDirectory(prefix="edgeattend-render-") as folder:
            path = Path(folder) / "rendered.png"
            render_to(path)
            bgr = cv2.imread(os.fspath(path))
        if bgr is None:
            raise TrainingFailed("expected a picture from Blender, got none")
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def describe(shown: Plan, person: Person, setting: Setting, seen: Seen) -> Truth:
    """The line of truth for an image."""
    pose, face = shown.pose, shown.face
    gaze_yaw, gaze_pitch = gaze_seen(pose, face)
    return Truth(
        id=shown.id,
        file=f"images/{shown.id:07d}.jpg",
        person=shown.person,
        scene="-".join(map(str, shown.scene)),
        mode=shown.mode,
        yaw=round(pose.yaw, 3),
        pitch=round(pose.pitch, 3),
        roll=round(pose.roll, 3),
        gaze_yaw=round(gaze_yaw, 3),
        gaze_pitch=round(gaze_pitch, 3),
        lid_left=round(seen.lid_left, 4),
        lid_right=round(seen.lid_right, 4),
        mouth_open=round(face.jaw, 3),
        smile=round(face.smile, 3),
        eyes_visible=seen.eyes_visible,
        head_box=seen.head_box,
        eyes_xy=seen.eyes_xy,
        skin_tone=person.skin.tone,
        sex=person.sex,
        age=round(person.age, 3),
        hair=person.cover or person.hair or "bald",
        beard=person.skin.beard,
        glasses=shown_glasses(person),
        occluder=setting.occluder or "none",
        light=setting.light,
        backdrop=setting.backdrop,
        renderer=RENDERER,
    )
