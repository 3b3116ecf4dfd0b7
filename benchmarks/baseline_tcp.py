"""Baseline (b) of host_load.py: the reference's way, with threads, TCP and JPEG (REFERENCE.md, chapter 7).

One handler thread per client receives a 640x480 JPEG and a mood per frame; a background thread composes the clean
and the annotated grid and encodes both as JPEG at quality 100, 8 times a second; a pusher thread sends the clean one
to every client. The clients' JPEGs are encoded before, at the quality of the grid.
"""

from __future__ import annotations

import contextlib
import math
import socket
import struct
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np
from load_peer import PEOPLE, read_clip
from numpy.typing import NDArray
from processes import say, usage_now

from host.renderer import GridConfig

GRID_FPS = 8
JPEG_QUALITY = 100
HEADER = struct.Struct("!IB")
"""Length of the JPEG and, from a client, the mood: 1 attentive, 0 not."""

Picture = NDArray[Any]
"""(H, W, 3) uint8 BGR."""


def encode(picture: Picture) -> bytes:
    """`picture` as JPEG."""
    return bytes(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1])


def receive(connection: socket.socket) -> tuple[bytes, int]:
    """One JPEG and its mood. Raises `ConnectionError` at the end."""
    header = _exactly(connection, HEADER.size)
    size, mood = HEADER.unpack(header)
    return _exactly(connection, size), mood


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = bytearray(size)
    view, got = memoryview(data), 0
    while got < size:
        count = connection.recv_into(view[got:])
        if count == 0:
            raise ConnectionError
        got += count
    return bytes(data)


class TcpHost:
    """The server of the reference."""

    def __init__(self, config: GridConfig) -> None:
        self._config = config
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._lock = threading.Lock()
        self._latest: dict[socket.socket, tuple[Picture, int]] = {}
        self._grid = b""
        self._annotated = b""
        self._changed = threading.Condition()
        self._closing = threading.Event()
        for work in (self._accept, self._compose, self._push):
            threading.Thread(target=work, daemon=True).start()

    def close(self) -> None:
        """Stop; the process ends right after."""
        self._closing.set()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                threading.Thread(target=self._handle, args=(connection,), daemon=True).start()

    def _handle(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not self._closing.is_set():
                jpeg, mood = receive(connection)
                picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
                assert picture is not None
                with self._lock:
                    self._latest[connection] = (picture, mood)
        with self._lock:
            self._latest.pop(connection, None)

    def _compose(self) -> None:
        while not self._closing.wait(1 / GRID_FPS):
            with self._lock:
                people = list(self._latest.values())
            clean, annotated = self._grids(people)
            clean_jpeg, self._annotated = encode(clean), encode(annotated)
            with self._changed:
                self._grid = clean_jpeg
                self._changed.notify_all()

    def _grids(self, people: list[tuple[Picture, int]]) -> tuple[Picture, Picture]:
        width, height = self._config.width, self._config.height
        columns = max(1, math.ceil(math.sqrt(len(people))))
        rows = max(1, math.ceil(len(people) / columns))
        tile_width, tile_height = width // columns, height // rows
        clean = np.zeros((height, width, 3), np.uint8)
        places = [((i % columns) * tile_width, (i // columns) * tile_height) for i in range(len(people))]
        for index, ((picture, _), (x, y)) in enumerate(zip(people, places, strict=True)):
            tile = cv2.resize(picture, (tile_width, tile_height))
            cv2.putText(tile, f"Person {index}", (8, tile_height - 10), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255))
            clean[y : y + tile_height, x : x + tile_width] = tile
        annotated = clean.copy()
        for (_, mood), (x, y) in zip(people, places, strict=True):
            colour = (0, 200, 0) if mood else (0, 0, 220)
            cv2.rectangle(annotated, (x, y), (x + tile_width - 1, y + tile_height - 1), colour, 4)
            words = "Attentive" if mood else "Not attentive"
            cv2.putText(annotated, words, (x + 10, y + 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, colour, 2)
        return clean, annotated

    def _push(self) -> None:
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait()
                jpeg = self._grid
            with self._lock:
                clients = list(self._latest)
            for client in clients:
                with contextlib.suppress(OSError):
                    client.sendall(HEADER.pack(len(jpeg), 0) + jpeg)


def serve(pipe: Connection, config: GridConfig) -> None:
    """A process of its own: says (host, port), then answers `usage`."""
    host = TcpHost(config)
    say(pipe, host.address)
    with contextlib.suppress(EOFError, OSError):
        while pipe.recv()[0] == "usage":
            say(pipe, usage_now())
    host.close()


class TcpClient:
    """One participant of the reference: sends JPEGs at the grid's camera rate, receives and counts grids."""

    def __init__(self, address: tuple[str, int], jpegs: list[bytes], fps: int) -> None:
        self._socket = socket.create_connection(address)
        self._jpegs = jpegs
        self._fps = fps
        self._start_s = time.monotonic()
        self._first = threading.Event()
        self._join_s = 0.0
        self.frames = self.sent = self.received = 0
        for work in (self._send, self._receive):
            threading.Thread(target=work, daemon=True).start()

    def join_s(self, timeout_s: float) -> float:
        """Seconds from connecting to the first grid. Raises `TimeoutError`."""
        if not self._first.wait(timeout_s):
            raise TimeoutError("no grid came")
        return self._join_s

    def close(self) -> None:
        """Leave."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _send(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                time.sleep(max(0.0, self._start_s + number / self._fps - time.monotonic()))
                jpeg = self._jpegs[number % len(self._jpegs)]
                self._socket.sendall(HEADER.pack(len(jpeg), number % 90 < 60) + jpeg)
                self.sent += HEADER.size + len(jpeg)
                number += 1

    def _receive(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                jpeg, _ = receive(self._socket)
                if not self._first.is_set():
                    self._join_s = time.monotonic() - self._start_s
                    self._first.set()
                self.received += HEADER.size + len(jpeg)
                self.frames += 1


def take_part(pipe: Connection, address: tuple[str, int], count: int, fps: int) -> None:
    """A process of its own: says the join times of `count` clients, then answers `counters`."""
    clips = [[encode(frame) for frame in read_clip(person, 640, 480, 60)] for person in PEOPLE]
    clients = []
    joins = []
    for index in range(count):
        clients.append(TcpClient(address, clips[index % len(clips)], fps))
        joins.append(clients[-1].join_s(15.0))
    say(pipe, joins)
    with contextlib.suppress(EOFError, OSError):
        while pipe.recv()[0] == "counters":
            say(pipe, (time.monotonic(), [(c.frames, c.sent, c.received) for c in clients]))
    for client in clients:
        client.close()
