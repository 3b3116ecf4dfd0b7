"""Baseline (a) of host_load.py: a grid the way aiortc's examples do it.

aiortc decodes every participant's track in a thread of its own; one task composes (with our compositor, so that the
picture is the same and costs the same); a `MediaRelay` hands the frame to a track per viewer; and aiortc's sender
encodes it there, once per viewer, in the event loop's threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from fractions import Fraction
from multiprocessing.connection import Connection

from aiohttp import web
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.contrib.media import MediaRelay
from aiortc.mediastreams import MediaStreamError
from av.video.frame import VideoFrame
from processes import answer_questions, say, usage

from host.compositor import Compositor, Scene, Tile
from host.layout import layout
from host.participant import Participant
from host.renderer import GridConfig
from host.slot import VideoSlot


class LatestFrame(VideoSlot):
    """A slot for frames that aiortc has decoded already."""

    def __init__(self) -> None:
        super().__init__(lambda: None)
        self._frame: VideoFrame | None = None

    def put(self, frame: VideoFrame) -> None:
        """The newest frame."""
        self._frame = frame
        self.last_frame_s = time.monotonic()

    def take(self) -> VideoFrame | None:
        """See `VideoSlot`."""
        frame, self._frame = self._frame, None
        return frame


class GridSource(VideoStreamTrack):
    """The composed grid, as raw frames at its rate."""

    def __init__(self, config: GridConfig) -> None:
        super().__init__()
        self.scene = Scene("main", ())
        self._compositor = Compositor(config.width, config.height)
        self._config = config
        self._start = time.monotonic()
        self._number = 0

    async def recv(self) -> VideoFrame:
        """The next frame, when it is due."""
        self._number += 1
        await asyncio.sleep(max(0.0, self._start + self._number / self._config.fps - time.monotonic()))
        planes = self._compositor.compose(self.scene, time.strftime("%H:%M:%S"))
        frame = VideoFrame.from_ndarray(planes, format="yuv420p")  # copies: the encoders run while we compose on
        frame.pts = self._number
        frame.time_base = Fraction(1, self._config.fps)
        return frame


class RelayHost:
    """Participants, their latest frames, and the relay."""

    def __init__(self, config: GridConfig) -> None:
        self._config = config
        self._grid = GridSource(config)
        self._relay = MediaRelay()
        self._connections: list[RTCPeerConnection] = []
        self._participants: list[Participant] = []
        self._readers: set[asyncio.Task[None]] = set()

    async def publish(self, request: web.Request) -> web.Response:
        """One participant: their video in, the grid out."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._connections.append(connection)
        name = request.query["name"]

        @connection.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            reader = asyncio.create_task(self._read(track, name))
            self._readers.add(reader)
            reader.add_done_callback(self._readers.discard)

        await connection.setRemoteDescription(RTCSessionDescription(await request.text(), "offer"))
        viewing = connection.getTransceivers()[-1]
        viewing.direction = "sendonly"
        viewing.sender.replaceTrack(self._relay.subscribe(self._grid, buffered=False))
        answer = await connection.createAnswer()
        await connection.setLocalDescription(answer)
        return web.Response(status=201, text=connection.localDescription.sdp, content_type="application/sdp")

    async def close(self) -> None:
        """End every connection."""
        self._grid.stop()
        await asyncio.gather(*(connection.close() for connection in self._connections), return_exceptions=True)
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)

    async def _read(self, track: MediaStreamTrack, name: str) -> None:
        slot = LatestFrame()
        participant = Participant(name, name)
        participant.slot = slot
        participant.connected()
        self._participants.append(participant)
        rects = layout(self._config.width, self._config.height, [4 / 3] * len(self._participants))
        pairs = zip(self._participants, rects, strict=True)
        self._grid.scene = Scene("main", tuple(Tile(person, rect) for person, rect in pairs))
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, VideoFrame)
                slot.put(frame)


async def _serve(pipe: Connection, config: GridConfig) -> None:
    host = RelayHost(config)
    app = web.Application()
    app.router.add_post("/whip/main", host.publish)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        say(pipe, (f"http://127.0.0.1:{runner.addresses[0][1]}/whip/main", "no-token"))
        await answer_questions(pipe, {"usage": usage})
    finally:
        await host.close()
        await runner.cleanup()


def serve(pipe: Connection, config: GridConfig) -> None:
    """A process of its own: says (URL, token), then answers `usage`."""
    asyncio.run(_serve(pipe, config))
