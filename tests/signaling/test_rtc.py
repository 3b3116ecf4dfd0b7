"""`FrameReceiver`: packets in, whole frames out, and nothing that a decoder could stumble over."""

from __future__ import annotations

import re
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import pytest
from aiortc.codecs.h264 import H264Encoder, h264_depayload
from aiortc.codecs.vpx import vp8_depayload
from aiortc.rtp import RTCP_PSFB_APP, RTCP_PSFB_PLI, AnyRtcpPacket, RtcpPsfbPacket, RtpPacket, pack_remb_fci

from signaling import rtc
from signaling.rtc import (
    KEY_FRAME_EVERY_S,
    LOSS_PATIENCE_S,
    MAX_LATE_IN_A_ROW,
    EncodedFrame,
    FrameReceiver,
)
from tests.fake_clock import FakeClock
from tests.media import VP8_PAYLOAD_TYPE, fake_transceiver, made_up_frame, moving, packets_of, padding_packet, vp8

FRAME_S = 1 / 15
FRAME_TICKS = 6000


class Stream:
    """A sender's packets on their way into one receiver."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.delivered: list[EncodedFrame] = []
        self.receiver = FrameReceiver(fake_transceiver(), self.delivered.append)
        self.sequence_number = 100
        self.number = 0

    def frame(self, *, key: bool = False, packets: int = 1) -> list[RtpPacket]:
        """The packets of a new frame; the clock moves on by one frame interval."""
        data = made_up_frame(self.number, key=key, size=1000 + 1290 * (packets - 1))
        made = packets_of(data, self.sequence_number, self.number * FRAME_TICKS)
        assert len(made) == packets
        self.sequence_number += packets
        self.number += 1
        self.clock.advance(FRAME_S)
        return made

    def add(self, *packets: RtpPacket) -> bool:
        """Whether the receiver asked for a key frame at any of `packets`."""
        return True in [self.receiver.add(packet)[0] for packet in packets]

    @property
    def numbers(self) -> list[int]:
        """Which frames came out."""
        return [int.from_bytes(frame.data[10:14], "big") for frame in self.delivered]


@pytest.fixture
def stream(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Stream:
    clock.install(monkeypatch, "signaling.rtc")
    return Stream(clock)


def test_a_frame_is_handed_out_the_moment_its_last_packet_is_there(stream: Stream) -> None:
    first, second, last = stream.frame(key=True, packets=3)
    stream.add(first, second)
    assert stream.numbers == []
    stream.add(last)
    assert stream.delivered == [
        EncodedFrame("VP8", made_up_frame(0, key=True, size=1000 + 2 * 1290), 0, stream.clock.now_s, key=True)
    ]


def test_real_frames_come_through_byte_for_byte(stream: Stream) -> None:
    sent = vp8(moving(320, 240, number) for number in range(5))
    sequence_number = 7
    for number, data in enumerate(sent):
        packets = packets_of(data, sequence_number, number * FRAME_TICKS)
        stream.add(*packets)
        sequence_number += len(packets)
    assert [frame.data for frame in stream.delivered] == sent
    assert [frame.key for frame in stream.delivered] == [True, False, False, False, False]
    assert stream.receiver.frames == 5


def test_h264_comes_through_as_it_was_depayloaded(clock: FakeClock) -> None:
    transceiver = fake_transceiver()
    transceiver._codecs[0].mimeType = "video/H264"
    delivered: list[EncodedFrame] = []
    receiver = FrameReceiver(transceiver, delivered.append)
    idr = b"\x00\x00\x00\x01\x65\x88" + bytes(range(1, 251)) * 12
    slices = b"\x00\x00\x00\x01\x41" + bytes(range(1, 251)) * 12
    sequence_number = 5
    for number, data in enumerate((slices, idr, slices)):
        payloads = H264Encoder._packetize(H264Encoder._split_bitstream(data))
        for index, payload in enumerate(payloads):
            marker = int(index == len(payloads) - 1)
            packet: Any = RtpPacket(VP8_PAYLOAD_TYPE, marker, sequence_number, number * FRAME_TICKS, 1, payload)
            packet._data = h264_depayload(payload)
            receiver.add(packet)
            sequence_number += 1
        assert len(payloads) > 1
    assert [(frame.codec, frame.key, frame.data) for frame in delivered] == [
        ("H264", True, idr),
        ("H264", False, slices),
    ]


def test_packets_in_another_order_make_the_same_frames(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    first = stream.frame(packets=3)
    second = stream.frame(packets=2)
    stream.add(first[0], second[1], first[2], second[0])
    assert stream.numbers == [0]
    stream.add(first[1])
    assert stream.numbers == [0, 1, 2]
    assert stream.delivered[1].data == made_up_frame(1, key=False, size=1000 + 2 * 1290)


def test_a_packet_that_comes_twice_makes_one_frame(stream: Stream) -> None:
    key = stream.frame(key=True, packets=2)
    inter = stream.frame()
    stream.add(key[0], key[0], key[1], key[1], key[0], inter[0], inter[0])
    assert stream.numbers == [0, 1]
    assert stream.receiver.losses == 0


def test_a_lost_packet_that_is_sent_again_in_time_loses_nothing(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    (lost,) = stream.frame()
    later = [packet for _ in range(4) for packet in stream.frame()]
    assert not stream.add(*later)
    assert stream.numbers == [0]
    assert not stream.add(lost)
    assert stream.numbers == [0, 1, 2, 3, 4, 5]
    assert stream.receiver.losses == 0


def test_losses_that_are_each_mended_in_time_never_add_up_to_a_gap(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    late: list[RtpPacket] = []
    for _ in range(30):  # at every moment some packet is missing, but none for more than 0.2 s
        (lost,), (kept,) = stream.frame(), stream.frame()
        assert not stream.add(kept, *late)
        late = [lost]
    stream.add(*late)
    assert stream.numbers == list(range(61))
    assert stream.receiver.losses == 0


def test_after_a_loss_frames_are_withheld_until_the_next_key_frame(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    stream.frame()  # is lost
    stream.add(*stream.frame())
    stream.clock.advance(LOSS_PATIENCE_S)
    assert stream.add(*stream.frame())
    assert stream.receiver.losses == 1
    stream.add(*stream.frame())
    assert stream.numbers == [0]
    stream.add(*stream.frame(key=True), *stream.frame())
    assert stream.numbers == [0, 5, 6]


def test_a_key_frame_is_asked_for_again_and_again_until_it_comes(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    stream.receiver.need_key_frame()
    asked = [stream.add(*stream.frame()) for _ in range(20)]
    assert asked[0]
    assert asked.count(True) == 1 + int(19 * FRAME_S / KEY_FRAME_EVERY_S)
    stream.add(*stream.frame(key=True))
    assert not any(stream.add(*stream.frame()) for _ in range(20))
    assert stream.numbers == [0, *range(21, 42)]


def test_a_stream_that_begins_without_a_key_frame_is_given_a_moment_then_asked_for_one(stream: Stream) -> None:
    asked = [stream.add(*stream.frame()) for _ in range(9)]
    assert asked.index(True) == 8  # half a second of 15 frames/s
    assert stream.numbers == []


def test_the_rest_of_a_frame_whose_beginning_was_missed_is_no_key_frame(stream: Stream) -> None:
    _, middle, end = stream.frame(packets=3)
    stream.add(middle, end, *stream.frame())
    assert stream.numbers == []
    stream.add(*stream.frame(key=True))
    assert stream.numbers == [2]


def test_the_rest_of_a_frame_in_which_a_loss_was_given_up_is_no_key_frame(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    stream.frame()  # is lost
    first, middle, end = stream.frame(packets=3)
    stream.add(first)
    stream.clock.advance(LOSS_PATIENCE_S + 0.1)
    stream.add(middle, end)
    assert stream.receiver.losses == 1
    assert stream.numbers == [0]


def test_a_packet_that_comes_after_its_loss_was_given_up_costs_no_second_loss(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    (lost,), (kept,) = stream.frame(), stream.frame()
    stream.add(kept)
    stream.clock.advance(LOSS_PATIENCE_S + 0.1)
    (last,) = stream.frame()
    stream.add(last, lost)
    stream.add(*stream.frame(key=True))
    assert stream.numbers == [0, 4]
    assert stream.receiver.losses == 1


def test_sequence_numbers_wrap_around(stream: Stream) -> None:
    stream.sequence_number = 65_533
    stream.add(*stream.frame(key=True, packets=2))
    stream.add(*stream.frame(packets=3))
    stream.add(*stream.frame(), *stream.frame())
    assert stream.numbers == [0, 1, 2, 3]
    assert stream.receiver.losses == 0


def test_a_loss_at_the_wrap_around_is_mended(stream: Stream) -> None:
    stream.sequence_number = 65_534
    stream.add(*stream.frame(key=True))
    (lost,) = stream.frame()
    stream.add(*stream.frame(), lost)
    assert stream.numbers == [0, 1, 2]


@pytest.mark.parametrize("jump", [600, 5_000, 30_000])
def test_after_a_jump_of_sequence_numbers_the_stream_goes_on_at_a_key_frame(stream: Stream, jump: int) -> None:
    stream.sequence_number = 40_000
    stream.add(*stream.frame(key=True), *stream.frame())
    stream.sequence_number = (stream.sequence_number + jump) % 65_536
    assert stream.add(*stream.frame())
    assert stream.numbers == [0, 1]
    stream.add(*stream.frame(key=True))
    for _ in range(30):
        assert not stream.add(*stream.frame())
    assert stream.numbers == [0, 1, *range(3, 34)]
    assert stream.receiver.losses == 1


def test_retransmissions_that_come_far_too_late_disturb_nothing(stream: Stream) -> None:
    stream.sequence_number = 40_000
    stream.add(*stream.frame(key=True))
    late = [packets_of(made_up_frame(9, key=False, size=1000), 39_000 + n, 0)[0] for n in range(MAX_LATE_IN_A_ROW)]
    assert not stream.add(*late)
    assert not stream.add(*stream.frame(), *late, *stream.frame())
    assert stream.numbers == [0, 1, 2]
    assert stream.receiver.losses == 0


def test_a_sender_that_counts_anew_is_followed(stream: Stream) -> None:
    stream.sequence_number = 40_000
    stream.add(*stream.frame(key=True))
    stream.sequence_number = 5_000
    for _ in range(MAX_LATE_IN_A_ROW + 1):
        stream.add(*stream.frame())
    stream.add(*stream.frame(key=True), *stream.frame())
    assert stream.numbers == [0, stream.number - 2, stream.number - 1]
    assert stream.receiver.losses == 1


def test_a_new_source_starts_with_numbers_of_its_own(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    stream.sequence_number = 40_000
    packets = [*stream.frame(key=True), *stream.frame()]
    for packet in packets:
        packet.ssrc = 4321
    stream.add(*packets)
    assert stream.numbers == [0, 1, 2]


def test_padding_between_frames_is_skipped(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    for _ in range(3):
        stream.add(padding_packet(stream.sequence_number, (stream.number - 1) * FRAME_TICKS))
        stream.sequence_number += 1
    stream.add(*stream.frame(), *stream.frame())
    assert stream.numbers == [0, 1, 2]
    assert stream.receiver.losses == 0


def test_packets_of_a_codec_that_was_not_agreed_on_are_dropped(stream: Stream) -> None:
    (packet,) = stream.frame(key=True)
    packet.payload_type = 120
    stream.add(packet)
    assert stream.delivered == []


def test_a_receiver_that_is_starved_of_a_packet_for_its_whole_window_goes_on(stream: Stream) -> None:
    stream.add(*stream.frame(key=True))
    stream.frame()  # is lost; then a burst overruns the window before patience ends
    for _ in range(rtc.JITTER_PACKETS + 10):
        stream.add(*stream.frame())
        stream.clock.advance(-FRAME_S)
    assert stream.numbers == [0]
    assert stream.receiver.losses == 1
    stream.add(*stream.frame(key=True))
    assert stream.numbers[1:] == [stream.number - 1]


def test_when_something_last_came_is_known(stream: Stream) -> None:
    assert stream.receiver.last_packet_s is None
    stream.add(padding_packet(1, 0))
    assert stream.receiver.last_packet_s == stream.clock.now_s


def test_what_we_offer_is_the_wanted_codecs_in_order_with_retransmission() -> None:
    names = [capability.mimeType for capability in rtc.codec_capabilities("H264", "vp8")]
    assert list(dict.fromkeys(names)) == ["video/H264", "video/VP8", "video/rtx"]


def test_a_machine_without_a_network_meets_itself_over_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rtc, "_own_addresses", lambda *_: [])
    assert rtc._host_addresses(True, True) == ["127.0.0.1"]


async def test_bitrate_estimates_for_this_sender_are_heard_and_other_feedback_passes() -> None:
    passed: list[AnyRtcpPacket] = []
    heard: list[int] = []

    async def handle(packet: AnyRtcpPacket) -> None:
        passed.append(packet)

    sender: Any = SimpleNamespace(_handle_rtcp_packet=handle, _ssrc=5)
    rtc.on_bitrate_estimate(sender, heard.append)
    pli = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=5)
    lying = b"REMB" + bytes([255, 0, 0, 0])
    for fci in (pack_remb_fci(250_000, [5, 6]), pack_remb_fci(900_000, [6]), b"not an estimate", lying):
        await sender._handle_rtcp_packet(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=0, fci=fci))
    await sender._handle_rtcp_packet(pli)
    assert heard == [250_000]
    assert passed == [pli]


def test_key_frame_requests_of_the_other_side_come_to_us() -> None:
    sender: Any = SimpleNamespace(_send_keyframe=None)
    requests: list[bool] = []
    rtc.on_key_frame_request(sender, lambda: requests.append(True))
    sender._send_keyframe()
    assert requests == [True]


def test_a_packet_is_packetised_once_for_all_its_senders() -> None:
    packer = rtc.Vp8Packer()
    frames = vp8(moving(64, 48, number) for number in range(3))
    packets: list[av.Packet[Any]] = [av.Packet(data) for data in frames]
    for number, packet in enumerate(packets):
        packet.pts, packet.time_base = number, Fraction(1, 15)
    for number, (packet, data) in enumerate(zip(packets, frames, strict=True)):
        packer.put(packet)
        payloads, timestamp = packer.pack(packet)
        assert packer.pack(packet)[0] is payloads
        assert b"".join(vp8_depayload(payload) for payload in payloads) == data
        assert timestamp == number * FRAME_TICKS


def test_a_packet_of_another_rate_is_not_taken_for_an_older_one() -> None:
    packer = rtc.Vp8Packer()
    payloads = []
    for rate in (15, 12):
        packet: av.Packet[Any] = av.Packet(vp8([moving(64, 48, rate)])[0])
        packet.pts, packet.time_base = 60, Fraction(1, rate)
        payloads.append(packer.pack(packet))
    assert [timestamp for _, timestamp in payloads] == [4 * 90_000, 5 * 90_000]
    assert payloads[0][0] != payloads[1][0]


async def test_connections_share_one_certificate() -> None:
    certificate = rtc.Certificate.generateCertificate()
    fingerprints = set()
    for _ in range(2):
        connection = rtc.peer_connection(certificate)
        connection.addTransceiver("video")
        await connection.setLocalDescription(await connection.createOffer())
        fingerprints |= set(re.findall(r"a=fingerprint:sha-256 (\S+)", connection.localDescription.sdp))
        await connection.close()
    assert fingerprints == {fp.value for fp in certificate.getFingerprints() if fp.algorithm == "sha-256"}


async def test_what_is_asked_for_again_and_again_is_sent_again_at_a_bounded_rate(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.install(monkeypatch, "signaling.rtc")
    resent: list[int] = []

    async def resend(number: int) -> None:
        resent.append(number)

    sender: Any = SimpleNamespace(_retransmit=resend)
    rtc.limit_retransmissions(sender)
    for _ in range(10):
        for number in range(128):
            await sender._retransmit(number)
        clock.advance(1.0)
    assert rtc.RESENT_AT_ONCE + 8 * rtc.RESENT_PER_S <= len(resent) <= rtc.RESENT_AT_ONCE + 9 * rtc.RESENT_PER_S
