"""The room's end of every connection: one DTLS certificate, and a STUN server for as long as that answers."""

from __future__ import annotations

import logging
import time

from aiortc import RTCPeerConnection

from signaling import rtc

logger = logging.getLogger(__name__)

SLOW_S = 1.0
"""A gathering that takes longer waits for an answer that does not come."""
STUN_PAUSE_S = 60.0
"""After a question that was not answered: everybody who joins would wait for nothing, one after the other."""


class Endpoint:
    """Makes connections; `stun` (`stun:HOST:PORT`) tells them the address that this machine has outside of a NAT."""

    def __init__(self, stun: str | None = None) -> None:
        self._certificate = rtc.Certificate.generateCertificate()
        self._stun = stun
        self._stun_again_s = float("-inf")

    def connect(self) -> RTCPeerConnection:
        """A new connection."""
        asks = self._stun is not None and time.monotonic() >= self._stun_again_s
        return rtc.peer_connection(self._certificate, self._stun if asks else None)

    def gathered(self, connection: RTCPeerConnection, took_s: float) -> None:
        """Look at what a connection of ours has gathered, in `took_s`: whether the STUN server answered everywhere.

        An address without a way out makes every gathering last as long as a server that is gone.
        """
        if self._stun is None or time.monotonic() < self._stun_again_s:
            return
        if " typ srflx" not in connection.localDescription.sdp or took_s > SLOW_S:
            self._stun_again_s = time.monotonic() + STUN_PAUSE_S
            logger.warning("the STUN server %s does not answer: not asked again for %d s", self._stun, STUN_PAUSE_S)
