"""`python -m training.faces.textures --source DIR --out DIR`: MakeHuman's textures in the size that a face needs.

Eyes and clothes 256 pixels, hair, brows and lashes 512. Hair becomes a map of lightness (0.1 to 1), so that the
renderer can give it any colour. `source` is `makehuman/data` of a checkout after its asset download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image

from training.errors import TrainingFailed
from training.faces.assets import manifest
from training.files import writing

SMALL, LARGE = 256, 512
DARKEST_HAIR = 0.1


def shrink(source: Path, target: Path) -> None:
    """Write `source` in its smaller form. Raises `TrainingFailed`."""
    side = SMALL if "eyes" in source.parts or "clothes" in source.parts else LARGE
    try:
        original = Image.open(source)
        transparent = original.mode in {"RGBA", "LA", "P"} or "transparency" in original.info
        picture = original.convert("RGBA" if transparent else "RGB").resize((side, side), Image.Resampling.LANCZOS)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TrainingFailed(f"expected a picture at {source}, got: {error}") from error
    if "hair" in source.parts:
        picture = Image.fromarray(to_lightness(np.asarray(picture.convert("RGBA"))), "RGBA")
    with writing(target) as aside:
        picture.save(aside, optimize=True)


def to_lightness(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) -> (H, W, 4): grey, stretched between the 2nd and the 98th percentile of what can be seen."""
    opacity, lightness = rgba[..., 3] / 255, rgba[..., :3].mean(2)
    low, high = np.percentile(lightness[opacity > 0.5], [2, 98])
    stretched = np.clip((lightness - low) / (high - low + 1e-6), 0, 1) * (1 - DARKEST_HAIR) + DARKEST_HAIR
    return np.dstack([*[stretched * 255] * 3, opacity * 255]).astype(np.uint8)


def main(
    source: Annotated[Path, typer.Option(help="makehuman/data of a checkout after its asset download.")],
    out: Annotated[Path, typer.Option(help="Folder of the assets, which `train render --assets` takes.")],
) -> None:
    """Make all textures of the manifest."""
    for asset in manifest():
        if asset.path.endswith(".png"):
            shrink(source / asset.path, out / asset.path)
            typer.echo(asset.path)


if __name__ == "__main__":
    typer.run(main)
