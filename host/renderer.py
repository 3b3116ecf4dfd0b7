"""The room's clock: one thread that composes the grid at its rate, encodes it once, and hands it out."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np

from host.annotated import AnnotatedView, draw_aggregate, draw_annotated, encode_jpeg
from host.compositor import Compositor, Scene
from host.fanout import Fanout, Packet
from host.histogram import Histogram
from signaling.codec import Planes, Vp8Encoder

logger = logging.getLogger(__name__)

ANNOTATED_FPS = 10
MAX_UNPUBLISHED = 15
"""Packets on their way to the event loop: when it is a second behind, frames are skipped, not queued."""

STATS_FRAMES = 64

SMALL_EVERY = 2
"""Frames of the grid for one of the small rendition."""

SMALL_SCALE = 2.0
"""Its sides: 640x360 of 1280x720."""

SMALL_KBPS = 180
"""With the headers and what a participant sends, this fits into 300 kbit/s."""


@dataclass(frozen=True, slots=True)
class GridConfig:
    """The grid's size in pixels (even; at most 1280x720, which every VP8 and H.264 level 3.1 receiver decodes), its
    rate in frames/s and its bitrate in kbit/s."""

    width: int = 1280
    height: int = 720
    fps: int = 15
    kbps: int = 1500


class Renderer:
    """Owns the compositor's thread. `scene` may be replaced at any time from the event loop."""

    def __init__(self, config: GridConfig, scene: Scene, fanout: Fanout, annotated: AnnotatedView) -> None:
        self.scene = scene
        self.rate = config.fps
        """Frames/s to compose from now on; may be replaced like `scene`."""
        self._config = config
        self._fanout = fanout
        self._annotated = annotated
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._handed_over = 0  # counted in the thread
        self._published = 0  # counted on the loop
        self._annotated_due_s = 0.0
        self._thread = threading.Thread(target=self._run, name="compositor", daemon=True)
        self._compose_s: deque[float] = deque(maxlen=STATS_FRAMES)
        self._encode_s: deque[float] = deque(maxlen=STATS_FRAMES)
        self._ticks: deque[float] = deque(maxlen=STATS_FRAMES)
        self._small_encoder: Vp8Encoder | None = None
        self._small_number = -1
        self.compose_times = Histogram()
        self.encode_times = Histogram()
        self.frames = 0
        self.skipped = 0
        self.errors = 0

    def start(self) -> None:
        """Begin to render."""
        self._thread.start()

    async def close(self) -> None:
        """Stop and wait for the thread."""
        self._stop.set()
        if self._thread.is_alive():
            await self._loop.run_in_executor(None, self._thread.join)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def fps(self) -> float:
        """Frames/s really composed, over the last `STATS_FRAMES`."""
        ticks = list(self._ticks)
        return (len(ticks) - 1) / (ticks[-1] - ticks[0]) if len(ticks) > 1 else 0.0

    @property
    def compose_ms(self) -> float:
        """Median time to compose one frame, decoding included."""
        return 1000 * median(list(self._compose_s) or [0.0])

    @property
    def encode_ms(self) -> float:
        """Median time to encode one frame, in every rendition that is watched."""
        return 1000 * median(list(self._encode_s) or [0.0])

    def _run(self) -> None:
        cv2.setNumThreads(1)  # planes are too small to share out: OpenCV's threads cost more than they save
        compositor = Compositor(self._config.width, self._config.height)
        encoder: Vp8Encoder | None = None
        start = time.monotonic()
        fps, number = self.rate, 0
        while not self._stop.wait(max(0.0, start + number / fps - time.monotonic())):
            if fps != self.rate:  # the rate is the encoder's time base: another one begins, with a key frame
                encoder = None
                fps, number = self.rate, math.ceil((time.monotonic() - start) * self.rate)
            try:
                encoder = self._frame(compositor, encoder, number, fps)
            except Exception:  # one bad frame must not end everybody's meeting
                encoder = None
                self._log_error("render")
            due = int((time.monotonic() - start) * fps)
            self.skipped += max(0, due - number - 1)
            number = max(number + 1, due)

    def _frame(self, compositor: Compositor, encoder: Vp8Encoder | None, number: int, fps: int) -> Vp8Encoder | None:
        """Compose, encode, publish one frame; `number` counts grid intervals of 1/`fps`, skipped ones included."""
        began = time.perf_counter()
        scene = self.scene
        clock = time.strftime("%H:%M:%S")
        planes = compositor.compose(scene, clock)
        composed = time.perf_counter()
        self.frames += 1
        self._ticks.append(time.monotonic())
        self._compose_s.append(composed - began)
        self.compose_times.observe(composed - began)
        full = self._fanout.watched and self._handed_over - self._published < MAX_UNPUBLISHED
        if full:
            encoder = self._encode(encoder or self._new_encoder(fps), planes, number)
        small = self._encode_small(planes, number, fps)
        if full or small:
            encoded_s = time.perf_counter() - composed
            self._encode_s.append(encoded_s)
            self.encode_times.observe(encoded_s)
        if self._annotated.watchers and time.monotonic() >= self._annotated_due_s:
            self._annotated_due_s = time.monotonic() + 0.9 / ANNOTATED_FPS  # a tick early beats a tick late
            self._annotate(planes, scene, clock)
        return encoder

    def _annotate(self, planes: Planes, scene: Scene, clock: str) -> None:
        try:
            meter = self._annotated.share
            if meter is None:
                picture = draw_annotated(planes, scene, clock)
            else:
                picture = draw_aggregate(planes, scene, meter.latest, clock)
            jpeg = encode_jpeg(picture)
        except Exception:  # the host's view alone: everybody else's encoder goes on
            self._log_error("annotate")
        else:
            self._hand_over(lambda: self._annotated.publish(jpeg))

    def _log_error(self, what: str) -> None:
        """Count an error, and log the first ones and then ever fewer."""
        self.errors += 1
        if self.errors in (1, 10, 100) or self.errors % 1000 == 0:
            logger.exception("could not %s a frame (error %d)", what, self.errors)

    def _new_encoder(self, fps: int) -> Vp8Encoder:
        """With fewer frames than configured, fewer bits: each frame looks the same, and there is less to send."""
        config = self._config
        return Vp8Encoder(config.width, config.height, fps, config.kbps * fps // config.fps)

    def _encode(self, encoder: Vp8Encoder, planes: Planes, number: int) -> Vp8Encoder:
        key_frame = self._fanout.take_key_request()
        packet = encoder.encode(planes, number, key_frame=key_frame)
        if packet is not None:
            self._handed_over += 1
            self._hand_over(lambda: self._publish(packet, self._fanout))
        return encoder

    def _encode_small(self, planes: Planes, number: int, fps: int) -> bool:
        """The small rendition of every `SMALL_EVERY`-th frame, while somebody receives it; whether it was of this."""
        fanout = self._fanout.small
        if fanout is None or not fanout.watched:
            self._small_encoder = None
            return False
        if number // SMALL_EVERY == self._small_number or self._handed_over - self._published >= MAX_UNPUBLISHED:
            return False
        self._small_number = number // SMALL_EVERY
        if self._small_encoder is None or self._small_encoder.fps != fps:
            width, height = (int(side / SMALL_SCALE / 2) * 2 for side in (self._config.width, self._config.height))
            # The full rendition's time base, whose numbers these are too: a viewer's clock goes on across a change.
            self._small_encoder = Vp8Encoder(width, height, fps, SMALL_KBPS)
        encoder = self._small_encoder
        key_frame = fanout.take_key_request()
        try:
            small = shrink(planes, self._config.width, self._config.height, encoder.width, encoder.height)
            packet = encoder.encode(small, number, key_frame=key_frame)
        except Exception:  # of the small rendition alone: its next encoder begins with a key frame
            self._small_encoder = None
            self._log_error("shrink")
            return False
        if packet is not None:
            self._handed_over += 1
            self._hand_over(lambda: self._publish(packet, fanout))
        return True

    def _publish(self, packet: Packet, fanout: Fanout) -> None:
        self._published += 1
        fanout.publish(packet)

    def _hand_over(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop closed under us: the process is ending
            self._stop.set()


def shrink(planes: Planes, width: int, height: int, to_width: int, to_height: int) -> Planes:
    """I420 `planes` of `width` x `height` at another size, plane by plane; all sides are even."""
    out = np.empty((to_height * 3 // 2, to_width), np.uint8)
    sizes = ((height, width, to_height, to_width), *((height // 2, width // 2, to_height // 2, to_width // 2),) * 2)
    have, made = planes.reshape(-1), out.reshape(-1)
    at, put = 0, 0
    for rows, columns, to_rows, to_columns in sizes:
        plane = have[at : at + rows * columns].reshape(rows, columns)
        cv2.resize(
            plane,
            (to_columns, to_rows),
            made[put : put + to_rows * to_columns].reshape(to_rows, to_columns),
            interpolation=cv2.INTER_AREA,
        )
        at, put = at + rows * columns, put + to_rows * to_columns
    return out


def check_grid(config: GridConfig) -> str | None:
    """What is wrong with `config`, or None. Sizes are limited by what every receiver can decode."""
    if config.width % 2 or config.height % 2:
        return f"expected an even grid width and height, got {config.width}x{config.height}"
    if not (320 <= config.width <= 1280 and 180 <= config.height <= 720):
        return f"expected a grid from 320x180 to 1280x720, got {config.width}x{config.height}"
    if not 1 <= config.fps <= 30:
        return f"expected 1 to 30 frames/s, got {config.fps}"
    return None
