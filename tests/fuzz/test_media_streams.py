"""A hostile participant's pictures, connectivity checks and good-byes: what comes in good packets, but means harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from typing import Any

import av
import pytest
from aioice import stun
from aiortc.codecs.vpx import Vp8Encoder as AiortcVp8Encoder
from OpenSSL import SSL

from host.compositor import Compositor
from signaling import rtcguard
from signaling.codec import VideoDecoder, is_key_frame, plane_views
from tests.fake_peer import FakePeer, until
from tests.fuzz.budget import count, dice
from tests.fuzz.media_packets import mutated, rtp
from tests.fuzz.media_scene import Scene, attacked, dtls, host_port, ice, own_ssrc, payload_types, send_rtp, stranger
from tests.host.people import live, show
from tests.host.people import scene as scene_of
from tests.media import flat, flat_vp8, moving, vp8

SIZES = ((1, 1), (16_383, 16_383), (16_383, 2), (2, 16_383), (4096, 2304), (8191, 2), (0, 0), (0, 100))


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with attacked() as made:
        yield made


def claiming(data: bytes, width: int, height: int) -> bytes:
    """A VP8 key frame that says it has another size (RFC 6386 9.1)."""
    return data[:6] + width.to_bytes(2, "little") + height.to_bytes(2, "little") + data[10:]


def h264(width: int, height: int, frames: int) -> list[bytes]:
    """Pictures as H.264 frames, the first a key frame."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt, context.thread_count = width, height, "yuv420p", 1
    context.time_base = Fraction(1, 15)
    context.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    made: list[bytes] = []
    for number in range(frames):
        frame = av.VideoFrame.from_ndarray(moving(width, height, number), format="yuv420p")
        frame.pts = number
        made += [bytes(packet) for packet in context.encode(frame)]
    return made


class Publisher:
    """Sends VP8 frames by hand, over the connection of `peer`."""

    def __init__(self, peer: FakePeer) -> None:
        self._peer = peer
        self._ssrc = own_ssrc(peer) ^ 1
        self._number = self._time = 0

    async def send(self, frames: list[bytes]) -> None:
        packets = []
        for data in frames:
            payloads = AiortcVp8Encoder._packetize(data, self._time & 0x7FFF)
            for index, payload in enumerate(payloads):
                last = index == len(payloads) - 1
                kind = payload_types(self._peer)[0]
                packets.append(rtp(kind, self._number, self._time * 6000, self._ssrc, payload, marker=last))
                self._number += 1
            self._time += 1
        await send_rtp(self._peer, packets)


async def test_a_participant_may_send_any_picture(scene: Scene) -> None:
    random = dice(11)
    mallory = await scene.attacker()
    publisher = Publisher(mallory)
    good = vp8(moving(160, 120, number) for number in range(6))
    await publisher.send([claiming(good[0], *size) for size in SIZES])
    await publisher.send([good[0], b"\x10", b"\x10\x02\x00\x9d\x01\x2a", *good[1:]])
    for _ in range(count(20)):
        await publisher.send([good[0], *(mutated(random.choice(good), random) for _ in range(20))])
        await asyncio.sleep(0.01)
    await scene.nobody_noticed()
    large = await asyncio.to_thread(lambda: vp8([flat(4096, 2304, (90, 128, 128))] * 2))
    await publisher.send([large[0]])
    for _ in range(count(10)):
        await publisher.send([large[1]] * 30)
        await asyncio.sleep(0.02)
    await scene.nobody_noticed()
    await scene.all_gone(mallory)


def test_any_picture_can_be_decoded_or_not_and_the_grid_can_be_drawn() -> None:
    random = dice(12)
    compositor = Compositor(320, 180)
    streams = {"VP8": vp8(moving(160, 120, number) for number in range(6)), "H264": h264(160, 120, 6)}
    for codec, good in streams.items():
        for number in range(count(300)):
            if number % 30 == 0:
                decoder = VideoDecoder(codec)
            data = random.choice(good) if random.random() < 0.3 else mutated(random.choice(good), random)
            is_key_frame(codec, data)
            if not data:
                continue
            try:
                frame = decoder.decode(data)
            except av.FFmpegError:
                continue
            if frame is not None:
                y, u, v = plane_views(frame)
                assert y.shape == (frame.height, frame.width)
                assert (int(y.sum()), int(u.sum()), int(v.sum())) >= (0, 0, 0)
    ana = live()
    for width, height in SIZES:
        show(ana, claiming(flat_vp8(64, 48, (90, 128, 128)), width, height))
        assert compositor.compose(scene_of(ana, width=320, height=180), "12:00:00").shape == (270, 320)


async def test_a_participant_may_check_the_path_from_anywhere_and_disagree_about_roles(scene: Scene) -> None:
    mallory = await scene.attacker()
    agent = ice(mallory)
    password = str(agent.remote_password).encode()
    peers = [await stranger(host_port(mallory)[0]) for _ in range(3 * rtcguard.MOVES_AT_ONCE)]
    random = dice(13)
    extra: list[dict[str, Any]] = [
        {},
        {"PRIORITY": 1},
        {"PRIORITY": 1, "USE-CANDIDATE": None},
        {"PRIORITY": 1, "ICE-CONTROLLED": 2**64 - 1},
        {"PRIORITY": 1, "ICE-CONTROLLING": 0, "USE-CANDIDATE": None},
    ]
    for _ in range(count(4)):
        for who in peers:
            request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            request.attributes = {"USERNAME": f"{agent.remote_username}:{agent.local_username}", **random.choice(extra)}
            request.add_message_integrity(password)
            who.send(bytes(request), host_port(mallory))
        await asyncio.sleep(0.01)
    await scene.nobody_noticed()
    # Each request was answered, and the first of each address checked; what is asked again and again comes later.
    assert sum(who.answered for who in peers) < 3 * sum(who.sent for who in peers)
    for who in peers:
        who.close()
    await scene.all_gone(mallory)


def close_notify(ssl: SSL.Connection) -> None:
    ssl.shutdown()


def hello_again(ssl: SSL.Connection) -> None:
    ssl.renegotiate()
    try:
        ssl.do_handshake()
    except SSL.Error:
        return


@pytest.mark.parametrize("farewell", [close_notify, hello_again])
async def test_a_participant_may_end_dtls_or_begin_it_again(
    scene: Scene, farewell: Callable[[SSL.Connection], None]
) -> None:
    for _ in range(count(2)):
        mallory = await scene.attacker()
        transport = dtls(mallory)
        assert transport._ssl is not None
        farewell(transport._ssl)
        await transport._write_ssl()
        await asyncio.sleep(0.05)
        await scene.nobody_noticed()
        await scene.all_gone(mallory)


async def test_who_sent_garbage_and_left_without_a_word_is_gone_with_their_tile(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.participant.GONE_AFTER_S", 2.0)
    mallory = await scene.attacker()
    await send_rtp(mallory, [bytes([0x90]) + dice(14).randbytes(100) for _ in range(50)])
    for protocol in list(ice(mallory)._protocols):
        protocol.transport.abort()
    names = lambda: [participant.name for participant in scene.client.room.participants()]  # noqa: E731
    await until(lambda: names() == ["Ana"])
    await scene.nobody_noticed()
    await scene.all_gone(mallory)
