"""A real meeting for the pages to show: a server that can be restarted, and peers that send one colour each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import cv2
import numpy as np

from benchmarks.load_peer import EncodedTrack, LoadPeer
from host.room import Room
from signaling.codec import Vp8Encoder
from signaling.ice import IceConfig
from signaling.protocol import Label, Mood, Reason, encode
from signaling.server import Links, RunningServer, ServeConfig, running
from signaling.tokens import Role, TokenAuthority

Rgb = tuple[int, int, int]
T = TypeVar("T")

SECRET = "a secret of the browser tests, long enough"
WIDTH, HEIGHT, FPS = 320, 240, 15
MOOD_EVERY_S = 0.3

ATTENTIVE = (Label.ATTENTIVE, 0.91, Reason.FACE)
NOT_ATTENTIVE = (Label.NOT_ATTENTIVE, 0.21, Reason.FACE)
DOWN = (Label.NOT_ATTENTIVE, 0.08, Reason.DOWN)
NO_FACE = (Label.NOT_ATTENTIVE, 0.0, Reason.NO_FACE)
PAUSED = (Label.UNKNOWN, 0.0, Reason.PAUSED)
Said = tuple[Label, float, Reason]


def solid_frames(colour: Rgb) -> list[bytes]:
    """Half a second of VP8 in one colour."""
    rgb = np.full((HEIGHT, WIDTH, 3), colour, np.uint8)
    planes = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420), np.uint8)
    encoder = Vp8Encoder(WIDTH, HEIGHT, FPS, 300)
    packets = [encoder.encode(planes, number) for number in range(8)]
    return [bytes(packet) for packet in packets if packet is not None]


async def eventually(check: Callable[[], Awaitable[T]], what: str, timeout_s: float = 20.0) -> T:
    """What `check` returns once that is true. Raises `AssertionError` with the last answer after `timeout_s`."""
    end = time.monotonic() + timeout_s
    while not (answer := await check()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout_s} s for {what}, got {answer!r}")
        await asyncio.sleep(0.05)
    return answer


class ColourPeer(LoadPeer):
    """A participant whose video is one colour, and whose mood is whatever `mood` holds now."""

    def __init__(self, colour: Rgb, mood: Said | None) -> None:
        super().__init__(EncodedTrack(solid_frames(colour), FPS))
        self.mood = mood

    async def _send_moods(self) -> None:
        while True:
            await asyncio.sleep(MOOD_EVERY_S)
            if self.mood is not None and self._channel.readyState == "open":
                self._seq += 1
                self._channel.send(encode(Mood(*self.mood, self._seq)))


class Meeting:
    """One room on one port, with its peers; `stop` and `start` are a restart."""

    def __init__(self, ice: IceConfig | None = None) -> None:
        self._ice = ice or IceConfig()
        self._server = AsyncExitStack()
        self._http = aiohttp.ClientSession()
        self._peers: list[ColourPeer] = []
        self._port = 0
        self.running: RunningServer

    async def start(self, secret: str = SECRET) -> None:
        """Serve; after the first time on the same port."""
        config = ServeConfig(secret=secret, port=self._port, ice=self._ice)
        self.running = await self._server.enter_async_context(running(config))
        self._port = self.running.port

    async def stop(self) -> None:
        """End the server; peers notice by themselves."""
        await self._server.aclose()

    async def close(self) -> None:
        """End everything."""
        for peer in self._peers:
            await peer.close()
        await self._http.close()
        await self._server.aclose()

    @property
    def links(self) -> Links:
        """Of the server that runs now."""
        return self.running.links[0]

    @property
    def room(self) -> Room:
        """The room itself, for what no request tells."""
        return self.running.directory.rooms()[0]

    def token(self, role: Role, ttl_s: float = 600.0) -> str:
        """A token as the server issues them."""
        return TokenAuthority(SECRET).issue(role, "main", ttl_s=ttl_s)

    async def join(self, name: str, colour: Rgb = (90, 90, 90), mood: Said | None = None) -> ColourPeer:
        """A participant who is in the grid."""
        peer = ColourPeer(colour, mood)
        self._peers.append(peer)
        url = f"{self.links.whip_url}?{urlencode({'name': name})}"
        await peer.join(self._http, url, self.links.tokens["participant"])
        return peer

    async def end_session(self, resource: str) -> int:
        """DELETE a session with the host's token; the HTTP status."""
        headers = {"Authorization": f"Bearer {self.links.tokens['host']}"}
        async with self._http.delete(resource, headers=headers) as response:
            return response.status
