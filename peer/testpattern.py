"""A moving test picture with a readable clock and counter: no camera needed, no face in it, almost no cost."""

from __future__ import annotations

import time

import cv2
import numpy as np

from peer.source import Pixels, Source

WIDTH, HEIGHT = 640, 480
FPS = 30

STEP_PX = 4
"""How far the bars move per frame."""

TEXT_BGR = (255, 255, 255)
PANEL_BGR = (32, 32, 32)


class TestPatternSource(Source):
    """Colour bars that wander to the left, and on them the seconds since the start and the frame's number."""

    __test__ = False  # for pytest: not a test case

    def _run(self) -> None:
        bars = _bars()
        start_s = time.monotonic()
        number = 0
        while not self._stopping.wait(max(0.0, start_s + number / FPS - time.monotonic())):
            self._publish(_picture(bars, number))
            # After a stall, on with the number that is due now: the picture shows the time.
            number = max(number + 1, int((time.monotonic() - start_s) * FPS))


def _bars() -> Pixels:
    """(HEIGHT, 2 * WIDTH, 3) uint8 BGR: two periods, so that any shift is one slice."""
    hue = np.repeat(np.linspace(0, 180, 8, endpoint=False, dtype=np.uint8), WIDTH // 8)
    fade = np.linspace(150, 70, HEIGHT, dtype=np.uint8)
    hsv = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    hsv[..., 0], hsv[..., 1], hsv[..., 2] = hue, 110, fade[:, np.newaxis]
    bgr = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    return np.concatenate([bgr, bgr], axis=1).astype(np.uint8)


def _picture(bars: Pixels, number: int) -> Pixels:
    shift = (number * STEP_PX) % WIDTH
    picture = bars[:, shift : shift + WIDTH].copy()
    cv2.rectangle(picture, (60, 200), (580, 290), PANEL_BGR, cv2.FILLED)
    clock = f"{number // FPS // 60:02d}:{number // FPS % 60:02d}.{number % FPS * 10 // FPS}"
    cv2.putText(picture, clock, (80, 262), cv2.FONT_HERSHEY_DUPLEX, 1.6, TEXT_BGR, 2, cv2.LINE_AA)
    cv2.putText(picture, f"frame {number}", (340, 262), cv2.FONT_HERSHEY_DUPLEX, 0.9, TEXT_BGR, 1, cv2.LINE_AA)
    return picture
