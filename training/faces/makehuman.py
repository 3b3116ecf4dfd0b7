"""MakeHuman's file formats: Wavefront OBJ meshes, morph targets (.target) and proxies (.mhclo), read with NumPy.

A target moves some vertices of the base mesh; a proxy (hair, clothes, eyes) hangs each of its vertices on three of
the base mesh's, and so follows every target. Coordinates: x to the person's left, y up, z to the front, in dm.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.errors import TrainingFailed

Points = NDArray[np.floating]
"""(N, 3): positions or offsets."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Mesh:
    """`corners`, `uv_corners`: per face, which vertices and which UV points it has; `groups`: its group's name."""

    points: Points
    uv: NDArray[np.float32]
    corners: list[list[int]]
    uv_corners: list[list[int]]
    groups: list[str]


@dataclass(frozen=True)
class Target:
    """Vertex `indices` (K,) move by `offsets` (K, 3) at weight 1."""

    indices: Indices
    offsets: Points


@dataclass(frozen=True)
class Proxy:
    """Vertex i lies at `weights[i]` of the base vertices `anchors[i]`, plus `offsets[i]` scaled with the body.

    `hides`: base vertices that it covers; `scales`: per axis, two base vertices and their distance at scale 1.
    """

    mesh: Mesh
    anchors: Indices
    weights: Points
    offsets: Points
    hides: frozenset[int]
    scales: dict[int, tuple[int, int, float]]

    def fit(self, body: Points) -> Points:
        """(N, 3): its vertices on a body whose base mesh lies at `body`."""
        scale = np.ones(3, np.float32)
        for axis, (one, other, distance) in self.scales.items():
            scale[axis] = abs(body[one, axis] - body[other, axis]) / distance
        return (body[self.anchors] * self.weights[:, :, None]).sum(1) + self.offsets * scale  # type: ignore[no-any-return]


def read_mesh(path: Path) -> Mesh:
    """A Wavefront OBJ file. Raises `TrainingFailed`."""
    points: list[list[float]] = []
    uv: list[list[float]] = []
    corners: list[list[int]] = []
    uv_corners: list[list[int]] = []
    groups: list[str] = []
    group = ""
    for number, line in _lines(path):
        kind, *words = line.split()
        with _malformed(path, number):
            if kind == "v":
                points.append([float(word) for word in words[:3]])
            elif kind == "vt":
                uv.append([float(word) for word in words[:2]])
            elif kind == "g":
                group = words[0]
            elif kind == "f":
                pairs = [word.split("/") for word in words]
                corners.append([int(pair[0]) - 1 for pair in pairs])
                uv_corners.append([int(pair[1]) - 1 if len(pair) > 1 and pair[1] else 0 for pair in pairs])
                groups.append(group)
    return Mesh(np.array(points, np.float32), np.array(uv, np.float32), corners, uv_corners, groups)


def read_target(path: Path) -> Target:
    """A morph target: lines of `index dx dy dz`. Raises `TrainingFailed`."""
    rows: list[list[float]] = []
    for number, line in _lines(path):
        with _malformed(path, number):
            index, x, y, z = line.split()[:4]
            rows.append([int(index), float(x), float(y), float(z)])
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Target(table[:, 0].astype(np.int64), table[:, 1:].astype(np.float32))


def read_proxy(path: Path) -> Proxy:
    """A proxy with its mesh. Raises `TrainingFailed`."""
    anchors: list[list[int]] = []
    weights: list[list[float]] = []
    offsets: list[list[float]] = []
    hides: set[int] = set()
    scales: dict[int, tuple[int, int, float]] = {}
    mesh: Mesh | None = None
    section = ""
    for number, line in _lines(path):
        words = line.split()
        with _malformed(path, number):
            if words[0] in {"verts", "delete_verts", "weights"}:
                section = words[0]
            elif words[0] == "obj_file":
                mesh, section = read_mesh(path.with_name(words[1])), ""
            elif words[0] in {"x_scale", "y_scale", "z_scale"}:
                scales["xyz".index(words[0][0])], section = (int(words[1]), int(words[2]), float(words[3])), ""
            elif section == "verts" and len(words) == 1:
                anchors.append([int(words[0])] * 3)
                weights.append([1.0, 0.0, 0.0])
                offsets.append([0.0, 0.0, 0.0])
            elif section == "verts" and len(words) >= 9:
                anchors.append([int(word) for word in words[:3]])
                weights.append([float(word) for word in words[3:6]])
                offsets.append([float(word) for word in words[6:9]])
            elif section == "delete_verts":
                hides |= _ranges(words)
    if mesh is None or len(mesh.points) != len(anchors):
        raise TrainingFailed(
            f"expected a proxy with an anchor for each vertex at {path}, got {len(anchors)} anchors for"
            f" {0 if mesh is None else len(mesh.points)} vertices"
        )
    return Proxy(
        mesh,
        np.array(anchors, np.int64),
        np.array(weights, np.float32),
        np.array(offsets, np.float32),
        frozenset(hides),
        scales,
    )


def _ranges(words: list[str]) -> set[int]:
    """`3 7 - 9` -> {3, 7, 8, 9}."""
    found: set[int] = set()
    place = 0
    while place < len(words):
        first = int(words[place])
        if words[place + 1 : place + 2] == ["-"]:
            found.update(range(first, int(words[place + 2]) + 1))
            place += 3
        else:
            found.add(first)
            place += 1
    return found


def _lines(path: Path) -> list[tuple[int, str]]:
    """Numbered lines, but for empty ones and comments."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise TrainingFailed(f"expected an asset at {path}, got: {error.strerror or error}") from error
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(number, line) for number, line in numbered if line and not line.startswith("#")]


class _malformed:  # noqa: N801  a context manager, written like a function
    """A line that cannot be read as one sentence."""

    def __init__(self, path: Path, number: int) -> None:
        self._path, self._number = path, number

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (ValueError, IndexError)):
            raise TrainingFailed(f"expected MakeHuman's format at {self._path}:{self._number}, got: {error}") from error
