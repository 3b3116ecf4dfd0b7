"""Seed -> what a person does: head, gaze, lids and mouth. Images come in groups of four and in twins.

The four images of a group share a person. The two of a twin share, most often, the head's pose, the camera and the
light as well, so that what differs between them is the eyes, the gaze or the mouth: what a network must look at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from training.faces.truth import Mode

GROUP = 4
"""Images per person."""

TWINS = (
    (Mode.ATTENTIVE, Mode.GAZE_OFF, 0.33, True),
    (Mode.ATTENTIVE, Mode.CLOSED, 0.13, True),
    (Mode.ATTENTIVE, Mode.HALF, 0.09, True),
    (Mode.ATTENTIVE, Mode.YAWN, 0.08, True),
    (Mode.AWAY, Mode.DOWN, 0.12, False),
    (Mode.AWAY, Mode.ATTENTIVE, 0.07, False),
    (Mode.DOWN, Mode.ATTENTIVE, 0.05, False),
    (Mode.GAZE_OFF, Mode.CLOSED, 0.05, True),
    (Mode.ATTENTIVE, Mode.ATTENTIVE, 0.03, False),
    (Mode.AWAY, Mode.CLOSED, 0.03, False),
    (Mode.GAZE_OFF, Mode.HALF, 0.02, True),
)
"""First image, second image, share of the twins, whether they share a scene. A fifth of these is averted gaze."""

HARD_FROM = 1_000_000
"""Images from this number on show what the others show too rarely: profiles, heads thrown back, laughing people whose
eyes are narrow and open beside shut ones. A network that saw the others alone took real profiles for frontal faces and
real narrow eyes for shut ones."""

HARD_TWINS = (
    (Mode.ATTENTIVE, Mode.CLOSED, 0.35, True),
    (Mode.AWAY, Mode.AWAY, 0.35, False),
    (Mode.AWAY, Mode.ATTENTIVE, 0.25, False),
    (Mode.ATTENTIVE, Mode.GAZE_OFF, 0.05, True),
)

MAX_EYE_YAW, MIN_EYE_PITCH, MAX_EYE_PITCH = 42.0, -35.0, 25.0
"""How far eyes turn in the head, degrees."""

LIDS_FOLLOW = 0.45
"""Share of its height by which an eye closes when it looks down by 35 degrees."""


@dataclass(frozen=True)
class Pose:
    """Where the head points, degrees from the camera's axis."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Face:
    """What eyes and mouth do. `gaze_*`: degrees from the camera's axis; `lid_*`: openness, 1 is this person's open
    eye; the others are weights of MakeHuman's expression targets."""

    gaze_yaw: float
    gaze_pitch: float
    lid_left: float
    lid_right: float
    squint: float = 0.0
    jaw: float = 0.0
    smile: float = 0.0
    press: float = 0.0
    brow_up: float = 0.0
    brow_inner: float = 0.0
    brow_down: float = 0.0


@dataclass(frozen=True)
class Plan:
    """What image `id` shows. `scene`: seed of camera, light and backdrop, which twins share."""

    id: int
    person: int
    scene: tuple[int, int, int]
    mode: Mode
    pose: Pose
    face: Face


def plan(number: int) -> Plan:
    """Of the image with this number; depends on it alone."""
    group, place = divmod(number, GROUP)
    pair, second = divmod(place, 2)
    hard = number >= HARD_FROM
    twins = HARD_TWINS if hard else TWINS
    shares = np.array([twin[2] for twin in twins])
    chosen = np.random.default_rng([group, pair, 1]).choice(len(twins), p=shares / shares.sum())
    first, other, _, shared = twins[chosen]
    mode = other if second else first
    scene = (group, pair, 0 if shared else second)
    pose = sample_pose(np.random.default_rng([*scene, 2]), Mode.ATTENTIVE if shared else mode, hard=hard)
    face = sample_face(np.random.default_rng([number, 3]), mode, pose, hard=hard)
    return Plan(number, group, scene, mode, pose, face)


def sample_pose(random: Generator, mode: Mode, *, hard: bool = False) -> Pose:
    """Turned to the screen, within the label rule's limits, unless the mode is another."""
    yaw, pitch = float(np.clip(random.normal(0, 12), -24, 24)), float(np.clip(random.normal(-1, 8), -19, 19))
    if mode is Mode.AWAY and hard:
        if random.random() < 0.2:
            yaw, pitch = random.normal(0, 14), random.uniform(24, 50)
        else:
            yaw, pitch = float(random.choice([-1, 1]) * random.uniform(38, 95)), random.normal(0, 9)
    elif mode is Mode.AWAY:
        if random.random() < 0.28:  # up: the ceiling, somebody who stands
            yaw, pitch = random.normal(0, 14), random.uniform(24, 42)
        else:
            side = random.choice([-1, 1])
            yaw = float(side * (random.uniform(29, 50) if random.random() < 0.6 else random.uniform(50, 78)))
            pitch = random.normal(0, 9)
    elif mode is Mode.DOWN:
        yaw, pitch = random.normal(0, 14), -random.uniform(25, 48)
    return Pose(yaw, pitch, random.normal(0, 6))


def sample_face(random: Generator, mode: Mode, pose: Pose, *, hard: bool = False) -> Face:
    """Eyes and mouth for a head pose; `lid_*` are those of the picture, with what squinting and gaze do to them."""
    gaze_yaw, gaze_pitch = _gaze(random, mode, pose)
    squint, jaw, smile, brow_up, lid = 0.0, 0.0, 0.0, 0.0, random.uniform(0.78, 1.1)
    expression = random.random() * (0.26 if hard else 1.0)
    if expression < 0.13:  # laughing: narrow eyes that are open
        smile, squint, lid = random.uniform(0.6, 1.3), random.uniform(0.3, 0.8), random.uniform(0.7, 0.95)
        jaw = random.uniform(0.0, 0.5)
    elif hard:  # narrow eyes, as many have
        lid, squint = random.uniform(0.6, 0.8), random.uniform(0.0, 0.5)
    elif expression < 0.20:  # surprised
        lid, jaw, brow_up = random.uniform(1.1, 1.45), random.uniform(0.1, 0.5), random.uniform(0.5, 1.1)
    else:
        squint = min(abs(random.normal(0, 0.35)), 0.8) if random.random() < 0.25 else 0.0
        jaw = random.uniform(0.05, 0.45) if random.random() < 0.25 else 0.0  # speaking
        smile = abs(random.normal(0, 0.6)) if random.random() < 0.35 else 0.0
        brow_up = abs(random.normal(0, 0.4)) if random.random() < 0.5 else 0.0
    if mode in {Mode.CLOSED, Mode.HALF, Mode.YAWN}:
        lid, smile = _narrow(random, mode), 0.0 if mode is Mode.YAWN else min(smile, 0.6)
        jaw = random.uniform(0.6, 1.0) if mode is Mode.YAWN else jaw * 0.5
    else:
        down = float(np.clip((pose.pitch - gaze_pitch) / 35, -0.25, 1)) * LIDS_FOLLOW
        lid = max(lid * (1 - down) * (1 - 0.4 * squint), 0.5)
    uneven = random.uniform(-0.06, 0.06)
    left, right = lid * (1 + uneven), lid * (1 - uneven)
    if mode is Mode.ATTENTIVE and random.random() < 0.015:  # a wink
        left, right = (0.0, right) if uneven > 0 else (left, 0.0)
    return Face(
        gaze_yaw, gaze_pitch, left, right, squint, jaw, smile,
        press=abs(random.normal(0, 0.4)) if random.random() < 0.15 else 0.0,
        brow_up=brow_up,
        brow_inner=abs(random.normal(0, 0.5)) if random.random() < 0.2 else 0.0,
        brow_down=random.uniform(0, 0.4) if random.random() < 0.15 else 0.0,
    )  # fmt: skip


def _gaze(random: Generator, mode: Mode, pose: Pose) -> tuple[float, float]:
    """Yaw and pitch, as far as the eyes can turn in the head."""
    yaw = float(np.clip(random.normal(0, 8), -20, 20))
    pitch = float(np.clip(random.normal(-6, 7), -20, 13))
    if mode is Mode.AWAY:
        yaw, pitch = pose.yaw + random.normal(0, 12), pose.pitch + random.normal(-4, 8)
    elif mode is Mode.DOWN:
        yaw, pitch = pose.yaw + random.normal(0, 6), pose.pitch - random.uniform(3, 22)
    elif mode is Mode.GAZE_OFF:
        yaw, pitch = _averted(random, pose)
    elif mode is Mode.CLOSED and random.random() < 0.5:
        yaw, pitch = pose.yaw + random.normal(0, 5), pose.pitch - random.uniform(0, 20)
    return (
        pose.yaw + float(np.clip(yaw - pose.yaw, -MAX_EYE_YAW, MAX_EYE_YAW)),
        pose.pitch + float(np.clip(pitch - pose.pitch, MIN_EYE_PITCH, MAX_EYE_PITCH)),
    )


def _averted(random: Generator, pose: Pose) -> tuple[float, float]:
    """To a side, more rarely down or up, while the head stays."""
    where = random.random()
    if where < 0.64:
        side = np.sign(pose.yaw) if random.random() < 0.65 and pose.yaw else random.choice([-1, 1])
        reach = max(26.0, min(46.0, MAX_EYE_YAW + side * pose.yaw))
        return float(side * random.uniform(26, max(reach, 30))), random.normal(-3, 7)
    if where < 0.88:
        return random.normal(0, 9), -random.uniform(26, 38)
    return random.normal(0, 9), random.uniform(19, 30)


def _narrow(random: Generator, mode: Mode) -> float:
    """Lid openness of shut, drowsy and yawning eyes."""
    if mode is Mode.CLOSED:
        return float(random.choice([0.0, random.uniform(0, 0.1)]))
    return random.uniform(0.12, 0.36) if mode is Mode.HALF else random.uniform(0.0, 0.36)
