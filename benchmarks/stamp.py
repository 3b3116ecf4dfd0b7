"""A frame counter that a program can read from the picture: black and white blocks that survive VP8 and scaling.

Two rows of 16 blocks over the whole width at the top: the counter's bits, most significant first, and below each its
complement, so that anything else than a whole, sharp stamp is refused.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

BITS = 16
BLACK, WHITE = 32, 220
"""Luma; well inside the limited range, so that no conversion clips it."""

CONTRAST = 60
"""Luma between the means of a block and of its complement, at least."""

Luma = NDArray[Any]
"""(H, W) uint8."""


def _rows(height: int) -> tuple[int, int]:
    """Height of one row of blocks, and where the first begins."""
    return height // 8, height // 16


def draw(luma: Luma, number: int) -> None:
    """Stamp `number` (modulo 65536) onto a picture's Y plane."""
    height, width = luma.shape
    row, top = _rows(height)
    for bit in range(BITS):
        left, right = width * bit // BITS, width * (bit + 1) // BITS
        value = number >> (BITS - 1 - bit) & 1
        luma[top : top + row, left:right] = WHITE if value else BLACK
        luma[top + row : top + 2 * row, left:right] = BLACK if value else WHITE


def read(luma: Luma) -> int | None:
    """The number that was drawn on this picture at any size; None if there is no whole stamp."""
    height, width = luma.shape
    row, top = _rows(height)
    number = 0
    for bit in range(BITS):
        quarter = max(1, width // BITS // 4)
        left, right = width * bit // BITS + quarter, width * (bit + 1) // BITS - quarter
        above = float(luma[top + row // 4 : top + row - row // 4, left:right].mean())
        below = float(luma[top + row + row // 4 : top + 2 * row - row // 4, left:right].mean())
        if abs(above - below) < CONTRAST:
            return None
        number = number << 1 | (above > below)
    return number
