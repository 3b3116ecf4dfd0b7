"""Text as pictures: one line in any script, shaped, cut with an ellipsis, as RGBA."""

from __future__ import annotations

import functools
import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from host.fonts import COLOUR_EMOJI, COLOUR_EMOJI_PX, REGULAR, font_for, joins_previous

Colour = tuple[int, int, int]
ELLIPSIS = "…"
EMOJI_CANVAS_PX = 128
"""As high as what a bitmap font draws, before it is scaled."""


@dataclass(frozen=True, slots=True)
class TextStyle:
    """Pixels high, weight, and colour (R, G, B)."""

    size_px: int
    colour: Colour = (240, 242, 245)
    bold: bool = False


def draw_text(text: str, style: TextStyle, max_width_px: int) -> NDArray[np.uint8]:
    """One line of `text` as (H, W, 4) uint8 RGBA, straight alpha; longer than `max_width_px` ends in an ellipsis.

    A character that no installed font can draw becomes a hollow box, never nothing.
    """
    picture = _draw_within(text, style, max_width_px)
    if picture is not None:
        return np.asarray(picture)
    clusters = _clusters(text)
    low, high = 0, len(clusters) - 1  # the most clusters that fit together with the ellipsis
    best = _draw(ELLIPSIS, style)
    while low < high:
        middle = (low + high + 1) // 2
        candidate = _draw_within("".join(clusters[:middle]).rstrip() + ELLIPSIS, style, max_width_px)
        if candidate is not None:
            low, best = middle, candidate
        else:
            high = middle - 1
    return np.asarray(best)


def prepare(text: str) -> None:
    """Find the fonts for `text` now: a first look through the system's fonts takes too long for a render thread."""
    for bold in (False, True):
        _runs(text, bold)
        _runs(text[:1].upper(), bold)  # the initial of who shows no picture


def _clusters(text: str) -> list[str]:
    """User-perceived characters, as far as marks, joiners and selectors tell: never cut inside one."""
    clusters: list[str] = []
    for char in text:
        if clusters and (joins_previous(char) or clusters[-1].endswith("\u200d")):
            clusters[-1] += char
        else:
            clusters.append(char)
    return clusters


def _runs(text: str, bold: bool) -> list[tuple[Path, str]]:
    """`text` cut into stretches that one font can draw, in visual order."""
    runs: list[tuple[Path, str]] = []
    for cluster in _clusters(text):
        font = font_for(cluster[0], bold) or REGULAR
        neutral = (
            unicodedata.category(cluster[0]) in ("Zs", "Po", "Pd") and runs and runs[-1][0].name not in COLOUR_EMOJI
        )
        if runs and (font == runs[-1][0] or neutral):
            runs[-1] = (runs[-1][0], runs[-1][1] + cluster)
        else:
            runs.append((font, cluster))
    if _is_right_to_left(text):
        runs.reverse()
    return runs


def _is_right_to_left(text: str) -> bool:
    """The direction of the first strong character (UAX #9, P2)."""
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


@functools.lru_cache(maxsize=64)
def _font(path: Path, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(path), size_px)


def _draw_within(text: str, style: TextStyle, max_width_px: int) -> Image.Image | None:
    """`text` if it fits. Measured first, since some glyphs take a millisecond to draw, and 64 of them hold the grid."""
    if sum(_advance(path, run, style) for path, run in _runs(text, style.bold)) > max_width_px:
        return None
    picture = _draw(text, style)
    return picture if picture.width <= max_width_px else None


def _advance(path: Path, run: str, style: TextStyle) -> int:
    """Pixels that `_draw_run` needs at least."""
    if path.name in COLOUR_EMOJI:
        return _emoji_width(round(_font(path, COLOUR_EMOJI_PX).getlength(run)), style)
    return max(1, round(_font(path, style.size_px).getlength(run)))


def _emoji_width(big_width: int, style: TextStyle) -> int:
    return max(1, round(max(1, big_width) * style.size_px * 1.15 / EMOJI_CANVAS_PX))


def _draw(text: str, style: TextStyle) -> Image.Image:
    height = round(style.size_px * 1.4)
    baseline = round(style.size_px * 1.06)
    pieces = [_draw_run(path, run, style, height, baseline) for path, run in _runs(text, style.bold)]
    line = Image.new("RGBA", (max(1, sum(p.width for p in pieces)), height), (*style.colour, 0))
    x = 0
    for piece in pieces:
        line.paste(piece, (x, 0))
        x += piece.width
    return line


def _draw_run(path: Path, run: str, style: TextStyle, height: int, baseline: int) -> Image.Image:
    if path.name in COLOUR_EMOJI:
        font = _font(path, COLOUR_EMOJI_PX)
        big = Image.new("RGBA", (max(1, round(font.getlength(run))), EMOJI_CANVAS_PX), (0, 0, 0, 0))
        ImageDraw.Draw(big).text((0, 0), run, font=font, embedded_color=True)
        width = _emoji_width(big.width, style)
        small = big.resize((width, round(style.size_px * 1.15)), Image.Resampling.BOX)
        piece = Image.new("RGBA", (width, height), (*style.colour, 0))
        piece.paste(small, (0, (height - small.height) // 2))
        return piece
    font = _font(path, style.size_px)
    left, _, right, _ = font.getbbox(run, anchor="ls")
    width = max(1, round(max(font.getlength(run), right) - min(0, left)))
    piece = Image.new("RGBA", (width, height), (*style.colour, 0))
    ImageDraw.Draw(piece).text((-min(0, left), baseline), run, font=font, fill=(*style.colour, 255), anchor="ls")
    return piece
