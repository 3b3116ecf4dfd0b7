"""Connections whose other end takes nothing any more of what it asked for: they are closed.

A file that nobody reads lies in the system's buffers, and neither asyncio nor aiohttp ever gives up on it. Progress is
read from TCP itself, in bytes acknowledged: `sendfile` tells nothing before its end, and TCP_USER_TIMEOUT also ends
those who read slowly with a small window.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from dataclasses import dataclass

LOOKS = 4
"""How often a connection is looked at within the patience: it is closed at most a quarter later than said. Looks are
counted, not seconds: a loop that was late blames nobody."""

INFO_BYTES = 148
UNACKED_AT, BYTES_ACKED_AT, NOT_SENT_AT = 24, 120, 144
"""Into Linux' `struct tcp_info`, up to and with `tcpi_notsent_bytes` (Linux 4.6)."""

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER for no time: what was not taken is thrown away, and does not go on waiting in the system."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What the other end has acknowledged so far, in bytes, and whether more waits for it."""

    acknowledged: int
    waiting: bool


def progress_of(connection: socket.socket) -> Progress | None:
    """How far sending has come; None where the system does not tell (anything but Linux)."""
    if sys.platform != "linux":
        return None
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)
    except OSError:
        return None
    if len(info) < INFO_BYTES:
        return None
    unacked, not_sent = (struct.unpack_from("=I", info, at)[0] for at in (UNACKED_AT, NOT_SENT_AT))
    (acknowledged,) = struct.unpack_from("=Q", info, BYTES_ACKED_AT)
    return Progress(acknowledged, bool(unacked or not_sent))


class SendWatch:
    """Looks at one connection until `close`, and ends it when nothing was taken for `patience_s` of what waits."""

    def __init__(self, connection: socket.socket, patience_s: float) -> None:
        self._connection, self._patience_s = connection, patience_s
        self._loop = asyncio.get_running_loop()
        self._acknowledged = 0
        self._in_vain = 0
        self._timer = self._loop.call_later(patience_s / LOOKS, self._look)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        progress = progress_of(self._connection)
        if progress is None:
            return
        if not progress.waiting or progress.acknowledged != self._acknowledged:
            self._acknowledged, self._in_vain = progress.acknowledged, 0
        else:
            self._in_vain += 1
            if self._in_vain >= LOOKS:
                self._end()
                return
        self._timer = self._loop.call_later(self._patience_s / LOOKS, self._look)

    def _end(self) -> None:
        """Whoever writes, be it a transport or `sendfile`, finds the pipe broken and cleans up in their own way."""
        with contextlib.suppress(OSError):  # the other end closed it meanwhile
            self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self._connection.shutdown(socket.SHUT_RDWR)
