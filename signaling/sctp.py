"""Bounds for what comes in on a connection's data channels, where aiortc keeps and counts whatever is sent.

One connection shares the event loop with all others: without these, a packet with acknowledgements of 300 times
65,535 chunks takes seconds, and messages that never end, or channels by the thousand, take all memory. Beside
`signaling.rtc` and `signaling.rtcguard` the only module that touches private names of aiortc (1.16, pinned).
"""

from __future__ import annotations

import logging

from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import Chunk, DataChunk, RTCSctpTransport, SackChunk
from aiortc.utils import uint32_gt

logger = logging.getLogger(__name__)

MAX_AHEAD = 1024
"""Chunks after one that is missing: more than fill the receive window of 1 MiB with whole packets."""

MAX_UNFINISHED = 2 * MAX_AHEAD
"""Chunks of messages that have not come to their end, all channels together."""

MAX_CHANNELS = 64
"""At once, also those that are being closed. We need one; a client of somebody else's may try others."""

SEQUENCE_NUMBERS = 2**32


def bound_channels(connection: RTCPeerConnection) -> None:
    """End `connection` if what it gets on data channels is beyond bounds, or makes aiortc's SCTP fail.

    To be called when there is something about data channels in its description, and before it connects.
    """
    sctp = connection.sctp
    if sctp is None:
        return
    receive = sctp._receive_chunk

    async def bounded(chunk: Chunk) -> None:
        if isinstance(chunk, DataChunk) and _is_far_ahead(sctp, chunk):
            return  # whoever keeps to the window sends it again
        if isinstance(chunk, SackChunk) and sum(max(0, last - first + 1) for first, last in chunk.gaps) > MAX_AHEAD:
            chunk.gaps = []
        try:
            await receive(chunk)
        except ConnectionError:
            raise
        except Exception as error:  # aiortc would end the connection too, but log it as a fault of ours
            logger.debug("what came on a data channel cannot be taken: %s", type(error).__name__)
            raise ConnectionError from error
        if (
            max(len(sctp._inbound_streams), len(sctp._data_channels)) > MAX_CHANNELS
            or _unfinished(sctp) > MAX_UNFINISHED
        ):
            logger.debug("ended a connection with too many data channels, or messages without an end")
            raise ConnectionError

    sctp._receive_chunk = bounded  # type: ignore[method-assign]


def _is_far_ahead(sctp: RTCSctpTransport, chunk: DataChunk) -> bool:
    last = sctp._last_received_tsn
    return last is None or (uint32_gt(chunk.tsn, last) and (chunk.tsn - last) % SEQUENCE_NUMBERS > MAX_AHEAD)


def _unfinished(sctp: RTCSctpTransport) -> int:
    return sum(len(stream.reassembly) for stream in sctp._inbound_streams.values())
