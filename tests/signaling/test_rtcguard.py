"""Packets that once ended a session, or held the whole process: they fall, and the connection goes on."""

from __future__ import annotations

import asyncio
import itertools
import logging
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pylibsrtp
import pytest
from aioice import stun
from aioice.ice import Candidate, CandidatePair, Connection, StunProtocol
from aiortc import RTCPeerConnection, RTCSessionDescription, rate, rtcsctptransport
from aiortc.rtcdtlstransport import RTCDtlsTransport
from aiortc.rtcrtpreceiver import NackGenerator, StreamStatistics
from aiortc.rtcsctptransport import RTCSctpTransport
from aiortc.rtp import RTCP_RTPFB_NACK, RTP_HISTORY_SIZE, RtcpReceiverInfo, RtcpRtpfbPacket, RtpPacket
from aiortc.utils import uint16_gt
from google_crc32c import value as crc32c
from OpenSSL import SSL

from signaling import rtc, rtcguard
from tests.fake_clock import FakeClock
from tests.fake_peer import until


class Ends:
    """Two connections with a data channel between them, and what the second one heard."""

    def __init__(self) -> None:
        self.one, self.other = rtc.peer_connection(), rtc.peer_connection()
        self.channel = self.one.createDataChannel("mood")
        self.heard: list[Any] = []
        self.other.on("datachannel", lambda channel: channel.on("message", self.heard.append))

    async def connect(self) -> None:
        await self.one.setLocalDescription(await self.one.createOffer())
        await self.other.setRemoteDescription(RTCSessionDescription(self.one.localDescription.sdp, "offer"))
        await self.other.setLocalDescription(await self.other.createAnswer())
        await self.one.setRemoteDescription(RTCSessionDescription(self.other.localDescription.sdp, "answer"))
        await until(lambda: self.channel.readyState == "open")

    async def goes_on(self) -> None:
        before = len(self.heard)
        self.channel.send("still here")
        await until(lambda: len(self.heard) > before)
        assert self.heard[-1] == "still here"


def sctp(connection: RTCPeerConnection) -> RTCSctpTransport:
    assert connection.sctp is not None
    return connection.sctp


def dtls(connection: RTCPeerConnection) -> RTCDtlsTransport:
    return sctp(connection).transport


def ice(connection: RTCPeerConnection) -> Connection:
    return dtls(connection).transport._connection


def nominated(connection: RTCPeerConnection) -> CandidatePair:
    return ice(connection)._nominated[1]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    unexpected: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unexpected.append(context))
    made = Ends()
    await made.connect()
    yield made
    async with asyncio.timeout(10):
        await made.one.close()
        await made.other.close()
    assert unexpected == []


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    "data", [b"", b"\x80" * 1501, b"\x80\x00", b"\x17", b"\x16\xfe\xfd" + b"\xff" * 20, b"\x00", b"\xff"]
)
async def test_a_datagram_that_is_nothing_ends_nothing(
    ends: Ends, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    pair = nominated(ends.other)
    pair.protocol.datagram_received(data, pair.remote_addr)
    await ends.goes_on()
    assert warnings(caplog) == []


async def test_data_of_a_stranger_is_not_even_kept(ends: Ends) -> None:
    pair, connection = nominated(ends.other), ice(ends.other)
    for data in (b"\x80" * 100, b"\x17" * 100, b"\x00" * 100):
        pair.protocol.datagram_received(data, ("192.0.2.77", 9))
    assert connection._queue.qsize() == 0
    pair.protocol.datagram_received(b"\x80" * 100, pair.remote_addr)
    assert connection._queue.qsize() == 1


async def test_data_that_nobody_reads_is_kept_up_to_a_bound() -> None:
    connection = Connection(ice_controlling=False)
    for _ in range(rtcguard.MAX_WAITING + 10):
        connection.data_received(b"\x80" * 100, 1)
    assert connection._queue.qsize() == rtcguard.MAX_WAITING


class Opens:
    """An SRTP session that anybody has the keys of."""

    def unprotect(self, data: bytes) -> bytes:
        return data


def test_a_flood_of_packets_is_cut_down_to_what_video_needs(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    clock.install(monkeypatch, "signaling.rtcguard")
    session = rtcguard.BoundedSession(Opens())

    def flood() -> int:
        taken = 0
        for _ in range(10_000):
            with suppress(pylibsrtp.Error):
                session.unprotect(bytes(20))
                taken += 1
        return taken

    assert flood() == rtcguard.PACKETS_AT_ONCE
    clock.advance(0.5)
    assert flood() == rtcguard.PACKETS_PER_S // 2


async def test_chunks_that_come_too_fast_are_lost_and_come_again(ends: Ends) -> None:
    taken = []
    own = rtcguard._own_receive_chunk

    async def counts(association: RTCSctpTransport, chunk: Any) -> None:
        taken.append(chunk)
        await own(association, chunk)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rtcguard, "_own_receive_chunk", counts)
        heartbeats = sctp_packet(ends.one, *[struct.pack("!BBH", 4, 0, 4)] * rtcguard.MAX_CHUNKS)
        for _ in range(100):
            await dtls(ends.one)._send_data(heartbeats)
        await ends.goes_on()
    assert len(taken) < 2 * rtcguard.CHUNKS_AT_ONCE + 20 * rtcguard.CHUNKS_PER_S


@pytest.mark.parametrize("kind", sorted(stun.ATTRIBUTES_BY_TYPE))
def test_a_stun_attribute_of_any_length_is_taken_or_refused(kind: int) -> None:
    for size in range(24):
        body = struct.pack("!HH", kind, size) + bytes(size) + bytes(-size % 4)
        with suppress(ValueError):
            stun.parse_message(struct.pack("!HHI", 1, len(body), stun.COOKIE) + bytes(12) + body)


class Checked:
    """An ICE connection that is asked, and a socket that is not there to answer with."""

    def __init__(self) -> None:
        self.connection = Connection(ice_controlling=False)
        self.connection.remote_username, self.connection.remote_password = "abcd", "0" * 22
        self.connection._early_checks_done = True
        self.sent: list[stun.Message] = []
        self.protocol: Any = SimpleNamespace(receiver=self.connection, transactions={})
        self.protocol.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.1", 1, "host")
        self.protocol.send_stun = lambda message, _: self.sent.append(message)
        self.protocol.request = self._request
        self.answer: Any = None

    async def _request(self, message: stun.Message, addr: tuple[str, int], **_: Any) -> Any:
        self.sent.append(message)
        await asyncio.sleep(0)
        raise self.answer

    def check(self, port: int, **attributes: Any) -> None:
        username = f"{self.connection.local_username}:{self.connection.remote_username}"
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, None, {"USERNAME": username, **attributes})
        message.add_message_integrity(self.connection.local_password.encode())
        StunProtocol.datagram_received(self.protocol, bytes(message), ("192.0.2.2", port))


async def test_checks_from_a_thousand_addresses_are_followed_up_to_a_bound() -> None:
    checked = Checked()
    checked.answer = stun.TransactionTimeout()
    for port in range(1, 1001):
        checked.check(port, PRIORITY=1)
    assert len(checked.connection._remote_candidates) == rtcguard.MOVES_AT_ONCE
    await asyncio.gather(*(pair.task for pair in checked.connection._check_list if pair.task is not None))


async def test_a_check_without_a_priority_is_answered_and_leads_to_nothing_and_a_long_one_is_not_read() -> None:
    checked = Checked()
    checked.check(1)
    checked.check(2, SOFTWARE="longer than any check" * 50)
    assert [message.message_class for message in checked.sent] == [stun.Class.RESPONSE]
    assert checked.connection._remote_candidates == []


async def test_a_role_conflict_that_never_ends_is_a_failed_check() -> None:
    checked = Checked()
    conflict = stun.Message(stun.Method.BINDING, stun.Class.ERROR, None, {"ERROR-CODE": (487, "Role Conflict")})
    checked.answer = stun.TransactionFailed(conflict)
    checked.check(1, PRIORITY=1)
    (pair,) = checked.connection._check_list
    assert pair.task is not None
    await pair.task
    assert pair.state is CandidatePair.State.FAILED
    assert len(checked.sent) == 1 + rtcguard.MAX_ROLE_CONFLICTS


async def test_every_record_of_a_datagram_is_read(ends: Ends) -> None:
    sender = dtls(ends.one)
    heard: list[bytes] = []

    class Hears:
        async def _handle_data(self, data: bytes) -> None:
            heard.append(data)

    receiver, dtls(ends.other)._data_receiver = dtls(ends.other)._data_receiver, Hears()
    records = []
    for number in range(40):
        sender._ssl.send(b"%03d" % number * 20)  # type: ignore[union-attr]
        records.append(sender._ssl.bio_read(1500))  # type: ignore[union-attr]
    for at in range(0, 40, 10):
        await sender.transport._send(b"".join(records[at : at + 10]))
    await until(lambda: len(heard) == 40)
    assert heard == [b"%03d" % number * 20 for number in range(40)]
    dtls(ends.other)._data_receiver = receiver


async def test_one_session_has_a_bounded_number_of_sources(ends: Ends) -> None:
    def packet(ssrc: int) -> bytes:
        return struct.pack("!BBHII", 0x80, 97, 1, 1, ssrc) + bytes(20)

    send, receive = dtls(ends.one)._tx_srtp, dtls(ends.other)._rx_srtp
    for ssrc in range(rtcguard.MAX_SOURCES):
        with pytest.raises(Exception, match="fail"):  # who has no keys uses up none
            receive.unprotect(packet(ssrc) + bytes(16))
        assert receive.unprotect(send.protect(packet(ssrc + 100))) == packet(ssrc + 100)
    with pytest.raises(Exception, match="expected fewer sources"):
        receive.unprotect(send.protect(packet(1)))
    report = struct.pack("!BBHI", 0x80, 201, 1, 1)
    with pytest.raises(Exception, match="expected fewer sources"):
        receive.unprotect_rtcp(send.protect_rtcp(report))
    again = packet(100)[:3] + b"\x02" + packet(100)[4:]
    assert receive.unprotect(send.protect(again)) == again


async def test_packets_that_we_fail_at_are_dropped_told_of_once_and_end_the_session_when_they_do_not_stop(
    ends: Ends, caplog: pytest.LogCaptureFixture
) -> None:
    transport = dtls(ends.other)

    async def fails(_: bytes) -> None:
        raise KeyError("a word of what came")

    transport._handle_rtcp_data = fails  # type: ignore[method-assign]
    report = struct.pack("!BBHI", 0x80, 201, 1, 1)
    for _ in range(3):
        await dtls(ends.one)._send_rtp(report)
    await ends.goes_on()
    (line,) = warnings(caplog)
    assert line.startswith("a packet was dropped: KeyError at ")
    assert "a word" not in line
    for _ in range(rtcguard.MAX_FAULTS):
        await dtls(ends.one)._send_rtp(report)
    await until(lambda: ends.other.connectionState == "closed")
    assert len(warnings(caplog)) == 1


async def test_a_handshake_that_cannot_be_made_sense_of_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise ValueError("a certificate that is none")

    monkeypatch.setattr(RTCDtlsTransport, "_validate_peer_identity", breaks)
    made = Ends()
    connecting = asyncio.create_task(made.connect())
    await until(lambda: made.other.connectionState == "failed")
    connecting.cancel()
    await made.one.close()
    await made.other.close()


async def test_of_all_that_is_asked_for_again_only_as_much_is_looked_for_as_can_be_there() -> None:
    connection = rtc.peer_connection()
    sender: Any = connection.addTransceiver("video").sender
    looked_for: list[int] = []

    async def resend(number: int) -> None:
        looked_for.append(number)

    sender._retransmit = resend
    everything = list(range(6000))
    await sender._handle_rtcp_packet(RtcpRtpfbPacket(RTCP_RTPFB_NACK, 1, sender._ssrc, everything))
    assert looked_for == list(range(RTP_HISTORY_SIZE))
    await connection.close()


def test_a_jump_of_sequence_numbers_asks_for_the_same_packets_without_counting_through_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = itertools.count()
    monkeypatch.setattr("aiortc.rtcrtpreceiver.uint16_gt", lambda a, b: next(compared) >= 0 and uint16_gt(a, b))

    def missing_after(numbers: list[int]) -> set[int]:
        generator = NackGenerator()
        for number in numbers:
            generator.add(RtpPacket(97, 0, number))
        return generator.missing

    assert missing_after([1, 2, 5]) == {3, 4}
    for first in (1, 60_000):
        newest = (first + 32_000) % 2**16
        last_ones = {(newest - back) % 2**16 for back in range(1, RTP_HISTORY_SIZE + 1)}
        assert missing_after([first, newest]) == last_ones
    assert next(compared) < 10 * RTP_HISTORY_SIZE


def test_a_pause_of_a_day_is_one_step_for_the_rate() -> None:
    counter = rate.RateCounter(1000)
    counter.add(100, 0)
    day_ms = 24 * 3600 * 1000
    assert counter.rate(day_ms) is None
    counter.add(200, day_ms)
    counter.add(300, day_ms + 500)
    assert counter.rate(day_ms + 500) == 8000 * 500 // 1000
    counter.add(100, day_ms + 1400)
    assert counter.rate(day_ms + 1400) == 8000 * 400 // 1000


def test_jitter_always_fits_into_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    now = itertools.count(0, 60)
    monkeypatch.setattr("aiortc.rtcrtpreceiver.time.time", lambda: next(now))
    statistics = StreamStatistics(90_000)
    for number in range(400):
        statistics.add(RtpPacket(97, 0, number, 0xFFFFFFFF if number % 2 else 0))
        bytes(RtcpReceiverInfo(1, 0, 0, number, statistics.jitter, 0, 0))
    assert statistics.jitter > 2**31


def packed(tag: int, data: bytes) -> bytes:
    head = struct.pack("!HHI", 5000, 5000, tag)
    return head + struct.pack("<I", crc32c(head + bytes(4) + data)) + data


def sctp_packet(sender: RTCPeerConnection, *chunks: bytes) -> bytes:
    return packed(sctp(sender)._remote_verification_tag, b"".join(chunks))


@pytest.mark.parametrize("kind", [1, 2, 4, 5, 6, 9, 130])
def test_an_sctp_parameter_without_a_length_makes_a_bad_packet(kind: int) -> None:
    body = bytes(16) + b"\x00\x0d\x00\x00"
    with pytest.raises(ValueError, match="parameter of at least 4 bytes"):
        rtcsctptransport.parse_packet(packed(1, struct.pack("!BBH", kind, 0, 4 + len(body)) + body))


@pytest.mark.parametrize("kind", range(256))
def test_an_sctp_chunk_of_any_length_is_taken_or_refused(kind: int) -> None:
    for size in range(1, 24):
        with suppress(ValueError):
            data = struct.pack("!BBH", kind, 0, 4 + size) + bytes(size) + bytes(-size % 4)
            rtcsctptransport.parse_packet(packed(1, data))


async def test_hundreds_of_chunks_in_one_packet_get_no_answers(ends: Ends) -> None:
    sent: list[object] = []
    association = sctp(ends.other)
    send = association._send_chunk

    async def counts(chunk: Any) -> None:
        sent.append(chunk)
        await send(chunk)

    association._send_chunk = counts  # type: ignore[method-assign]
    await dtls(ends.one)._send_data(sctp_packet(ends.one, *[struct.pack("!BBH", 4, 0, 4)] * 300))
    await ends.goes_on()
    assert len(sent) < 10


async def test_what_cannot_be_sent_on_a_data_channel_is_lost_without_a_task_that_failed(ends: Ends) -> None:
    transport = dtls(ends.one)
    own = transport._send_data

    async def fails(_: bytes) -> None:
        raise SSL.Error("the other side sent a fatal alert")

    transport._send_data = fails  # type: ignore[method-assign]
    ends.channel.send("lost")
    await asyncio.sleep(0.01)
    transport._send_data = own  # type: ignore[method-assign]
