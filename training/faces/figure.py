"""A person in a pose: expression targets, lids closed to a measured gap, the neck bent, the eyes turned.

NumPy alone. Coordinates as in `makehuman`; angles in degrees unless a name ends in `_rad`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.faces.behaviour import Face, Pose
from training.faces.kit import EYES, SIDES, Kit
from training.faces.makehuman import Points
from training.faces.person import Person
from training.faces.truth import OPEN_LID_GAP

Matrix = NDArray[np.float64]
"""(3, 3) rotation."""

Moved = tuple[float, float, float]
"""To the person's left, up and to the front, dm."""

NECK_SHARE = 0.35
"""Part of a turn that the shoulders follow."""


@dataclass(frozen=True)
class Figure:
    """`points`: (V, 3) with the expression, not yet posed; `posed` puts any point of the body where the pose does."""

    person: Person
    points: Points
    head: Matrix
    torso: Matrix
    pivot: NDArray[np.float64]
    bend_from: float
    bend_to: float
    axis: NDArray[np.float64]
    angle: float
    eye_left: NDArray[np.float64]
    eye_right: NDArray[np.float64]
    face_centre: NDArray[np.float64]
    size: float
    """Crown to chin."""
    moved: NDArray[np.float64]
    """Of the whole body, (3,) dm."""
    lid_left: float
    lid_right: float

    def posed(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, 3): the head's rotation fades out down the neck, so that the neck bends instead of breaking."""
        front = np.clip(points[:, 2] - 0.2, 0, 1)
        height = (points[:, 1] - (self.bend_from - 0.25 * front)) / (
            (self.bend_to - self.bend_from) * (1 - 0.35 * front) + 1e-6
        )
        share = np.clip(height, 0, 1)
        turn = self.angle * (share * share * (3 - 2 * share))[:, None]
        arm = points - self.pivot
        arm = (
            arm * np.cos(turn)
            + np.cross(self.axis, arm) * np.sin(turn)
            + self.axis * (arm @ self.axis)[:, None] * (1 - np.cos(turn))
        )
        return arm @ self.torso.T + self.pivot + self.moved  # type: ignore[no-any-return]

    def point(self, at: NDArray[np.floating]) -> NDArray[np.float64]:
        """(3,): one point, posed."""
        return self.posed(np.asarray(at, np.float64)[None])[0]  # type: ignore[no-any-return]


def make_figure(
    kit: Kit, person: Person, pose: Pose, face: Face, view: tuple[float, float], moved: Moved = (0.0, 0.0, 0.0)
) -> Figure:
    """`view`: azimuth and elevation of the camera round the person, degrees; the pose is relative to it."""
    points = person.points.copy()
    lids = _express(kit, person, face, points)
    joints = {name: kit.place(points, name).astype(np.float64) for name in kit.joints}
    azimuth, elevation = (math.radians(angle) for angle in view)
    yaw = math.radians(pose.yaw) + azimuth
    head = about("y", yaw) @ about("x", math.radians(-pose.pitch) - elevation) @ about("z", math.radians(pose.roll))
    torso = about("y", azimuth * 0.3 + NECK_SHARE * yaw)
    turn = rotation_vector(torso.T @ head)
    angle = float(np.linalg.norm(turn))
    eyes = joints["joint-l-eye"], joints["joint-r-eye"]
    return Figure(
        person=person,
        points=points,
        head=head,
        torso=torso,
        pivot=joints["joint-neck"] * 0.45 + joints["joint-head"] * 0.55,
        bend_from=float(joints["joint-neck"][1]) - 0.05,
        bend_to=float(joints["joint-jaw"][1]) + 0.15,
        axis=turn / (angle + 1e-9),
        angle=angle,
        eye_left=eyes[0],
        eye_right=eyes[1],
        face_centre=(eyes[0] + eyes[1]) / 2 * 0.62 + joints["joint-jaw"] * 0.38,
        size=float(np.linalg.norm(joints["joint-head-2"] - joints["joint-jaw"])),
        moved=np.array(moved, np.float64),
        lid_left=lids["left"],
        lid_right=lids["right"],
    )


def eyeballs(kit: Kit, figure: Figure, pose: Pose, face: Face) -> Points:
    """(N, 3): the vertices of the eyes, turned, not yet posed."""
    points = kit.proxies[EYES].fit(figure.points)
    turn = _eye_turn(pose, face)
    for side in (1, -1):
        mine = points[:, 0] * side > 0
        centre = (points[mine].min(0) + points[mine].max(0)) / 2
        points[mine] = (points[mine] - centre) @ turn.T + centre
    return points


def gaze_seen(pose: Pose, face: Face) -> tuple[float, float]:
    """Degrees of yaw and pitch in which the eyes look, as the camera sees it.

    What was drawn is how far the eyes are turned in the head; a head that is lowered or tilted carries them elsewhere.
    """
    head = about("y", math.radians(pose.yaw)) @ about("x", math.radians(-pose.pitch))
    x, y, z = head @ about("z", math.radians(pose.roll)) @ _eye_turn(pose, face) @ (0.0, 0.0, 1.0)
    return math.degrees(math.atan2(x, z)), math.degrees(math.asin(y))


def _eye_turn(pose: Pose, face: Face) -> Matrix:
    """In the head."""
    return about("y", math.radians(face.gaze_yaw - pose.yaw)) @ about("x", math.radians(pose.pitch - face.gaze_pitch))


def _express(kit: Kit, person: Person, face: Face, points: Points) -> dict[str, float]:
    """Move `points` in place; the lids' openness that came of it, 1 is `OPEN_LID_GAP`.

    The gap between the lids is measured and closed to what is wanted, person by person: set by guess, what is meant
    as closed stays open on some faces, and a network learns nothing about real eyes.
    """
    eye_distance = kit.eye_distance(points)
    lids: dict[str, float] = {}

    def unit(name: str, weight: float) -> None:
        kit.add(points, f"expression/units/{person.race}/{name}", weight)

    for side, wanted in zip(SIDES, (face.lid_left, face.lid_right), strict=True):
        unit(f"eye-{side}-slit", face.squint)
        surplus = kit.lid_gap(points, side) - person.lid_open * eye_distance * wanted
        name = "closure" if surplus > 0 else "opened-up"
        gain = kit.lid_gain(person.race, side, name)
        unit(f"eye-{side}-{name}", float(np.clip(surplus / gain, 0, 1.6)))
        unit(f"eyebrows-{side}-up", face.brow_up)
        unit(f"eyebrows-{side}-inner-up", face.brow_inner)
        unit(f"eyebrows-{side}-down", face.brow_down)
        lids[side] = max(0.0, kit.lid_gap(points, side) / eye_distance / OPEN_LID_GAP)
    unit("mouth-open", face.jaw)
    unit("mouth-corner-puller", face.smile)
    unit("mouth-compression", face.press)
    for side in "lr":  # a smile lifts the cheeks
        kit.add(points, f"cheek/{side}-cheek-volume-incr", 0.5 * face.smile)
        kit.add(points, f"cheek/{side}-cheek-trans-up", 0.25 * face.smile)
    return lids


def about(axis: str, angle_rad: float) -> Matrix:
    """Rotation about x, y or z."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    rows = {
        "x": [[1, 0, 0], [0, cos, -sin], [0, sin, cos]],
        "y": [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]],
        "z": [[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]],
    }[axis]
    return np.array(rows, np.float64)


def rotation_vector(rotation: Matrix) -> NDArray[np.float64]:
    """(3,): axis times angle in radians."""
    angle = math.acos(float(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    if angle < 1e-6:
        return np.zeros(3)
    skew = rotation - rotation.T
    return angle / (2 * math.sin(angle)) * np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
