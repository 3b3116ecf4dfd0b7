"""The annotated grid, for the host's eyes: the clean one with labels, borders and a status panel, as JPEG.

Drawn and encoded only while somebody watches, once for all of them; each watcher gets the newest picture when they
are ready for it, so a slow one slows nobody.
"""

from __future__ import annotations

import asyncio
import functools

import cv2
import numpy as np

from host.compositor import MUTED, TEXT, Scene, Tile, name_style
from host.labels import GREEN, Reading, draw_icon, reading_of
from host.layout import Rect
from host.participant import Participant
from host.share import MIN_SHARING, OVER_S, Share, ShareMeter
from host.stamp import BgrStamp, Bytes, beside, pill
from host.text import Colour, TextStyle, draw_text
from signaling.codec import Planes

PANEL_PX = 320
PANEL_BGR = (34, 26, 22)
LINE_BGR = (62, 50, 44)
JPEG_QUALITY = 80
BORDER_PX = 4
ROW_MIN_PX, ROW_MAX_PX = 24, 58
"""The smaller one lets a full room fit into a grid 720 high."""

MAX_STAMPS = 256
"""Of badges and of lines each, up to 60 KB apiece: what a few full rooms show, and not everybody who ever came."""


@functools.lru_cache(maxsize=MAX_STAMPS)
def _badge(text: str, reading: Reading, size_px: int, max_width_px: int) -> BgrStamp:
    """Icon and words on a dark bar."""
    words = draw_text(text, TextStyle(size_px, reading.colour, bold=True), max_width_px)
    return BgrStamp(
        pill(beside(draw_icon(reading.icon, reading.colour, round(size_px * 1.15)), words, 6), (12, 15, 21, 205))
    )


@functools.lru_cache(maxsize=64)
def _icon(reading: Reading, size_px: int) -> BgrStamp:
    return BgrStamp(draw_icon(reading.icon, reading.colour, size_px))


@functools.lru_cache(maxsize=MAX_STAMPS)
def _line(text: str, style: TextStyle, max_width_px: int) -> BgrStamp:
    return BgrStamp(draw_text(text, style, max_width_px))


def _bgr(colour: Colour) -> tuple[int, int, int]:
    return colour[2], colour[1], colour[0]


def draw_annotated(planes: Planes, scene: Scene, clock: str) -> Bytes:
    """The clean canvas `planes` with labels and panel, as (H, W + PANEL_PX, 3) uint8 BGR."""
    picture, width = _with_panel(planes)
    readings = [(tile.participant, _steady(reading_of(tile.participant))) for tile in scene.tiles]
    for tile, (_, reading) in zip(scene.tiles, readings, strict=True):
        _draw_label(picture, tile, reading)
    _draw_panel(picture, width, readings, clock)
    return picture


def draw_aggregate(planes: Planes, scene: Scene, share: Share | None, clock: str) -> Bytes:
    """The clean canvas `planes` with the room's share in the panel, and nothing of anybody's own."""
    picture, width = _with_panel(planes)
    _draw_panel_head(picture, width, len(scene.tiles), clock)
    x, inner = width + 18, PANEL_PX - 36
    if share is None:
        _line("No share to show", TextStyle(22, TEXT, bold=True), inner).blend(picture, x, 96)
        lines = (f"It takes {MIN_SHARING} or more who share a label,", f"the same ones for {OVER_S:.0f} seconds.")
    else:
        _line(f"{share.attentive:.0%}", TextStyle(64, GREEN, bold=True), inner).blend(picture, x, 88)
        lines = (f"attentive, of {share.sharing} who share", "a label.")
    for index, line in enumerate(lines):
        _line(line, TextStyle(15, MUTED), inner).blend(picture, x, (136 if share is None else 186) + 24 * index)
    return picture


def encode_jpeg(picture: Bytes) -> bytes:
    """`picture` (H, W, 3) uint8 BGR as a JPEG file."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def _steady(reading: Reading) -> Reading:
    """Two decimals are what is shown, and what keeps the cache of drawn badges small."""
    score = None if reading.score is None else round(reading.score, 2)
    return Reading(reading.text, reading.icon, reading.colour, score)


def _draw_label(picture: Bytes, tile: Tile, reading: Reading) -> None:
    rect = tile.rect
    inset = BORDER_PX // 2
    corner = (rect.x + rect.width - 1 - inset, rect.y + rect.height - 1 - inset)
    cv2.rectangle(picture, (rect.x + inset, rect.y + inset), corner, _bgr(reading.colour), BORDER_PX)
    words = reading.text if reading.score is None else f"{reading.text} {reading.score:.2f}"
    size = name_style(rect).size_px - 1
    _badge(words, reading, size, rect.width - 48).blend(picture, rect.x + BORDER_PX + 4, rect.y + BORDER_PX + 4)


def _with_panel(planes: Planes) -> tuple[Bytes, int]:
    """The canvas with an empty panel at its right, and where that begins."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    picture = np.empty((height, width + PANEL_PX, 3), np.uint8)
    picture[:, :width] = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    picture[:, width:] = PANEL_BGR
    picture[:, width : width + 1] = LINE_BGR
    return picture, width


def _draw_panel_head(picture: Bytes, left: int, count: int, clock: str) -> None:
    x, inner = left + 18, PANEL_PX - 36
    people = "1 participant" if count == 1 else f"{count} participants"
    _line(people, TextStyle(22, TEXT, bold=True), inner).blend(picture, x, 14)
    BgrStamp(draw_text(clock, TextStyle(18, MUTED), inner)).blend(picture, x, 46)


def _draw_panel(picture: Bytes, left: int, readings: list[tuple[Participant, Reading]], clock: str) -> None:
    height = picture.shape[0]
    x, inner = left + 18, PANEL_PX - 36
    _draw_panel_head(picture, left, len(readings), clock)
    attentive = sum(1 for _, r in readings if r.text == "Attentive")
    shared = sum(1 for _, r in readings if r.score is not None)
    share = f"{attentive} of {shared} attentive" if shared else "nobody shares a label"
    _line(share, TextStyle(18, MUTED), inner).blend(picture, x, 74)
    cv2.line(picture, (x, 108), (left + PANEL_PX - 18, 108), LINE_BGR, 1)
    if not readings:
        _line("Nobody is here yet.", TextStyle(16, MUTED), inner).blend(picture, x, 122)
        return
    room = height - 118
    row = max(ROW_MIN_PX, min(ROW_MAX_PX, room // len(readings)))
    shown = min(len(readings), room // row)
    if shown < len(readings):
        shown -= 1
        _line(f"and {len(readings) - shown} more", TextStyle(15, MUTED), inner).blend(picture, x, 116 + shown * row)
    for index, (participant, reading) in enumerate(readings[:shown]):
        _draw_row(picture, Rect(x, 116 + index * row, inner, row), participant.name, reading)


def _draw_row(picture: Bytes, area: Rect, name: str, reading: Reading) -> None:
    x, y, inner, row = area.x, area.y, area.width, area.height
    words = reading.text if reading.score is None else f"{reading.text}  {reading.score:.2f}"
    icon = _icon(reading, 22 if row >= 44 else 18)
    icon.blend(picture, x, y + (row - icon.height) // 2)
    if row >= 44:
        _line(name, TextStyle(17, TEXT), inner - 34).blend(picture, x + 34, y + row // 2 - 24)
        _line(words, TextStyle(14, reading.colour), inner - 34).blend(picture, x + 34, y + row // 2 + 1)
        return
    status = _line(words, TextStyle(13, reading.colour), inner * 11 // 20)
    status.blend(picture, x + inner - status.width, y + (row - status.height) // 2)
    label = _line(name, TextStyle(15, TEXT), inner - 34 - status.width - 8)
    label.blend(picture, x + 28, y + (row - label.height) // 2)


class AnnotatedView:
    """The newest annotated picture, and whoever waits for it. Event loop only, but for `watchers`."""

    def __init__(self) -> None:
        self.watchers = 0
        self.share: ShareMeter | None = None
        """In a meeting that shows nobody's own label: what is drawn in their stead."""
        self._jpeg = b""
        self._number = 0
        self._changed = asyncio.Event()
        self._closed = False

    def __enter__(self) -> AnnotatedView:
        self.watchers += 1
        return self

    def __exit__(self, *_: object) -> None:
        self.watchers -= 1

    def publish(self, jpeg: bytes) -> None:
        """A new picture; whoever did not take the one before never will."""
        self._jpeg = jpeg
        self._number += 1
        self._wake()

    async def next(self, after: int) -> tuple[int, bytes] | None:
        """Number and JPEG of a picture newer than `after`; waits for one. None when the meeting ends."""
        while self._number <= after and not self._closed:
            await self._changed.wait()
        return None if self._closed else (self._number, self._jpeg)

    def close(self) -> None:
        """End every watcher's stream."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
