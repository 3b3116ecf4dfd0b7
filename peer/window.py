"""`--window`: one's own picture with the mood on it, beside the shared grid, in an OpenCV window.

The window wants the main thread on most systems, so the meeting runs in another one while it is open.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np

from peer.badge import draw_badge
from peer.perception.verdict import Verdict
from peer.source import Pixels
from signaling.errors import EdgeAttendError

TITLE = "EdgeAttend"
FPS = 15

OWN_WIDTH, GRID_WIDTH, HEIGHT = 480, 960, 540
"""Pixels: a third for oneself, two thirds for the others."""

BACKGROUND_BGR = (40, 36, 32)
TEXT_BGR = (220, 220, 220)
QUIT_KEYS = (ord("q"), ord("Q"), 27)
SKIP_KEYS = (ord("s"), ord("S"), 13)
BANNER_PX = 40

PROBE = f"import cv2; cv2.namedWindow({TITLE!r}); cv2.pollKey(); cv2.destroyAllWindows()"
PROBE_TIMEOUT_S = 20.0


class DisplayUnavailable(EdgeAttendError):  # noqa: N818  as its siblings in signaling.errors
    """There is no screen to open a window on."""

    code, status = "display_unavailable", 500


class Scene(Protocol):
    """What the window shows; read from the window's thread."""

    def own_picture(self) -> Pixels | None:
        """Our latest picture, (H, W, 3) uint8 BGR."""

    def verdict(self) -> Verdict | None:
        """Our label; None where labels are off or none was found yet."""

    def calibration_left_s(self) -> int | None:
        """How long to look at the screen yet; None while nothing is measured."""

    def skip_calibration(self) -> None:
        """The person doesn't want to be measured."""

    def grid_picture(self) -> Pixels | None:
        """The grid's latest picture, (H, W, 3) uint8 BGR."""

    def status(self) -> str:
        """Where we stand with the meeting, in words, while there is no grid."""


def check_display() -> None:
    """Raises `DisplayUnavailable` if no window can be opened here.

    Tried in a process of its own: without a display, Qt ends the whole process instead of reporting an error.
    """
    try:
        probe = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, timeout=PROBE_TIMEOUT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        probe = None
    if probe is None or probe.returncode != 0:
        raise DisplayUnavailable(
            "expected a display for --window, got none that works: set DISPLAY to a running X server,"
            " or join without --window",
            detail=probe.stderr.decode(errors="replace")[-500:] if probe else "timed out",
        )


def show(scene: Scene, done: threading.Event, leave: Callable[[], None]) -> None:
    """Draw `scene` until `done`; `leave` is called when the user closes the window, or presses q or Escape.

    s or Enter ends a calibration.
    """
    cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
    cv2.resizeWindow(TITLE, OWN_WIDTH + GRID_WIDTH, HEIGHT)
    try:
        while not done.is_set():
            cv2.imshow(TITLE, compose(scene))
            key = cv2.waitKey(1000 // FPS) & 0xFF
            if key in SKIP_KEYS:
                scene.skip_calibration()
            if key in QUIT_KEYS or cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
                leave()
                return
    finally:
        cv2.destroyAllWindows()


def compose(scene: Scene) -> Pixels:
    """The whole window, (HEIGHT, OWN_WIDTH + GRID_WIDTH, 3) uint8 BGR."""
    canvas = np.full((HEIGHT, OWN_WIDTH + GRID_WIDTH, 3), BACKGROUND_BGR, np.uint8)
    own = scene.own_picture()
    if own is None:
        _text(canvas[:, :OWN_WIDTH], "no picture")
    else:
        place = _letterbox(canvas[:, :OWN_WIDTH], own)
        place[:] = place[:, ::-1].copy()  # as in a mirror, which is how people know themselves
        draw_badge(place, scene.verdict())
    left_s = scene.calibration_left_s()
    if left_s is not None:
        canvas[:BANNER_PX, :OWN_WIDTH] = BACKGROUND_BGR
        _text(canvas[:BANNER_PX, :OWN_WIDTH], f"Look at the screen: {left_s} s (s skips)")
    grid = scene.grid_picture()
    if grid is None:
        _text(canvas[:, OWN_WIDTH:], scene.status())
    else:
        _letterbox(canvas[:, OWN_WIDTH:], grid)
    return canvas


def _letterbox(panel: Pixels, picture: Pixels) -> Pixels:
    """Scale `picture` into the middle of `panel`, keeping its aspect; the part of the panel that it covers."""
    height, width = picture.shape[:2]
    scale = min(panel.shape[1] / width, panel.shape[0] / height)
    columns, rows = max(1, int(width * scale)), max(1, int(height * scale))
    left, top = (panel.shape[1] - columns) // 2, (panel.shape[0] - rows) // 2
    place = panel[top : top + rows, left : left + columns]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    place[:] = cv2.resize(picture, (columns, rows), interpolation=how)
    return place


def _text(panel: Pixels, text: str) -> None:
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_DUPLEX, 0.8, 1)
    origin = ((panel.shape[1] - width) // 2, (panel.shape[0] + height) // 2)
    cv2.putText(panel, text, origin, cv2.FONT_HERSHEY_DUPLEX, 0.8, TEXT_BGR, 1, cv2.LINE_AA)
