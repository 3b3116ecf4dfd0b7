"""What comes in at a media port, from anybody, kept from doing harm (aiortc 1.16 and aioice 0.13, both pinned).

aiortc and aioice take a packet that they cannot read for a fault of their own: an empty datagram of a stranger ends
a session, a STUN attribute one byte short fills the log, an SCTP parameter of length 0 halts the whole process. What
is replaced here, for every connection and once, lets such packets fall, and bounds the time and the memory that one
remote side can take. Imported by `signaling.rtc`, which stands between aiortc and all others.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any, cast
from weakref import WeakKeyDictionary

import pylibsrtp
from aioice import stun
from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCRtpSender, rate, rtcsctptransport
from aiortc.rtcdtlstransport import RTCDtlsParameters, RTCDtlsTransport, State
from aiortc.rtcrtpreceiver import NackGenerator, StreamStatistics
from aiortc.rtcsctptransport import RTCSctpTransport
from aiortc.rtp import RTP_HISTORY_SIZE, AnyRtcpPacket, RtcpRtpfbPacket, RtpPacket
from aiortc.utils import uint16_add, uint16_gt
from OpenSSL import SSL

from signaling.errors import place_of

logger = logging.getLogger(__name__)

LAST_STUN_BYTE = b"\x03"
"""What begins with less, or with nothing, is no media (RFC 7983 7)."""

DTLS_BYTES = range(20, 32)
"""Content types of DTLS records that have a header of `DTLS_HEADER` bytes."""

DTLS_HEADER = 13

MAX_DATAGRAM = 1500
"""Bytes: media is cut to fit Ethernet (RFC 8834 4.3). aiortc fails at longer RTP, and leaves the rest of longer DTLS
lying in a memory that grows."""

MAX_STUN = 1000
"""Bytes: a user name may have 509 (RFC 8489 14.3), the rest of a check 100. One of 60 kB takes 35 ms to read."""

MAX_WAITING = 1000
"""Datagrams between the socket and whoever reads it: a second of a large stream, before there is a connection."""

PACKETS_AT_ONCE, PACKETS_PER_S = 3000, 3000.0
"""Of media, from one remote side: 25 Mbit/s of video. Each costs the event loop a seventh of a millisecond."""

MOVES_AT_ONCE, MOVES_PER_S = 16, 0.1
"""New addresses of a remote side: one beside those it named is a NAT, a hundred are checks with false senders, each of
which we would answer with seven packets to somebody else."""

MAX_ROLE_CONFLICTS = 8
"""In one check. Two sides that are honest settle it at the first (RFC 8445 7.3.1.1)."""

MAX_SOURCES = 16
"""SSRCs in one session: a video stream, its retransmissions, the same for audio, and some changes of them. libsrtp
keeps each forever, and looks through all of them at every packet; reports of aiortc hold 31."""

MAX_FAULTS = 100
"""Packets of one session that we fail at, before it ends."""

MAX_CHUNKS = 64
"""In one SCTP packet. Each may ask for an answer in a packet of its own."""

CHUNKS_AT_ONCE, CHUNKS_PER_S = 500, 200.0
"""Of SCTP. A participant sends ten in a second; one that fills a gap of a thousand costs half a millisecond."""


_counted: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
"""By ICE or DTLS connection: what was not taken because we failed at it."""


def _count_fault(connection: object, error: Exception) -> int:
    """How many there were; the first is told, with the place where it happened and nothing of what came."""
    faults = _counted[connection] = _counted.get(connection, 0) + 1
    if faults == 1:
        logger.warning("a packet was dropped: %s", place_of(error))
    return faults


class _Allowance:
    """A token bucket for each connection: `at_once`, then `per_s`."""

    def __init__(self, at_once: int, per_s: float) -> None:
        self._at_once, self._per_s = float(at_once), per_s
        self._levels: WeakKeyDictionary[Any, tuple[float, float]] = WeakKeyDictionary()  # tokens, when (monotonic s)

    def take(self, connection: object) -> bool:
        """Take one, if there is one."""
        now = time.monotonic()
        left, then = self._levels.get(connection, (self._at_once, now))
        left = min(self._at_once, left + (now - then) * self._per_s)
        self._levels[connection] = left - (left >= 1), now
        return left >= 1


def _replace(owner: Any, **members: object) -> None:
    for name, member in members.items():
        setattr(owner, name, member)


# ICE: datagrams from anybody.


_own_parse_message = stun.parse_message
_own_data_received = Connection.data_received


def _parse_message(data: bytes) -> stun.Message:
    """As aioice has it, but an attribute of the wrong length makes a bad message like any other."""
    try:
        return _own_parse_message(data)
    except struct.error as error:
        raise ValueError("expected STUN attributes as long as their kind") from error


def _datagram_received(protocol: StunProtocol, data: bytes | str, addr: tuple[Any, ...]) -> None:
    """As aioice has it, but data counts from the addresses alone that checks have shown or the other side has named."""
    data = cast(bytes, data)
    try:
        if data[:1] <= LAST_STUN_BYTE:
            _stun_received(protocol, data, (addr[0], addr[1]))
        elif _is_known(protocol, (addr[0], addr[1])):
            protocol.receiver.data_received(data, protocol.local_candidate.component)
    except Exception as error:
        _count_fault(protocol.receiver, error)


def _stun_received(protocol: StunProtocol, data: bytes, source: tuple[str, int]) -> None:
    if len(data) > MAX_STUN:
        return
    try:
        message = stun.parse_message(data)
    except ValueError:
        return
    if message.message_class is stun.Class.REQUEST:
        protocol.receiver.request_received(message, source, protocol)
    elif message.transaction_id in protocol.transactions:
        protocol.transactions[message.transaction_id].response_received(message, source)


def _is_known(protocol: StunProtocol, source: tuple[str, int]) -> bool:
    connection = protocol.receiver
    pair = connection._nominated.get(protocol.local_candidate.component)
    if pair is not None and pair.remote_addr == source:
        return True
    return any((c._network_host, c.port) == source for c in connection._remote_candidates)


def _data_received(connection: Connection, data: bytes, component: int) -> None:
    """As aioice has it, but bounded, and each DTLS record by itself: aiortc reads one for each datagram."""
    if len(data) > MAX_DATAGRAM:
        return
    for part in dtls_records(data) if data[0] in DTLS_BYTES else (data,):
        if connection._queue.qsize() < MAX_WAITING:
            _own_data_received(connection, part, component)


def dtls_records(data: bytes) -> Iterator[bytes]:
    """The records in a datagram (RFC 6347 4.1), and a rest that is none."""
    at = 0
    while at + DTLS_HEADER <= len(data) and data[at] in DTLS_BYTES:
        end = at + DTLS_HEADER + int.from_bytes(data[at + DTLS_HEADER - 2 : at + DTLS_HEADER], "big")
        if end > len(data):
            break
        yield data[at:end]
        at = end
    if at < len(data):
        yield data[at:]


_moves = _Allowance(MOVES_AT_ONCE, MOVES_PER_S)
_own_check_incoming = Connection.check_incoming


def _check_incoming(
    connection: Connection, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol
) -> None:
    """As aioice has it, but a remote side has few addresses, and says how much it likes each (RFC 8445 7.1.1)."""
    if "PRIORITY" not in message.attributes:
        return
    known = any((c._network_host, c.port) == addr for c in connection._remote_candidates)
    if known or _moves.take(connection):
        _own_check_incoming(connection, message, addr, protocol)


_rounds: WeakKeyDictionary[asyncio.Task[Any], int] = WeakKeyDictionary()
_own_check_start = Connection.check_start


async def _check_start(connection: Connection, pair: CandidatePair) -> None:
    """As aioice has it, but a remote side that always finds a role conflict does not keep us at it, call by call."""
    task = asyncio.current_task()
    assert task is not None
    rounds = _rounds[task] = _rounds.get(task, 0) + 1
    if rounds > MAX_ROLE_CONFLICTS:
        connection.check_state(pair, CandidatePair.State.FAILED)
        connection.check_complete(pair)
        return
    await _own_check_start(connection, pair)


_replace(stun, parse_message=_parse_message)
_replace(StunProtocol, datagram_received=_datagram_received)
_replace(Connection, data_received=_data_received, check_incoming=_check_incoming, check_start=_check_start)


# DTLS and SRTP: who has the keys.


_own_start = RTCDtlsTransport.start
_own_recv_next = RTCDtlsTransport._recv_next
_own_setup_srtp = RTCDtlsTransport._setup_srtp


async def _start(transport: RTCDtlsTransport, remote: RTCDtlsParameters) -> None:
    """As aiortc has it, but a handshake that cannot be made sense of has failed."""
    try:
        await _own_start(transport, remote)
    except Exception as error:
        _count_fault(transport, error)
        transport._set_state(State.FAILED)


async def _recv_next(transport: RTCDtlsTransport) -> None:
    """As aiortc has it, but a packet that cannot be handled is dropped, where aiortc ends the session."""
    try:
        await _own_recv_next(transport)
    except ConnectionError:
        raise
    except Exception as error:
        if _count_fault(transport, error) >= MAX_FAULTS:
            raise ConnectionError("expected packets that can be handled") from error
        await asyncio.sleep(0)  # whatever it is that fails, everybody else has their turn


_packets = _Allowance(PACKETS_AT_ONCE, PACKETS_PER_S)


class BoundedSession:
    """An SRTP session that takes packets of `MAX_SOURCES` SSRCs, and so many a second. Who has no keys uses up none."""

    def __init__(self, session: pylibsrtp.Session) -> None:
        self._session = session
        self._sources: set[bytes] = set()

    def unprotect(self, data: bytes) -> bytes:
        """An RTP packet (RFC 3550 5.1)."""
        return self._open(self._session.unprotect, data, data[8:12])

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """RTCP packets (RFC 3550 6.4)."""
        return self._open(self._session.unprotect_rtcp, data, data[4:8])

    def _open(self, unprotect: Any, data: bytes, source: bytes) -> bytes:
        if source not in self._sources and len(self._sources) >= MAX_SOURCES:
            raise pylibsrtp.Error("expected fewer sources")
        opened: bytes = unprotect(data)
        self._sources.add(source)
        if not _packets.take(self):
            raise pylibsrtp.Error("expected fewer packets")
        return opened


def _setup_srtp(transport: RTCDtlsTransport) -> None:
    _own_setup_srtp(transport)
    if transport._rx_srtp is not None:
        transport._rx_srtp = cast(pylibsrtp.Session, BoundedSession(transport._rx_srtp))


_replace(RTCDtlsTransport, start=_start, _recv_next=_recv_next, _setup_srtp=_setup_srtp)


# RTP and RTCP: numbers that jump, and too many of them.


_own_handle_rtcp = RTCRtpSender._handle_rtcp_packet
_own_add_nack = NackGenerator.add
_own_erase_old = rate.RateCounter._erase_old
_own_jitter: Callable[[StreamStatistics], int] = StreamStatistics.__dict__["jitter"].fget

MOST_JITTER = 2**32 - 1
"""That a report can tell (RFC 3550 6.4.1). At more, aiortc's reports end, and the session can never be closed."""


async def _handle_rtcp(sender: RTCRtpSender, packet: AnyRtcpPacket) -> None:
    """As aiortc has it, but more packets than are kept to be sent again are not even looked for."""
    if isinstance(packet, RtcpRtpfbPacket):
        del packet.lost[RTP_HISTORY_SIZE:]
    await _own_handle_rtcp(sender, packet)


def _add_nack(generator: NackGenerator, packet: RtpPacket) -> bool:
    """As aiortc has it, but what it would forget at once is not counted up first: a jump took 20 ms."""
    if generator.max_seq is not None and uint16_gt(packet.sequence_number, generator.max_seq):
        oldest = uint16_add(packet.sequence_number, -RTP_HISTORY_SIZE - 1)
        if uint16_gt(oldest, generator.max_seq):
            generator.max_seq = oldest
    return _own_add_nack(generator, packet)


def _erase_old(counter: rate.RateCounter, now_ms: int) -> None:
    """As aiortc has it, but after a pause (or a clock that was set) it does not go through every millisecond."""
    assert counter._origin_ms is not None
    if now_ms - counter._origin_ms < 2 * counter._window_size:
        _own_erase_old(counter, now_ms)
    else:
        counter.reset()
        counter._origin_ms = now_ms - counter._window_size + 1


def _jitter(statistics: StreamStatistics) -> int:
    return min(_own_jitter(statistics), MOST_JITTER)


_replace(RTCRtpSender, _handle_rtcp_packet=_handle_rtcp)
_replace(NackGenerator, add=_add_nack)
_replace(rate.RateCounter, _erase_old=_erase_old)
_replace(StreamStatistics, jitter=property(_jitter))


# SCTP: lengths that lie. What may be kept is bounded in `signaling.sctp`.


_own_decode_params = rtcsctptransport.decode_params
_own_parse_packet = rtcsctptransport.parse_packet
_own_send_chunk = RTCSctpTransport._send_chunk
_own_receive_chunk = RTCSctpTransport._receive_chunk
_chunks = _Allowance(CHUNKS_AT_ONCE, CHUNKS_PER_S)


def _decode_params(body: bytes) -> list[tuple[int, bytes]]:
    """As aiortc has it, but a parameter at least has its own header (RFC 9260 3.2.1): one of length 0 never ended."""
    at = 0
    while at <= len(body) - 4:
        length = int.from_bytes(body[at + 2 : at + 4], "big")
        if length < 4:
            raise ValueError(f"expected an SCTP parameter of at least 4 bytes, got {length}")
        at += length + rtcsctptransport.padl(length)
    return _own_decode_params(body)


def _parse_packet(data: bytes) -> tuple[int, int, int, list[rtcsctptransport.Chunk]]:
    """As aiortc has it, but a chunk that is too short for its kind makes a bad packet like any other."""
    try:
        parsed = _own_parse_packet(data)
    except struct.error as error:
        raise ValueError("expected SCTP chunks as long as their kind") from error
    if len(parsed[3]) > MAX_CHUNKS:
        raise ValueError(f"expected at most {MAX_CHUNKS} SCTP chunks, got {len(parsed[3])}")
    return parsed


async def _receive_chunk(association: RTCSctpTransport, chunk: rtcsctptransport.Chunk) -> None:
    """As aiortc has it, but of those that come too fast some are lost, as any may be."""
    if _chunks.take(association):
        await _own_receive_chunk(association, chunk)


async def _send_chunk(association: RTCSctpTransport, chunk: rtcsctptransport.Chunk) -> None:
    """As aiortc has it, but what cannot be sent is lost, as any packet may be: tasks that nobody awaits send, too."""
    try:
        await _own_send_chunk(association, chunk)
    except (ConnectionError, SSL.Error) as error:
        logger.debug("could not send on a data channel: %s", type(error).__name__)


_replace(rtcsctptransport, decode_params=_decode_params, parse_packet=_parse_packet)
_replace(RTCSctpTransport, _receive_chunk=_receive_chunk, _send_chunk=_send_chunk)
