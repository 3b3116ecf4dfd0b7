"""The mood overlay on one's own picture: icon, word and colour together, so that colour is never needed to read it."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from peer.perception.verdict import Verdict
from peer.source import Pixels
from peer.terminal import WORDS, reason_of
from signaling.protocol import Label

# Blue-green and vermillion differ in lightness too, and to every common kind of colour blindness.
COLOURS_RGB = {Label.ATTENTIVE: (0, 125, 92), Label.NOT_ATTENTIVE: (190, 70, 0), Label.UNKNOWN: (95, 95, 95)}
TEXT_RGB = (255, 255, 255)

HEIGHT_PX = 40
FONT_PX = 20
ICON_PX = 20
PADDING_PX = 10


def draw_badge(picture: Pixels, verdict: Verdict | None) -> None:
    """Draw onto `picture`, (H, W, 3) uint8 BGR: a frame in the label's colour and a badge at the bottom left.

    None: labels are off or none has been found yet, and nothing is drawn.
    """
    if verdict is None:
        return
    badge = _badge(verdict.label, reason_of(verdict))
    red, green, blue = COLOURS_RGB[verdict.label]
    height, width = picture.shape[:2]
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), (blue, green, red), 6)
    rows, columns = min(badge.shape[0], height), min(badge.shape[1], width)
    picture[height - rows :, :columns] = badge[:rows, :columns]


@lru_cache(maxsize=64)  # angles are whole degrees
def _badge(label: Label, reason: str) -> Pixels:
    """(HEIGHT_PX, W, 3) uint8 BGR."""
    font = ImageFont.load_default(FONT_PX)
    text = WORDS[label].capitalize() + (f": {reason}" if reason else "")
    width = 3 * PADDING_PX + ICON_PX + int(font.getlength(text))
    image = Image.new("RGB", (width, HEIGHT_PX), COLOURS_RGB[label])
    draw = ImageDraw.Draw(image)
    _icon(draw, label, PADDING_PX, (HEIGHT_PX - ICON_PX) // 2)
    draw.text((2 * PADDING_PX + ICON_PX, HEIGHT_PX // 2), text, TEXT_RGB, font, anchor="lm")
    return np.ascontiguousarray(np.asarray(image, np.uint8)[..., ::-1])


def _icon(draw: ImageDraw.ImageDraw, label: Label, left: int, top: int) -> None:
    """A tick, a crossed-out circle or a question mark, `ICON_PX` wide."""
    right, bottom = left + ICON_PX, top + ICON_PX
    if label is Label.ATTENTIVE:
        tick = [(left + 2, top + 11), (left + 8, bottom - 3), (right - 2, top + 4)]
        draw.line(tick, TEXT_RGB, 4, joint="curve")
    elif label is Label.NOT_ATTENTIVE:
        draw.ellipse((left, top, right, bottom), outline=TEXT_RGB, width=3)
        draw.line((left + 4, bottom - 4, right - 4, top + 4), TEXT_RGB, 3)
    else:
        draw.text((left + ICON_PX // 2, top + ICON_PX // 2), "?", TEXT_RGB, ImageFont.load_default(26), anchor="mm")
