"""`FrameReceiver` under arbitrary loss, reordering and duplication: what it hands out can always be decoded."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from aiortc.rtp import RtpPacket
from hypothesis import given
from hypothesis import strategies as st

from signaling.rtc import KEY_FRAME_EVERY_S, LOSS_PATIENCE_S, EncodedFrame, FrameReceiver
from tests.fake_clock import FakeClock
from tests.media import fake_transceiver, made_up_frame, packets_of

FRAME_S = 1 / 15


@dataclass(frozen=True)
class Fate:
    """What the network does to one packet: `copies` arrive, `late` packet times after it was sent."""

    copies: int
    late: int


GOOD = Fate(1, 0)
FATES = st.sampled_from([GOOD] * 12 + [Fate(0, 0)] * 2 + [Fate(1, 1), Fate(1, 3), Fate(1, 40), Fate(2, 0), Fate(2, 5)])


class Sender:
    """Sends frames of 1 to 4 packets, and a key frame whenever the other side asked for one."""

    def __init__(self, first_sequence_number: int) -> None:
        self.sent: list[tuple[bytes, bool]] = []
        self.sequence_number = first_sequence_number
        self.asked = True

    def next(self, packets: int) -> list[RtpPacket]:
        data = made_up_frame(len(self.sent), key=self.asked, size=1000 + 1290 * (packets - 1))
        made = packets_of(data, self.sequence_number, len(self.sent) * 6000)
        self.sent.append((data, self.asked))
        self.asked = False
        self.sequence_number = (self.sequence_number + len(made)) & 0xFFFF
        return made


def check_decodable(sent: list[tuple[bytes, bool]], delivered: list[EncodedFrame]) -> None:
    """Every frame as it was sent, in order, and a key frame wherever one before it is missing."""
    index_of = {data: index for index, (data, _) in enumerate(sent)}
    before = -1
    for number, frame in enumerate(delivered):
        index = index_of[frame.data]
        assert index > before
        assert frame.key == sent[index][1]
        assert frame.key or (number > 0 and index == before + 1)
        before = index


@given(
    st.integers(0, 65_535),
    st.lists(st.tuples(st.integers(1, 4), st.lists(FATES, min_size=4, max_size=4)), max_size=40),
    st.booleans(),
)
def test_whatever_the_network_does_every_frame_that_comes_out_can_be_decoded(
    first_sequence_number: int, frames: list[tuple[int, list[Fate]]], first_packet_lost: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = FakeClock()
        clock.install(patch, "signaling.rtc")
        delivered: list[EncodedFrame] = []
        receiver = FrameReceiver(fake_transceiver(), delivered.append)
        sender = Sender(first_sequence_number)
        on_the_way: list[tuple[int, int, RtpPacket]] = []
        sent_packets = 0

        def arrive(until: int) -> None:
            due = sorted(entry for entry in on_the_way if entry[0] <= until)
            on_the_way[:] = [entry for entry in on_the_way if entry[0] > until]
            for _, _, packet in due:
                sender.asked |= receiver.add(packet)[0]

        for size, fates in frames:
            clock.advance(FRAME_S)
            for packet, fate in zip(sender.next(size), fates, strict=False):
                lost = first_packet_lost and sent_packets == 0
                for copy in range(0 if lost else fate.copies):
                    on_the_way.append((sent_packets + fate.late * (copy + 1), sent_packets * 4 + copy, packet))
                sent_packets += 1
                arrive(sent_packets)
        arrive(10**9)
        # The network recovers: within the patience, one request and one key frame the picture is back.
        good_frames = int((LOSS_PATIENCE_S + 2 * KEY_FRAME_EVERY_S) / FRAME_S) + 3
        for _ in range(good_frames):
            clock.advance(FRAME_S)
            for packet in sender.next(2):
                sender.asked |= receiver.add(packet)[0]
        check_decodable(sender.sent, delivered)
        assert delivered[-1].data == sender.sent[-1][0]
