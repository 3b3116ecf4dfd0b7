"""One picture: a person, a pose and a setting put into Blender's scene, with the truth of what will be seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import cv2
import numpy as np
from numpy.typing import NDArray

from training.faces import props
from training.faces.atlas import to_atlas
from training.faces.behaviour import Plan, Pose
from training.faces.blender import World, add_mesh, area_light, clear, link, to_blender
from training.faces.figure import Figure, Moved, eyeballs, make_figure
from training.faces.kit import BODY_POINTS, EYES, TEETH, Kit
from training.faces.makehuman import Points
from training.faces.materials import backdrop_material, card_material, eye_material, plain_material, skin_material
from training.faces.person import Person
from training.faces.setting import Setting
from training.faces.skin import Albedo
from training.faces.truth import Glasses

BUST, SHOULDERS = 1.9, 2.2
"""Of the body below the neck joint and to either side, dm; the rest is not seen in a picture of a face."""

FILM_BUST, FILM_SHOULDERS = 3.2, 3.8

LASHES_RGB = (0.02, 0.015, 0.012)
TEETH_RGB = (0.6, 0.56, 0.48)
SUN_TINT = 0.3
"""Lenses darker than this hide the eyes."""


@dataclass(frozen=True)
class Seen:
    """What the truth needs to know of the finished scene; positions as fractions of the picture."""

    lid_left: float
    lid_right: float
    eyes_visible: bool
    head_box: tuple[float, float, float, float]
    eyes_xy: tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Take:
    """A picture of a film. `moved`: of the body, dm; `anchor`: the pose that the camera was set up for and that the
    picture is exposed for."""

    moved: Moved
    anchor: Pose
    aspect: float
    """Width over height."""


def build(
    kit: Kit, world: World, person: Person, albedo: Albedo, plan: Plan, setting: Setting, take: Take | None = None
) -> Seen:
    """Put all of a picture into the emptied scene; without a `take`, a square one of the face."""
    clear()
    moved, anchored, aspect = (take.moved, take.anchor, take.aspect) if take else ((0.0, 0.0, 0.0), plan.pose, 1.0)
    figure = make_figure(kit, person, plan.pose, plan.face, setting.view, moved)
    posed = figure.posed(figure.points)
    skin = skin_material(albedo, person.skin)
    _add_body(kit, figure, posed, skin, (BUST, SHOULDERS) if take is None else (FILM_BUST, FILM_SHOULDERS))
    _add_head(kit, figure, plan)
    anchor = make_figure(kit, person, anchored, plan.face, setting.view)
    camera = _Camera(anchor, setting, aspect)
    hiding = _add_occluder(kit, figure, setting, skin, camera)
    _add_surroundings(world, setting, camera, anchor)
    eyes = tuple(camera.project(figure.point(eye + props.at(0, 0, 0.2))) for eye in (figure.eye_left, figure.eye_right))
    dark = person.spectacles is not None and person.spectacles.tint < SUN_TINT
    return Seen(
        figure.lid_left,
        figure.lid_right,
        eyes_visible=not dark and not all(_inside(hiding, eye) for eye in eyes),
        head_box=_head_box(kit, figure, posed, camera),
        eyes_xy=eyes,  # type: ignore[arg-type]
    )


def _add_body(kit: Kit, figure: Figure, posed: NDArray[np.float64], skin: Any, extent: tuple[float, float]) -> None:
    """Head, neck and shoulders, and what is worn over them. `extent`: below the neck joint and to either side, dm."""
    person, points = figure.person, figure.points
    lowest = float(kit.place(points, "joint-neck")[1]) - extent[0]
    near = (points[:, 1] > lowest) & (np.abs(points[:, 0]) < extent[1])
    suit = kit.proxies[person.suit]
    kept = [
        face
        for face in kit.body
        if near[kit.base.corners[face][0]] and not suit.hides.issuperset(kit.base.corners[face])
    ]
    add_mesh(
        "body", posed, [kit.base.corners[face] for face in kept], skin,
        uv=to_atlas(kit.base.uv), uv_corners=[kit.base.uv_corners[face] for face in kept], subdivide=1,
    )  # fmt: skip
    texture = kit.path(f"clothes/{person.suit}/{person.suit}_diffuse.png")
    cloth = card_material(texture, person.suit_rgb, rough=0.85, grey=False)
    fitted = suit.fit(points)
    _add_proxy(
        kit, figure, person.suit, cloth, fitted, keep=(fitted[:, 1] > lowest) & (np.abs(fitted[:, 0]) < extent[1] + 0.2)
    )
    if person.cover:
        props.add_cover(kit, figure, person.cover, person.cover_rgb, posed)


def _add_head(kit: Kit, figure: Figure, plan: Plan) -> None:
    """Eyes, teeth, lashes, brows, hair and what sits on them."""
    person = figure.person
    eyes = eye_material(kit.path(f"eyes/materials/{person.iris}_eye.png"), person.eye_white)
    _add_proxy(kit, figure, EYES, eyes, eyeballs(kit, figure, plan.pose, plan.face))
    if plan.face.jaw > 0.15 and person.teeth:
        rest = kit.proxies[TEETH].mesh.points[:, 1]
        upper = rest > np.median(rest)  # the lower row pokes out
        _add_proxy(kit, figure, TEETH, plain_material(TEETH_RGB, 0.25), keep=upper)
    lashes = card_material(
        kit.path(f"eyelashes/{person.lashes}/{person.lashes}.png"), LASHES_RGB, density=person.lash_density
    )
    _add_proxy(kit, figure, person.lashes, lashes)
    brows = card_material(
        kit.path(f"eyebrows/{person.brow}/{person.brow}.png"), person.brow_rgb, density=person.brow_density
    )
    _add_proxy(kit, figure, person.brow, brows)
    if person.hair and person.cover != "scarf":
        rough, gain = person.hair_gloss
        red, green, blue = (min(channel * gain, 1.0) for channel in person.hair_rgb)
        texture = kit.path(f"hair/{person.hair}/{person.hair}_diffuse.png")
        hair = card_material(texture, (red, green, blue), rough=rough, density=1.2, bump=0.9)
        _add_proxy(kit, figure, person.hair, hair)
    if person.spectacles:
        props.add_glasses(figure, person.spectacles)
    if person.headphones:
        props.add_headphones(kit, figure, person.cover_rgb)


def _add_proxy(
    kit: Kit,
    figure: Figure,
    name: str,
    material: Any,
    points: Points | None = None,
    keep: NDArray[np.bool_] | None = None,
) -> None:
    """A proxy on the posed body; only the faces whose first vertex is to be kept."""
    proxy = kit.proxies[name]
    corners, uv_corners = proxy.mesh.corners, proxy.mesh.uv_corners
    if keep is not None:
        kept = [face for face, own in enumerate(corners) if keep[own[0]]]
        corners, uv_corners = [corners[face] for face in kept], [uv_corners[face] for face in kept]
    if corners:
        placed = figure.posed(proxy.fit(figure.points) if points is None else points)
        add_mesh(name, placed, corners, material, uv=proxy.mesh.uv, uv_corners=uv_corners)


class _Camera:
    """Looks at the face from `view`; `project` gives fractions of the picture."""

    def __init__(self, figure: Figure, setting: Setting, aspect: float) -> None:
        azimuth, elevation = (math.radians(angle) for angle in setting.view)
        self.direction = np.array(
            [math.sin(azimuth) * math.cos(elevation), math.sin(elevation), math.cos(azimuth) * math.cos(elevation)]
        )
        self.half = figure.size * setting.half
        self.distance = setting.distance
        eyes = (figure.eye_left + figure.eye_right) / 2
        middle = figure.point(figure.face_centre * 0.75 + eyes * 0.25 + props.at(0, 0, -0.15))
        self.target = middle + np.array([*setting.shift, 0]) * figure.size
        self.place = self.target + self.direction * self.distance
        self._aspect = aspect
        data = bpy.data.cameras.new("camera")
        thing = link(bpy.data.objects.new("camera", data))
        bpy.context.scene.camera = thing
        thing.location = to_blender(self.place)
        thing.rotation_euler = self._facing("-Z")
        thing.rotation_euler.rotate_axis("Z", math.radians(setting.tilt))
        data.sensor_fit = "VERTICAL"
        data.angle_y = 2 * math.atan(self.half / self.distance)
        bpy.context.view_layer.update()
        self._inverse = np.array(thing.matrix_world.inverted())

    def _facing(self, axis: str) -> Any:
        return (to_blender(self.target) - to_blender(self.place)).to_track_quat(axis, "Y").to_euler()

    def facing_back(self) -> Any:
        """The rotation of a plane that faces the camera."""
        return (to_blender(self.place) - to_blender(self.target)).to_track_quat("Z", "Y").to_euler()

    def project(self, point: NDArray[np.floating]) -> tuple[float, float]:
        """Across and down, 0..1 inside the picture."""
        seen = self._inverse @ np.append(np.array(to_blender(point)), 1)
        half = -seen[2] * self.half / self.distance
        return round(float(0.5 + seen[0] / half / 2 / self._aspect), 4), round(float(0.5 - seen[1] / half / 2), 4)


def _add_occluder(kit: Kit, figure: Figure, setting: Setting, skin: Any, camera: _Camera) -> NDArray[np.float32] | None:
    """Something before the face; its convex outline in the picture, (N, 2)."""
    if setting.occluder is None:
        return None
    x, y, z = setting.occluder_place
    centre = figure.point(figure.face_centre)
    if setting.occluder == "phone":
        outline = props.add_phone(centre + props.at(0.25 * x, -1.25 + 0.15 * y, 1.3), setting.occluder_turn)
    elif setting.occluder == "cup":
        outline = props.add_cup(centre + props.at(0.15 * x, -0.75 + 0.12 * y, 1.15), figure.person.cover_rgb)
    else:
        mouth = centre + camera.direction * 1.15 + props.at(0.35 * x, -0.45 + 0.45 * y, 0)
        outline = props.add_hand(kit, mouth, setting.occluder_turn, 1 if z > 0 else -1, skin)
    return cv2.convexHull(np.array([camera.project(point) for point in outline], np.float32))  # type: ignore[return-value]


def _add_surroundings(world: World, setting: Setting, camera: _Camera, figure: Figure) -> None:
    """The room behind, the light around, and the lamps."""
    behind = setting.backdrop_distance
    size = (camera.distance + behind) * camera.half / camera.distance * setting.backdrop_zoom
    bpy.ops.mesh.primitive_plane_add(size=1)
    wall = bpy.context.object
    wall.scale = (size * 2.6, size * 2, 1)
    wall.location = to_blender(camera.target - camera.direction * behind)
    wall.rotation_euler = camera.facing_back()
    wall.data.materials.append(backdrop_material(setting.room, setting.backdrop_strength))
    for kind in ("visible_diffuse", "visible_glossy", "visible_shadow", "visible_transmission"):
        setattr(wall, kind, False)
    world.light(setting.env, setting.env_turn, setting.env_strength)
    face = to_blender(figure.point(figure.face_centre))
    for lamp in setting.lamps:
        offset = np.array([8 * math.sin(lamp.azimuth), lamp.height, 8 * math.cos(lamp.azimuth)])
        area_light(face + to_blender(offset), face, lamp.size, lamp.energy, lamp.rgb)


def _head_box(
    kit: Kit, figure: Figure, posed: NDArray[np.float64], camera: _Camera
) -> tuple[float, float, float, float]:
    """Of the face's front from the brows to the chin, ear to ear."""
    rest = kit.base.points[:BODY_POINTS]
    chin = float(kit.place(figure.points, "joint-jaw")[1])
    front = (rest[:, 2] > 0.35) & (rest[:, 1] > chin - 0.35) & (rest[:, 1] < 7.95) & (np.abs(rest[:, 0]) < 0.85)
    seen = np.array([camera.project(point) for point in posed[:BODY_POINTS][front][::7]])
    left, top = seen.min(0)
    right, bottom = seen.max(0)
    return float(left), float(top), float(right), float(bottom)


def _inside(outline: NDArray[np.float32] | None, point: tuple[float, float]) -> bool:
    return outline is not None and cv2.pointPolygonTest(outline, point, measureDist=False) >= 0


def shown_glasses(person: Person) -> Glasses:
    """What is before the person's eyes."""
    return person.spectacles.kind if person.spectacles else Glasses.NONE
