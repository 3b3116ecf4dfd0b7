"""Garbage at the media ports while a meeting runs, from strangers and from a participant who has the keys."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator

import pytest
from aiortc.rtp import RTP_HISTORY_SIZE

from tests.fake_peer import FakePeer, until
from tests.fuzz.budget import count, dice
from tests.fuzz.media_packets import (
    bad_rtcp,
    bad_rtp,
    in_order,
    jumping_rtp,
    mutated,
    other_packets,
    rtcp,
    rtp,
    stun_packets,
)
from tests.fuzz.media_scene import (
    Scene,
    attacked,
    chunk,
    dtls,
    host_port,
    ice,
    own_ssrc,
    payload_types,
    sctp_packet,
    send_raw,
    send_rtp,
    send_sctp,
    stranger,
)

MOST_REFLECTED = 3.0
"""Bytes that a stranger gets for each one sent: with more, we would be of use against somebody else."""

DATA, INIT, SACK, HEARTBEAT, ABORT, SHUTDOWN, ERROR, COOKIE_ECHO, RECONFIG, FORWARD_TSN = (
    0, 1, 3, 4, 6, 7, 9, 10, 130, 192,
)  # fmt: skip
DCEP, STRING = 50, 51


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with attacked() as made:
        yield made


def host_ssrc(peer: FakePeer) -> int:
    """What the host sends the grid with, as its answer says."""
    lines = peer.connection.remoteDescription.sdp.splitlines()
    return int(next(line for line in lines if line.startswith("a=ssrc:")).split(":")[1].split()[0])


async def test_strangers_disturb_nobody_and_get_little_back(scene: Scene) -> None:
    random = dice(1)
    address, port = host_port(scene.ana)
    name = f"{ice(scene.ana).remote_username}:{ice(scene.ana).local_username}"
    packets = [*stun_packets(random, name), *other_packets(random)]
    packets += [mutated(random.choice(packets[:400]), random) for _ in range(count(1500))]
    nominated = ice(scene.ana)._nominated[1]
    who = await stranger(address)
    for number, packet in enumerate(packets):
        who.send(packet, (address, port))
        if number % 16 == 0:
            await asyncio.sleep(0)
    await scene.nobody_noticed()
    assert who.answered < MOST_REFLECTED * who.sent
    assert ice(scene.ana)._nominated[1] is nominated
    who.close()


async def test_a_stranger_who_is_taken_for_a_participant_ends_nothing(scene: Scene) -> None:
    for packet in (b"", b"\x80" * 1501, b"\x17\xfe\xfd" * 600):
        await send_raw(scene.ana, [packet] * 3)
        await scene.nobody_noticed()


async def test_what_comes_from_a_participants_own_port_without_keys_ends_nothing(scene: Scene) -> None:
    random = dice(2)
    name = f"{ice(scene.ana).remote_username}:{ice(scene.ana).local_username}"
    packets = [*stun_packets(random, name), *other_packets(random)]
    packets += [mutated(random.choice(packets), random) for _ in range(count(500))]
    await send_raw(scene.ana, packets)
    await scene.nobody_noticed()


async def test_a_participant_may_send_any_rtp(scene: Scene) -> None:
    random = dice(3)
    mallory = await scene.attacker()
    types, ssrc = payload_types(mallory), own_ssrc(mallory)
    good = [rtp(types[0], 0, number * 3000, ssrc, b"\x10\x02" + bytes(30), marker=True) for number in range(4)]
    bad = list(bad_rtp(random, types, ssrc))
    packets = [*bad, *(mutated(random.choice([*bad, *good]), random) for _ in range(count(800)))]
    assert await send_rtp(mallory, in_order(packets, ssrc)) > len(packets) // 2
    await send_rtp(mallory, jumping_rtp(types[0], ssrc ^ 1))
    await scene.nobody_noticed()
    many = (rtp(random.choice(types), number, number, number, bytes(20)) for number in range(count(1000)))
    await send_rtp(mallory, many)
    jumps = (rtp(types[0], number * 32_767, number, ssrc ^ 2, b"\x10" + bytes(20)) for number in range(count(500)))
    await send_rtp(mallory, jumps)
    await scene.nobody_noticed()
    await scene.all_gone(mallory)


async def test_a_participant_may_send_any_rtcp(scene: Scene) -> None:
    random = dice(4)
    mallory = await scene.attacker()
    packets = list(bad_rtcp(random, own_ssrc(mallory), host_ssrc(mallory)))
    packets += [mutated(random.choice(packets), random) for _ in range(count(800))]
    packets += [b"".join(random.choices(packets, k=3))[:1400] for _ in range(count(100))]
    assert await send_rtp(mallory, packets) > len(packets) // 2
    await scene.nobody_noticed()
    await scene.all_gone(mallory)


async def test_asking_for_everything_again_gets_a_bounded_answer(scene: Scene) -> None:
    mallory = await scene.attacker()
    await until(lambda: len(mallory.grid) > 3)
    heads = struct.pack("!II", own_ssrc(mallory), host_ssrc(mallory))
    everything = [struct.pack("!HH", number, 0xFFFF) for number in range(0, 2**16, 17)]
    asked = [rtcp(205, 1, heads + b"".join(everything[at : at + 300])) for at in range(0, len(everything), 300)]
    before = dtls(mallory)._RTCDtlsTransport__rx_packets  # type: ignore[attr-defined]
    for _ in range(count(5)):
        await send_rtp(mallory, asked)
    await scene.nobody_noticed()
    got = dtls(mallory)._RTCDtlsTransport__rx_packets - before  # type: ignore[attr-defined]
    assert got < 20 * RTP_HISTORY_SIZE
    await scene.all_gone(mallory)


def bad_sctp(mallory: FakePeer) -> Iterator[bytes]:
    """What no association asked for, each in a packet of its own."""
    sctp = mallory.connection.sctp
    assert sctp is not None
    tsn = sctp._local_tsn
    sack = struct.pack("!IIHH", sctp._last_received_tsn or 0, 1 << 20, 300, 0)
    for kind in (*range(16), 64, RECONFIG, FORWARD_TSN, 255):
        for size in range(0, 24, 3):
            yield sctp_packet(mallory, chunk(kind, bytes(size)))
            yield sctp_packet(mallory, chunk(kind, b"\xff" * size))
        for length in (0, 1, 3, 0xFFFF):
            yield sctp_packet(mallory, chunk(kind, bytes(8), length=length))
        yield sctp_packet(mallory, chunk(kind, bytes(16) + b"\x00\x0d\x00\x00" * 4))
        yield sctp_packet(mallory, chunk(kind, bytes(16)), tag=0)
    yield sctp_packet(mallory, chunk(SACK, sack + b"\x00\x01\xff\xff" * 300))
    yield sctp_packet(mallory, chunk(SACK, sack + b"\x00\x05\x00\x01" * 300))
    yield sctp_packet(mallory, chunk(SACK, sack + b"\x00\x00\xff\xff\xff\xff\x00\x00" * 150))
    yield sctp_packet(mallory, *[chunk(HEARTBEAT)] * 300)
    for ahead in (2, 1000, 2**31 - 1, 2**31, 2**32 - 1):
        head = struct.pack("!IHHI", (tsn + ahead) % 2**32, 1, 0, STRING)
        yield sctp_packet(mallory, chunk(DATA, head + b"\xff\xfe", flags=3))
        yield sctp_packet(mallory, chunk(FORWARD_TSN, struct.pack("!IHH", (tsn + ahead) % 2**32, 1, 65_535)))
    names = (b"", b"mood", b"\xff" * 4, "ж".encode() * 200)
    for stream, name in enumerate(names):
        for length in (len(name), 0, 0xFFFF):
            opened = struct.pack("!BBHLHH", 3, 0x83, 0, 2**32 - 1, length, length) + name
            yield sctp_packet(mallory, chunk(DATA, struct.pack("!IHHI", tsn, stream, 0, DCEP) + opened, flags=3))
            tsn = (tsn + 1) % 2**32
    yield sctp_packet(mallory, chunk(DATA, struct.pack("!IHHI", tsn, 9, 0, DCEP) + b"\x02", flags=3))
    yield sctp_packet(mallory, chunk(INIT, struct.pack("!IIHHI", 1, 0, 65_535, 65_535, 0)), tag=0)
    yield sctp_packet(mallory, chunk(INIT, struct.pack("!IIHHI", 1, 0, 0, 0, 0)), chunk(INIT), tag=0)
    resets = struct.pack("!HHIII", 13, 216, 1, 1, tsn) + b"".join(struct.pack("!H", s) for s in range(100))
    yield sctp_packet(mallory, chunk(RECONFIG, resets))
    yield sctp_packet(mallory, chunk(COOKIE_ECHO, bytes(24)), chunk(ERROR), chunk(SHUTDOWN, bytes(4)), chunk(ABORT))


async def test_a_participant_may_send_any_sctp(scene: Scene) -> None:
    random = dice(5)
    first = await scene.attacker()
    one_by_one = list(bad_sctp(first))
    mallory = first
    tried = 0
    for round_ in range(count(4)):
        packets = list(bad_sctp(mallory))
        random.shuffle(packets)
        if round_:
            packets = [mutated(packet, random) for packet in packets]
            packets = [sctp_packet(mallory, packet[12:]) for packet in packets]
        while packets:  # a session that ends leaves the rest for the next one
            sent = await send_sctp(mallory, packets[:40])
            await asyncio.sleep(0.02)
            tried += sent
            packets = packets[max(1, sent) :]
            if mallory.connection.connectionState != "connected":
                await scene.all_gone(mallory)
                mallory = await scene.attacker()
    assert tried >= len(one_by_one)
    await scene.nobody_noticed()
    await scene.all_gone(mallory)
