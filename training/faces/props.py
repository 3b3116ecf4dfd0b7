"""Things on and before a face: glasses, headphones, scarf and cap, a phone, a cup, a hand."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from training.faces.blender import add_mesh, to_blender
from training.faces.figure import Figure
from training.faces.kit import Kit
from training.faces.makehuman import Points
from training.faces.materials import lens_material, plain_material
from training.faces.person import Rgb, Spectacles

OURS_TO_BLENDER = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
Place = NDArray[np.float64]
BAND_SEGMENTS, BAND_THICKNESS = 40, 0.06


def at(x: float, y: float, z: float) -> Place:
    """(3,): a place or an offset."""
    return np.array([x, y, z], np.float64)


def add_glasses(figure: Figure, worn: Spectacles) -> None:
    """Two rims with lenses, a bridge and two temples."""
    frame, lens = plain_material(worn.rgb, 0.3, 0.2), lens_material(worn.tint, worn.ior)
    left, right = figure.eye_left, figure.eye_right
    eye_distance = float(np.linalg.norm(left - right))
    radius = eye_distance * worn.radius
    for eye in (left, right):
        centre = figure.point(eye + np.array([np.sign(eye[0]) * eye_distance * 0.04, -0.06, 0.33]))
        matrix = _placed(centre, figure.head @ np.diag([1.08, worn.squash, 1]))
        if not worn.half_rim:
            bpy.ops.mesh.primitive_torus_add(
                major_radius=radius, minor_radius=worn.wire, major_segments=32, minor_segments=6
            )
            _finish(frame, matrix)
        bpy.ops.mesh.primitive_circle_add(vertices=32, radius=radius, fill_type="NGON")
        _finish(lens, matrix)
    thick = max(0.014, worn.wire)
    height = 0.03 if worn.half_rim else 0.0
    _bar(figure, left + at(-radius * 1.05, height, 0.33), right + at(radius * 1.05, height, 0.33), thick, frame)
    for eye, side in ((left, 1), (right, -1)):
        hinge = eye + at(side * radius * 1.05, 0, 0.33)
        _bar(figure, hinge, hinge + at(side * 0.12, 0.02, -1.08), thick, frame)


def add_headphones(kit: Kit, figure: Figure, rgb: Rgb) -> None:
    """A band over the head and a cup on each ear."""
    material = plain_material(tuple(value * 0.3 for value in rgb), 0.45)  # type: ignore[arg-type]
    crown = kit.place(figure.points, "joint-head-2").astype(np.float64)
    ear_y = float(figure.eye_left[1]) - 0.12
    radius, height = 0.86, float(crown[1]) + 0.1 - ear_y
    centre = np.array([0.0, ear_y, 0.12])
    along, around = np.meshgrid(np.linspace(0, np.pi, BAND_SEGMENTS), np.linspace(0, 2 * np.pi, 8, endpoint=False))
    thick = 1 + BAND_THICKNESS * np.cos(around)
    band = np.stack(
        [radius * np.cos(along) * thick, height * np.sin(along) * thick, 1.6 * BAND_THICKNESS * np.sin(around)], -1
    ).transpose(1, 0, 2)
    corners = [
        [row * 8 + one, row * 8 + (one + 1) % 8, (row + 1) * 8 + (one + 1) % 8, (row + 1) * 8 + one]
        for row in range(BAND_SEGMENTS - 1)
        for one in range(8)
    ]
    placed = band.reshape(-1, 3) @ figure.head.T + figure.point(centre)
    add_mesh("band", placed, corners, material)
    for side in (1, -1):
        bpy.ops.mesh.primitive_cylinder_add(vertices=24, radius=0.3, depth=0.24)
        turned = figure.head @ np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])
        _finish(material, _placed(figure.point(centre + at(side * (radius - 0.02), 0, 0)), turned))


def add_cover(kit: Kit, figure: Figure, kind: str, rgb: Rgb, posed: Points) -> None:
    """A scarf over hair, ears and neck, or a cap over the hair: the skin of there, puffed up."""
    rest = kit.base.points
    y, z = rest[:, 1], rest[:, 2]
    hairline = np.interp(z, (-1.0, 0.1, 0.5, 0.9, 1.2, 1.5), (6.2, 6.5, 7.2, 7.75, 7.93, 8.0))
    if kind == "cap":
        inside = y > np.interp(z, (-1, 1.5), (7.2, 7.85))
    else:
        around = (np.abs(rest[:, 0]) > 0.72) | (y < 6.05) | (z < 0.45)
        inside = (y > 5.6) & (np.abs(rest[:, 0]) < 1.2) & ((y > hairline) | around)
    faces = [kit.base.corners[face] for face in kit.body]
    covered = [corners for corners in faces if inside[corners].all()]
    centre = figure.point(np.array([0.0, 7.2, 0.3]))
    outward = posed - centre
    outward /= np.linalg.norm(outward, axis=1, keepdims=True) + 1e-9
    puffed = posed + outward * (0.12 if kind == "scarf" else 0.17)
    add_mesh("cover", puffed, covered, plain_material(rgb, 0.9), subdivide=1)


def add_phone(place: Place, turn: tuple[float, float, float]) -> Points:
    """A dark slab; returns its corners."""
    bpy.ops.mesh.primitive_cube_add(size=1)
    thing = bpy.context.object
    thing.scale = (0.75, 0.08, 1.5)
    thing.location = to_blender(place)
    thing.rotation_euler = (-0.4 + 0.2 * turn[0], 0.2 * turn[1], 0.2 * turn[2])
    thing.data.materials.append(plain_material((0.02, 0.02, 0.025), 0.2))
    return place + np.array([[x, y, 0.0] for x in (-0.375, 0.375) for y in (-0.75, 0.75)], np.float64)


def add_cup(place: Place, rgb: Rgb) -> Points:
    """A mug before the mouth; returns its outline."""
    bpy.ops.mesh.primitive_cylinder_add(vertices=24, radius=0.42, depth=0.95)
    thing = bpy.context.object
    thing.location = to_blender(place)
    thing.data.materials.append(plain_material(rgb, 0.25))
    return place + np.array([[x, y, 0.0] for x in (-0.42, 0.42) for y in (-0.48, 0.48)], np.float64)


def add_hand(kit: Kit, place: Place, turn: tuple[float, float, float], side: int, material: Any) -> Points:
    """The person's own hand, palm to the face, fingers up; returns its vertices."""
    points, corners = hand_mesh(kit)
    tilt = np.array([0.5 * turn[0] * (1 if side > 0 else -1), 0.3 * turn[1], 0.6 * turn[2]])
    cos, sin = np.cos(tilt[2]), np.sin(tilt[2])
    turned = points @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
    cos, sin = np.cos(tilt[1]), np.sin(tilt[1])
    turned = turned @ np.array([[1, 0, 0], [0, cos, sin], [0, -sin, cos]])
    turned = turned * np.array([side, 1, 1]) + place
    order = corners if side > 0 else [list(reversed(face)) for face in corners]
    add_mesh("hand", turned, order, material, subdivide=1)
    return turned  # type: ignore[no-any-return]


def hand_mesh(kit: Kit) -> tuple[Points, list[list[int]]]:
    """The base mesh's left hand: palm at the origin, fingers along y, its back to the front (z)."""
    wrist, tip = _joint(kit, "joint-l-hand"), _joint(kit, "joint-l-finger-3-4")
    first, last = _joint(kit, "joint-l-finger-2-1"), _joint(kit, "joint-l-finger-5-1")
    up = (tip - wrist) / np.linalg.norm(tip - wrist)
    across = first - last
    across -= up * (across @ up)
    across /= np.linalg.norm(across)
    frame = np.stack([across, up, np.cross(across, up)])
    local = (kit.base.points - (wrist * 0.5 + tip * 0.5)) @ frame.T
    reach = float(np.linalg.norm(tip - wrist))
    near = (np.abs(local) < np.array([1.0, 0.75 * reach, 0.8])).all(1)
    faces = [kit.base.corners[face] for face in kit.body if near[kit.base.corners[face]].all()]
    used = sorted({corner for face in faces for corner in face})
    renumbered = {old: new for new, old in enumerate(used)}
    return local[used], [[renumbered[corner] for corner in face] for face in faces]


def _joint(kit: Kit, group: str) -> Place:
    faces = [corners for corners, name in zip(kit.base.corners, kit.base.groups, strict=True) if name == group]
    return kit.base.points[sorted({corner for face in faces for corner in face})].mean(0).astype(np.float64)  # type: ignore[no-any-return]


def _bar(figure: Figure, one: Place, other: Place, thick: float, material: Any) -> None:
    start, end = to_blender(figure.point(one)), to_blender(figure.point(other))
    bpy.ops.mesh.primitive_cube_add(size=1)
    thing = bpy.context.object
    thing.location, thing.scale = (start + end) / 2, ((start - end).length, thick * 2, thick * 2.2)
    thing.rotation_euler = (end - start).to_track_quat("X", "Z").to_euler()
    thing.data.materials.append(material)


def _placed(place: Place, rotation: Place) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = OURS_TO_BLENDER @ rotation, OURS_TO_BLENDER @ place
    return Matrix(matrix.tolist())


def _finish(material: Any, matrix: Matrix) -> None:
    thing = bpy.context.object
    thing.data.materials.append(material)
    thing.matrix_world = matrix
