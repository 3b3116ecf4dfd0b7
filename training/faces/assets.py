"""The assets that the renderer reads, where each comes from and under which licence: `assets.json` beside this file.

Every one is CC0. They are not part of the project: the user says where they lie, in the layout of `makehuman/data`
of a MakeHuman checkout after its asset download, textures made smaller by `python -m training.faces.textures`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec

from training.errors import TrainingFailed

MANIFEST = "assets.json"
SHOWN = 8
"""Files named in an error; the number of the rest is."""


class Asset(msgspec.Struct, frozen=True):
    """One file. `origin`: repository, commit and path; `form`: verbatim, or how it was made of the original."""

    path: str
    sha256: str
    origin: str
    licence: str
    form: str


@dataclass(frozen=True)
class Fault:
    """What is wrong with one file."""

    path: str
    problem: str


def manifest() -> list[Asset]:
    """Every asset, in the order of its path."""
    return msgspec.json.decode(resources.files("training.faces").joinpath(MANIFEST).read_bytes(), type=list[Asset])


def check(root: Path, assets: list[Asset]) -> None:
    """Raise `TrainingFailed`, naming what is missing or of another version, unless all lie under `root`."""
    if not root.is_dir():
        raise TrainingFailed(
            f"expected a folder of MakeHuman assets at {root}, got no such folder: see docs/training.md"
        )
    faults = [Fault(asset.path, problem) for asset in assets if (problem := _problem(root, asset))]
    if not faults:
        return
    listed = "\n".join(f"  {fault.path}: {fault.problem}" for fault in faults[:SHOWN])
    more = f"\n  and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    raise TrainingFailed(
        f"expected the {len(assets)} assets of training/faces/{MANIFEST} under {root}, got {len(faults)} that are"
        f" missing or different:\n{listed}{more}\ndocs/training.md says where they come from"
    )


def _problem(root: Path, asset: Asset) -> str | None:
    try:
        data = (root / asset.path).read_bytes()
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return error.strerror or str(error)
    digest = hashlib.sha256(data).hexdigest()
    if digest != asset.sha256:
        return f"another version (sha256 {digest[:12]}…, expected {asset.sha256[:12]}…)"
    return None
