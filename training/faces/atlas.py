"""The head's part of the UV map as a picture: where each texel lies on the face, and masks of the face's regions.

Masks come from the geometry alone: how far morph targets move each vertex, where brows hang, where a point lies. All
are computed once on the base mesh, since a person's UV map is the base mesh's.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.faces.kit import BROWS, Kit
from training.faces.makehuman import Points

Field = NDArray[np.floating]
"""(H, W), usually 0..1; row 0 is the top of the UV map."""

UV_LOW, UV_HIGH = np.array([0.635, 0.0]), np.array([1.0, 0.835])
"""The head's islands and the inside of the mouth; everything else takes the colour of the border."""

TEXELS_PER_UNIT = 1280
SHAPE = tuple(int(side) for side in ((UV_HIGH - UV_LOW) * TEXELS_PER_UNIT)[::-1])
"""(H, W) of a painted skin."""

HAIRLINE_Z, HAIRLINE_Y = (-1.0, 0.1, 0.45, 0.8, 1.1, 1.4), (6.5, 6.6, 7.0, 7.55, 7.93, 8.02)
"""From the nape past the ears and the temples to the forehead."""

MOUTH_TOP_V = 0.145
"""Below lies the island of the mouth's inside."""


@dataclass(frozen=True)
class Atlas:
    """`masks`: by region; `covered`: where the map shows skin at all."""

    masks: dict[str, Field]
    covered: NDArray[np.bool_]


def to_atlas(uv: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, 2) points of MakeHuman's UV map -> points of the head's map, 0..1 for the head, outside for the rest."""
    return np.asarray((uv - UV_LOW) / (UV_HIGH - UV_LOW), np.float32)


def make_atlas(kit: Kit) -> Atlas:
    """The masks of a kit's base mesh; takes a second."""
    points = kit.base.points
    by_vertex = _vertex_masks(kit)
    values = np.column_stack([points, *by_vertex.values()]).astype(np.float32)
    raster, covered = _rasterize(kit, values)
    place, regions = raster[..., :3], dict(zip(by_vertex, np.moveaxis(raster[..., 3:], 2, 0), strict=True))
    masks = {name: np.ascontiguousarray(mask) for name, mask in regions.items()}
    masks |= _placed_masks(kit, place, masks)
    masks["mouth"] = np.zeros(SHAPE, np.float32)
    masks["mouth"][int((UV_HIGH[1] - MOUTH_TOP_V) * TEXELS_PER_UNIT) :] = 1.0
    return Atlas(masks, covered)


def _vertex_masks(kit: Kit) -> dict[str, Points]:
    """(V,) 0..1 each."""

    def mask(names: list[str], width: float) -> Points:
        return np.asarray(np.clip((kit.magnitude(names) - 0.12) / width, 0, 1))

    lips = mask([f"mouth/mouth-{lip}lip-volume-{way}" for lip in ("upper", "lower") for way in ("incr", "decr")], 0.45)
    cheek = mask([f"cheek/{side}-cheek-volume-incr" for side in "lr"], 0.9) * (1 - lips)
    lid = mask([f"expression/units/caucasian/eye-{side}-closure" for side in ("left", "right")], 0.8)
    nose = mask(["nose/nose-volume-incr", "nose/nose-point-up"], 1.0)
    brow = np.concatenate([kit.proxies[name].fit(kit.base.points) for name in BROWS])
    return {
        "lips": lips,
        "cheek": cheek,
        "lid": lid,
        "nose": nose,
        "brow": np.exp(-((_distance(kit.base.points, brow) / 0.07) ** 2)),
    }


def _distance(points: Points, others: Points) -> Points:
    """(N,): from each point to the nearest of the others."""
    pieces = [np.sqrt(((piece[:, None] - others[None]) ** 2).sum(2).min(1)) for piece in np.array_split(points, 200)]
    return np.concatenate(pieces).astype(np.float32)


def _placed_masks(kit: Kit, place: NDArray[np.floating], masks: dict[str, Field]) -> dict[str, Field]:
    """Regions told by where a texel lies: x across (both halves alike), y up, z to the front; (H, W, 3) in dm."""
    x, y, z = np.abs(place[..., 0]), place[..., 1], place[..., 2]
    points = kit.base.points
    eye = kit.place(points, "joint-l-eye")
    lips, nose = kit.magnitude(["mouth/mouth-upperlip-volume-incr"]), kit.magnitude(["nose/nose-point-up"])
    mouth_y = float(np.average(points[:, 1], weights=lips**4))
    corner_x = float(np.abs(points[lips > 0.35, 0]).max())
    nose_y = float(points[nose > 0.6, 1].min())
    chin_y = float(kit.place(points, "joint-jaw")[1])
    front = _rise(z, 0.2, 0.6)
    hairline = np.interp(z, HAIRLINE_Z, HAIRLINE_Y).astype(np.float32)
    below_nose = _rise(nose_y - y, -0.02, 0.05)
    # From under the ear lobes down to the corners of the mouth runs the upper edge of a beard.
    cheek_line = _rise(mouth_y + 0.1 + 0.75 * np.clip(x - corner_x, 0, 1) - y, -0.06, 0.08)
    throat = _rise(y - chin_y, -0.32, 0.02)
    mouth = 1 - masks["lips"]
    moustache = below_nose * _rise(y - mouth_y, -0.09, 0.03) * _rise(corner_x + 0.09 - x, 0, 0.08)
    goatee = _rise(mouth_y - y, -0.02, 0.06) * _rise(corner_x - x, -0.02, 0.1) * throat
    full = np.maximum(cheek_line * below_nose * throat, moustache)
    dx, dy = x - eye[0], y - eye[1]
    rim = np.sqrt((dx / 0.165) ** 2 + (dy / 0.062) ** 2)
    wing = np.stack([x - 0.16, y - nose_y], -1)
    fold = np.stack([corner_x + 0.07 - 0.16, mouth_y - nose_y]) / np.hypot(corner_x - 0.09, mouth_y - nose_y)
    along = wing @ fold
    across = np.abs(wing @ np.array([-fold[1], fold[0]]))
    found = {
        "scalp": _rise(y - hairline, -0.06, 0.1),
        "moustache": moustache * mouth * front,
        "goatee": np.maximum(goatee, moustache) * mouth * front,
        "full": full * mouth * front,
        "under_eye": np.exp(-((dx / 0.17) ** 2) - ((dy + 0.125) / 0.06) ** 2) * front,
        "eyeshadow": np.exp(-((dx / 0.19) ** 2) - ((dy - 0.09) / 0.055) ** 2) * front,
        "eyeliner": np.exp(-(((rim - 1.12) / 0.2) ** 2)) * np.where(dy > -0.01, 1, 0.4) * front,
        "nostril": np.exp(-(((x - 0.075) / 0.035) ** 2) - ((y - nose_y + 0.005) / 0.022) ** 2) * front,
        "forehead_lines": _rise(y - eye[1], 0.38, 0.48) * _rise(eye[1] + 0.85 - y, 0, 0.1) * front
        * np.clip(np.cos(2 * np.pi * (y + 0.03 * np.cos(4 * x)) / 0.105), 0, 1) ** 6,
        "crow_feet": np.exp(-(((dx - 0.27) / 0.08) ** 2) - (dy / 0.1) ** 2)
        * np.clip(np.cos(np.arctan2(dy, dx - 0.1) * 14), 0, 1) ** 3 * front,
        "fold": np.exp(-((across / 0.022) ** 2)) * _rise(along, -0.04, 0.06) * _rise(0.36 - along, 0, 0.12) * front,
    }  # fmt: skip
    return {name: mask.astype(np.float32) for name, mask in found.items()}


def _rise(value: Field, low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)  # type: ignore[no-any-return]


def _rasterize(kit: Kit, values: NDArray[np.floating]) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """(V, C) values of vertices -> (H, W, C) over the head's map, and where it is covered.

    Triangles are filled by barycentric coordinates; texels that none covers take the nearest one's values, so that
    filtering at the islands' edges finds no seam.
    """
    height, width = SHAPE
    raster = np.zeros((height, width, values.shape[1]), np.float32)
    covered = np.zeros((height, width), bool)
    texels = to_atlas(kit.base.uv) * (width, height)
    texels[:, 1] = height - texels[:, 1]
    for face in kit.body:
        corners, uv = kit.base.corners[face], kit.base.uv_corners[face]
        if (kit.base.uv[uv] < UV_LOW - 0.01).any() or (kit.base.uv[uv] > UV_HIGH + 0.01).any():
            continue
        for triangle in ((0, 1, 2), (0, 2, 3)) if len(corners) == 4 else ((0, 1, 2),):
            _fill(raster, covered, texels[[uv[i] for i in triangle]], values[[corners[i] for i in triangle]])
    bare = (~covered).astype(np.uint8)
    _, nearest = cv2.distanceTransformWithLabels(bare, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros((nearest.max() + 1, values.shape[1]), np.float32)
    table[nearest[covered]] = raster[covered]
    return table[nearest], covered


def _fill(
    raster: NDArray[np.floating],
    covered: NDArray[np.bool_],
    corners: NDArray[np.floating],
    values: NDArray[np.floating],
) -> None:
    """One triangle with (3, 2) corners in texels and (3, C) values."""
    low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, (raster.shape[1], raster.shape[0]))
    (ax, ay), (bx, by), (cx, cy) = corners
    area = (by - cy) * (ax - cx) + (cx - bx) * (ay - cy)
    if abs(area) < 1e-9 or (high <= low).any():
        return
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    first = ((by - cy) * (x - cx) + (cx - bx) * (y - cy)) / area
    second = ((cy - ay) * (x - cx) + (ax - cx) * (y - cy)) / area
    weights = np.stack([first, second, 1 - first - second], -1)
    inside = (weights >= -1e-4).all(-1)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    raster[window][inside] = weights[inside] @ values
    covered[window] |= inside
