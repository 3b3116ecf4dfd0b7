"""One encoded stream for every viewer: packets go out as they are, key-frame requests come back as one."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import TYPE_CHECKING, Any

import av
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError

from host.rendition import RenditionChooser
from signaling import rtc

MAX_QUEUED_PACKETS = 15
"""A second of grid per viewer: a sender that is further behind starts again at the next key frame."""

KEY_FRAME_EVERY_S = 1.0
"""Requests (PLI, FIR) of all viewers within this time share one key frame; a join gets its own at once."""

if TYPE_CHECKING:
    Packet = av.Packet[Any]  # generic in its stubs alone
else:
    Packet = av.Packet


class GridTrack(MediaStreamTrack):
    """One viewer's end of the fan-out: a video track whose `recv` returns packets that are already encoded.

    It waits for a key frame first, and again whenever it had to drop. `recv` raises `MediaStreamError` only at
    its end, since any exception would end the sender for good.
    """

    kind = "video"

    def __init__(self, fanout: Fanout) -> None:
        super().__init__()
        self._home = self._fanout = fanout
        self._queue: deque[Packet] = deque()
        self._ready = asyncio.Event()
        self._started = False
        self._needs_key = True
        self._chooser = RenditionChooser()
        self.dropped = 0

    def estimate(self, bits_per_s: int) -> None:
        """This viewer believes that this much gets through: change to the rendition that fits."""
        if self.readyState != "live":
            return  # the connection closes after us, and goes on estimating until then
        if self._home.strained:
            self._chooser.forget()
        elif self._home.small is not None and self._chooser.estimate(bits_per_s, time.monotonic()):
            self._move(self._home.small if self._chooser.small else self._home)

    def _move(self, fanout: Fanout) -> None:
        """Get `fanout`'s packets, from its next key frame on."""
        self._fanout.unsubscribe(self)
        self.dropped = 0
        self._queue.clear()
        self._needs_key = True
        self._fanout = fanout
        fanout.adopt(self)

    def offer(self, packet: Packet) -> None:
        """Queue `packet`, unless this viewer is not connected yet or has to wait for a key frame."""
        if not self._started:
            return
        if packet.is_keyframe:
            self.dropped += len(self._queue)
            self._queue.clear()  # everything before a key frame is history
            self._needs_key = False
        elif self._needs_key:
            return
        elif len(self._queue) >= MAX_QUEUED_PACKETS:
            self.dropped += len(self._queue) + 1
            self._queue.clear()
            self._needs_key = True
            self._fanout.request_key_frame()
            return
        self._queue.append(packet)
        self._ready.set()

    def request_key_frame(self) -> None:
        """This viewer lost the picture (PLI, FIR)."""
        self._fanout.request_key_frame()

    async def recv(self) -> Packet:
        """The next packet; waits for one. The first call, when the connection stands, asks for a key frame."""
        if not self._started:
            self._started = True
            self._fanout.viewer_started()
        while not self._queue:
            if self.readyState != "live":
                raise MediaStreamError
            self._ready.clear()
            await self._ready.wait()
        self._fanout.sent += 1
        packet = self._queue.popleft()
        self._chooser.sent(packet.size, time.monotonic())
        return packet

    def stop(self) -> None:
        """End this viewer's stream."""
        super().stop()
        self._fanout.unsubscribe(self)
        self._queue.clear()
        self._ready.set()


class Fanout:
    """Everybody who watches one rendition of the grid. Event loop only, but for `take_key_request`."""

    def __init__(self, small: Fanout | None = None) -> None:
        """`small`: a rendition for viewers whose network does not carry this one."""
        self.small = small
        self.strained = False
        """Whether the host is late by itself: then estimates are of it, not of the network, and are not heeded."""
        self.packer: rtc.Vp8Packer = rtc.Vp8Packer(None if small is None else small.packer)
        self._tracks: set[GridTrack] = set()
        self._starts = self._starts_served = 0
        self._requests_served = 0
        self._last_key_s = float("-inf")
        self.key_frames = 0
        """Of this very rendition, asked for or not: an encoder begins with one."""
        self.key_requests = 0
        self.sent = 0
        """Frames of this very rendition, one for each viewer who got it."""
        self.dropped = 0

    @property
    def viewers(self) -> int:
        """How many tracks receive the stream, in either rendition."""
        return len(self._tracks) + (0 if self.small is None else self.small.viewers)

    @property
    def watched(self) -> bool:
        """Whether anybody receives this very rendition."""
        return bool(self._tracks)

    def subscribe(self) -> GridTrack:
        """A new viewer's track."""
        track = GridTrack(self)
        self._tracks.add(track)
        return track

    def adopt(self, track: GridTrack) -> None:
        """A viewer comes over from another rendition: the next frame is a key frame."""
        self._tracks.add(track)
        self.viewer_started()

    def unsubscribe(self, track: GridTrack) -> None:
        """Forget a viewer; `GridTrack.stop` calls it."""
        if track in self._tracks:
            self._tracks.discard(track)
            self.dropped += track.dropped

    def publish(self, packet: Packet) -> None:
        """Hand one packet to every viewer."""
        self.packer.put(packet)
        self.key_frames += packet.is_keyframe
        for track in self._tracks:
            track.offer(packet)

    def request_key_frame(self) -> None:
        """A viewer lost the picture (PLI, FIR, or its queue overflowed)."""
        self.key_requests += 1

    def viewer_started(self) -> None:
        """A viewer's connection stands: the next frame is a key frame."""
        self._starts += 1

    def take_key_request(self) -> bool:
        """Whether the next frame has to be a key frame; the renderer asks before each. Any thread."""
        # The loop only counts up and this thread only remembers what it served: nothing is lost between them.
        now = time.monotonic()
        starts, requests = self._starts, self.key_requests
        asked = requests != self._requests_served and now - self._last_key_s >= KEY_FRAME_EVERY_S
        due = starts != self._starts_served or asked
        if due:
            self._starts_served, self._requests_served = starts, requests
            self._last_key_s = now
        return due

    def frames_sent(self) -> int:
        """Frames that went out in either rendition, one for each viewer who got it."""
        return self.sent + (0 if self.small is None else self.small.frames_sent())

    def key_frames_made(self) -> int:
        """Key frames of either rendition."""
        return self.key_frames + (0 if self.small is None else self.small.key_frames_made())

    def key_frames_asked(self) -> int:
        """How often viewers asked for one, of either rendition."""
        return self.key_requests + (0 if self.small is None else self.small.key_frames_asked())

    def queue_drops(self) -> int:
        """Packets that viewers never got because they were too far behind."""
        others = 0 if self.small is None else self.small.queue_drops()
        return self.dropped + sum(track.dropped for track in self._tracks) + others

    def close(self) -> None:
        """End every viewer's stream."""
        for track in list(self._tracks):
            track.stop()
        if self.small is not None:
            self.small.close()
