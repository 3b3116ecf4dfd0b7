"""The loaded assets: the base mesh, its morph targets and proxies, and what the renderer has to know of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from training.faces.makehuman import Indices, Mesh, Points, Proxy, Target, read_mesh, read_proxy, read_target

BODY_POINTS = 13_380
"""Vertices of the base mesh that are the body; the rest are helpers and joints."""

SIDES = ("left", "right")
SHORT_HAIR = ("short01", "short02", "short03", "short04")
LONG_HAIR = ("long01", "ponytail01", "braid01", "bob02")
BROWS = tuple(f"eyebrow{number:03d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12))
LASHES = tuple(f"eyelashes0{number}" for number in (1, 2, 3, 4))
IRISES = ("brown", "brownlight", "blue", "green", "grey", "bluegreen", "deepblue", "lightblue")
SUITS = (
    "male_casualsuit02", "male_casualsuit03", "male_casualsuit04", "male_casualsuit05", "male_casualsuit06",
    "male_elegantsuit01", "male_worksuit01", "female_casualsuit01", "female_elegantsuit01", "female_sportsuit01",
)  # fmt: skip
EYES, TEETH = "high-poly", "teeth_base"

JOINTS = ("joint-neck", "joint-head", "joint-l-eye", "joint-r-eye", "joint-jaw", "joint-head-2")
SHAPE_FOLDERS = ("head", "nose", "mouth", "chin", "cheek", "forehead", "ears", "eyebrows", "eyes")


@dataclass
class Kit:
    """Built once per process by `load_kit`; not changed afterwards."""

    root: Path
    base: Mesh
    targets: dict[str, Target]
    proxies: dict[str, Proxy]
    joints: dict[str, Indices] = field(init=False)
    lids: dict[str, tuple[int, int]] = field(init=False)
    """Per side: the middle vertex of the upper and of the lower lid."""
    body: list[int] = field(init=False)
    """Faces of the base mesh that are the body."""

    def __post_init__(self) -> None:
        self.joints = {name: self._points_of(name) for name in JOINTS}
        self.body = [face for face, group in enumerate(self.base.groups) if group == "body"]
        self.lids = {side: self._lid_points(side) for side in SIDES}

    @property
    def shape_targets(self) -> list[str]:
        """Names of the targets that make faces differ; of a pair for both sides, the left one."""
        return [
            name
            for name in sorted(self.targets)
            if name.split("/")[0] in SHAPE_FOLDERS
            and not name.split("/")[1].startswith("r-")
            and not (name.startswith("head/") and "trans" in name)
        ]

    @property
    def asymmetry_targets(self) -> list[str]:
        """Names of the targets that make the halves of a face differ."""
        return [name for name in sorted(self.targets) if name.startswith("asym/")]

    def path(self, relative: str) -> Path:
        """Of an asset's file."""
        return self.root / relative

    def place(self, points: Points, joint: str) -> Points:
        """(3,): where a joint lies in a body at `points`."""
        return points[self.joints[joint]].mean(0)  # type: ignore[no-any-return]

    def add(self, points: Points, name: str, weight: float) -> None:
        """Move `points` in place by a target; one that the assets have not is no movement."""
        target = self.targets.get(name)
        if target is not None and weight:
            points[target.indices] += target.offsets * np.float32(weight)

    def lid_gain(self, race: str, side: str, name: str) -> float:
        """How much a unit of an eye target brings the lids together; infinite where it does not."""
        target = self.targets[f"expression/units/{race}/eye-{side}-{name}"]
        moved = dict(zip(target.indices.tolist(), target.offsets[:, 1].tolist(), strict=True))
        upper, lower = self.lids[side]
        gain = moved.get(lower, 0.0) - moved.get(upper, 0.0)
        return gain if abs(gain) > 1e-3 else math.inf

    def lid_gap(self, points: Points, side: str) -> float:
        """Height of the open eye."""
        upper, lower = self.lids[side]
        return float(points[upper, 1] - points[lower, 1])

    def eye_distance(self, points: Points) -> float:
        """Between the eyes' centres."""
        return float(np.linalg.norm(self.place(points, "joint-l-eye") - self.place(points, "joint-r-eye")))

    def magnitude(self, names: list[str]) -> Points:
        """(V,) 0..1: how far each base vertex is moved by any of these targets, relative to its farthest."""
        found = np.zeros(len(self.base.points), np.float32)
        for name in names:
            target = self.targets.get(name)
            if target is not None and len(target.indices):
                moved = np.linalg.norm(target.offsets, axis=1)
                found[target.indices] = np.maximum(found[target.indices], moved / max(float(moved.max()), 1e-9))
        return found

    def _points_of(self, group: str) -> Indices:
        faces = [corners for corners, name in zip(self.base.corners, self.base.groups, strict=True) if name == group]
        return np.array(sorted({point for corners in faces for point in corners}), np.int64)

    def _lid_points(self, side: str) -> tuple[int, int]:
        """Upper: the vertex that closing lowers most. Lower: the still one that it then lies on."""
        target = self.targets[f"expression/units/caucasian/eye-{side}-closure"]
        mine = target.indices < BODY_POINTS
        indices, offsets = target.indices[mine], target.offsets[mine]
        lowest = int(np.argmin(offsets[:, 1]))
        shut = self.base.points[indices[lowest]] + offsets[lowest]
        moved = np.zeros(len(self.base.points), np.float32)
        moved[indices] = np.abs(offsets[:, 1])
        distance = np.linalg.norm(self.base.points[:BODY_POINTS] - shut, axis=1) + 9 * (moved[:BODY_POINTS] > 0.02)
        return int(indices[lowest]), int(np.argmin(distance))


def load_kit(root: Path) -> Kit:
    """Read every asset under `root`; takes seconds. Raises `TrainingFailed`."""
    targets = root / "targets"
    return Kit(
        root,
        read_mesh(root / "3dobjs/base.obj"),
        {
            path.relative_to(targets).with_suffix("").as_posix(): read_target(path)
            for path in sorted(targets.rglob("*.target"))
        },
        {name: read_proxy(root / path) for name, path in proxy_files().items()},
    )


def proxy_files() -> dict[str, str]:
    """Each proxy's name and file."""
    folders = {"hair": SHORT_HAIR + LONG_HAIR, "eyebrows": BROWS, "eyelashes": LASHES, "clothes": SUITS}
    found = {name: f"{folder}/{name}/{name}.mhclo" for folder, names in folders.items() for name in names}
    return found | {EYES: f"eyes/{EYES}/{EYES}.mhclo", TEETH: f"teeth/{TEETH}/{TEETH}.mhclo"}
