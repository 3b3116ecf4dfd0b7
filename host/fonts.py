"""Which font can draw which character: the shipped DejaVu Sans first, then whatever the system has."""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont

SHIPPED = Path(__file__).parent / "fonts"
REGULAR = SHIPPED / "DejaVuSans.ttf"
BOLD = SHIPPED / "DejaVuSans-Bold.ttf"

SYSTEM_DIRS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)

COLOUR_EMOJI = ("NotoColorEmoji.ttf",)
"""Bitmap colour fonts, which are drawn at one size only (`COLOUR_EMOJI_PX`) and scaled."""
COLOUR_EMOJI_PX = 109


def font_for(char: str, bold: bool) -> Path | None:
    """A font file with a glyph for `char`; None if no installed font has one."""
    first = BOLD if bold else REGULAR
    for path in (first, REGULAR):
        if ord(char) in _coverage(path):
            return path
    return _system_font_for(ord(char))


def joins_previous(char: str) -> bool:
    """Whether `char` only modifies the one before it and so must stay in its font run: marks, joiners, selectors."""
    return unicodedata.category(char) in ("Mn", "Mc", "Me") or char in "\u200d\u200c\ufe0e\ufe0f" or _is_skin_tone(char)


def _is_skin_tone(char: str) -> bool:
    return 0x1F3FB <= ord(char) <= 0x1F3FF


@functools.lru_cache(maxsize=4096)
def _system_font_for(code: int) -> Path | None:
    for path in _system_fonts():
        if code in _coverage(path):
            return path
    return None


@functools.lru_cache(maxsize=1)
def _system_fonts() -> tuple[Path, ...]:
    """Every font of the system, those that look best beside DejaVu Sans first."""
    found = [
        p for root in SYSTEM_DIRS if root.is_dir() for p in root.rglob("*") if p.suffix in (".ttf", ".otf", ".ttc")
    ]

    def rank(path: Path) -> tuple[int, int, str]:
        name = path.name
        family = 0 if name.startswith("NotoSans") else 1 if name in COLOUR_EMOJI else 2 if "Sans" in name else 3
        upright = 0 if "Regular" in name else 1
        return family, upright, name

    return tuple(sorted(found, key=rank))


@functools.lru_cache(maxsize=512)
def _coverage(path: Path) -> frozenset[int]:
    """The code points that the (first face of the) file has glyphs for; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            face = TTCollection(file, lazy=True).fonts[0] if path.suffix == ".ttc" else TTFont(file, lazy=True)
            return frozenset(face.getBestCmap() or ())
    except Exception:  # of a damaged font, fontTools raises whatever its readers raise
        return frozenset()
