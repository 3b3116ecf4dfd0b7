"""What a participant is asked to send: no more than their tile can show."""

from __future__ import annotations

from host.layout import DEFAULT_ASPECT, Rect
from host.participant import Participant
from signaling.protocol import Send

BITS_PER_PIXEL = 0.13
"""Of a talking head in VP8: 0.6 Mbit/s at 640x480 and 15 frames/s."""
MIN_KBPS, MAX_KBPS = 120, 1500

EASED_SIDE = 2 / 3
"""Of a tile's sides, when the host has too much to do: less than half of the pixels, and faces are still faces."""

EASED_FPS = 10

MIN_SIDE_PX = 16
"""The least that a `Send` may ask for."""


def wanted(tile: Rect, fps: int, *, eased: bool = False) -> Send:
    """What fills `tile` at the grid's rate (frames/s), or what will do if the load has to be `eased`."""
    width, height = tile.width, tile.height
    if eased:
        width, height = (max(MIN_SIDE_PX, int(side * EASED_SIDE) & ~1) for side in (width, height))
        fps = min(fps, EASED_FPS)
    bits = width * height * fps * BITS_PER_PIXEL
    kbps = max(MIN_KBPS, min(MAX_KBPS, round(bits / 1000)))
    return Send(width=width, height=height, fps=fps, kbps=kbps)


def aspect(participant: Participant) -> float:
    """The shape of a participant's video, to a twentieth, so that a few pixels do not move everybody's tile."""
    size = participant.slot.size if participant.slot is not None else None
    return DEFAULT_ASPECT if size is None else max(0.5, min(2.5, round(size[0] / size[1] * 20) / 20))
