"""One WebRTC session: what is answered to which offer, and what passes through it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import sdp

from host.endpoint import Endpoint
from host.fanout import Fanout
from host.offer import parse_offer
from host.session import MAX_BUFFERED_BYTES, Session
from signaling import rtc
from signaling.errors import SdpInvalid
from signaling.protocol import Ping
from tests.fake_peer import FakePeer, closing, until
from tests.host.offers import CHANNEL, offer, real_offer, section

ENDPOINT = Endpoint()


class FakeListener:
    """Remembers the names of its calls, and what came."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.messages: list[str | bytes] = []
        self.frames: list[rtc.EncodedFrame] = []

    def session_connected(self, _: Session) -> None:
        self.calls.append("connected")

    def session_lost(self, _: Session) -> None:
        self.calls.append("lost")

    def session_channel(self, _: Session) -> None:
        self.calls.append("channel")

    def session_message(self, _: Session, data: str | bytes) -> None:
        self.messages.append(data)

    def session_frame(self, _: Session, frame: rtc.EncodedFrame) -> None:
        self.frames.append(frame)


@pytest.fixture
def listener() -> FakeListener:
    return FakeListener()


@pytest.fixture
async def session(listener: FakeListener) -> AsyncIterator[Session]:
    session = Session(ENDPOINT, Fanout(), listener)
    yield session
    await session.close()


def answered(text: str) -> list[tuple[str, str | None, list[str]]]:
    """Kind, direction and codecs of every section of an answer."""
    return [
        (media.kind, media.direction, [codec.mimeType for codec in media.rtp.codecs])
        for media in sdp.SessionDescription.parse(text).media
    ]


async def test_a_participants_offer_is_answered_on_its_own_sections(session: Session) -> None:
    text = await session.answer(parse_offer(await real_offer("sendonly", "recvonly", channel=True)), publish=True)
    (kind_in, direction_in, _), (kind_out, direction_out, codecs_out), (kind_data, _, _) = answered(text)
    assert (kind_in, direction_in) == ("video", "recvonly")
    assert (kind_out, direction_out) == ("video", "sendonly")
    assert set(codecs_out) == {"video/VP8", "video/rtx"}
    assert kind_data == "application"


async def test_sections_may_come_in_another_order(session: Session) -> None:
    text = await session.answer(parse_offer(await real_offer("recvonly", "sendonly", channel=True)), publish=True)
    assert [part[1] for part in answered(text)][:2] == ["sendonly", "recvonly"]


async def test_one_section_can_carry_both_ways(session: Session) -> None:
    text = await session.answer(parse_offer(await real_offer("sendrecv")), publish=True)
    assert answered(text)[0][1] == "sendrecv"


async def test_a_viewers_video_is_not_taken(session: Session) -> None:
    text = await session.answer(parse_offer(await real_offer("recvonly", "sendonly")), publish=False)
    assert [part[1] for part in answered(text)] == ["sendonly", "inactive"]
    assert session.receiver is None


async def test_sound_and_second_cameras_are_refused(session: Session) -> None:
    parts = section("audio", codecs=("opus",)), section(mid="1"), section(mid="2")
    text = await session.answer(parse_offer(offer(*parts).replace("opus/90000", "opus/48000/2")), publish=True)
    assert [part[:2] for part in answered(text)] == [
        ("audio", "inactive"),
        ("video", "recvonly"),
        ("video", "inactive"),
    ]


async def test_an_offer_that_cannot_be_answered_is_invalid_and_closes_the_session(listener: FakeListener) -> None:
    session = Session(ENDPOINT, Fanout(), listener)
    without_mux = offer(section(without=("rtcp-mux",)))
    with pytest.raises(SdpInvalid, match="that can be answered"):
        await session.answer(parse_offer(without_mux), publish=True)
    assert session._connection.connectionState == "closed"


async def test_frames_messages_and_the_end_come_to_the_listener(session: Session, listener: FakeListener) -> None:
    peer = FakePeer()
    async with closing(peer):
        await peer.accept(await session.answer(parse_offer(await peer.offer()), publish=True))
        await until(lambda: {"connected", "channel"} <= set(listener.calls))
        assert session.ever_connected
        assert not session.overdue(session.created_s + 1000, 15)
        peer.send("hello")
        peer.send(b"\x00")
        await until(lambda: len(listener.messages) == 2)
        assert listener.messages == ["hello", b"\x00"]
        assert (await until(lambda: listener.frames))[0].key
        session.send(Ping(7))
        assert (await peer.hear(Ping)).id == 7
    await until(lambda: "lost" in listener.calls)


async def test_only_the_channel_mood_is_opened_and_only_once(session: Session, listener: FakeListener) -> None:
    peer = FakePeer()
    async with closing(peer):
        other = peer.connection.createDataChannel("files")
        second = peer.connection.createDataChannel("mood")
        await peer.accept(await session.answer(parse_offer(await peer.offer()), publish=True))
        await until(lambda: other.readyState == second.readyState == "closed")
        assert listener.calls.count("channel") == 1
        assert peer.channel.readyState == "open"
        assert session.ever_connected


async def test_text_that_is_no_utf8_ends_its_session(session: Session, listener: FakeListener) -> None:
    peer = FakePeer()
    async with closing(peer):
        await peer.accept(await session.answer(parse_offer(await peer.offer()), publish=True))
        sctp: Any = peer.connection.sctp
        await sctp._send(peer.channel.id, 51, b"\xff\xfe")  # 51: WebRTC String (RFC 8831, 8)
        await until(lambda: "lost" in listener.calls)  # aiortc gives that connection up
    assert listener.messages == []


async def test_messages_to_a_channel_that_cannot_take_them_are_dropped(session: Session) -> None:
    sent: list[str] = []
    session.send(Ping(1))  # there is no channel yet
    channel: Any = SimpleNamespace(readyState="open", bufferedAmount=0, send=sent.append)
    session._channel = channel
    session.send(Ping(2))
    channel.bufferedAmount = MAX_BUFFERED_BYTES + 1
    session.send(Ping(3))
    channel.bufferedAmount, channel.readyState = 0, "closing"
    session.send(Ping(4))
    assert sent == ['{"t":"ping","id":2}']


async def test_a_transport_that_just_closed_is_no_error(session: Session) -> None:
    def send(_: str) -> None:
        raise ConnectionError

    channel: Any = SimpleNamespace(readyState="open", bufferedAmount=0, send=send)
    session._channel = channel
    session.send(Ping(1))


async def test_a_message_that_is_longer_than_the_remote_side_takes_is_dropped(session: Session) -> None:
    peer = FakePeer()
    async with closing(peer):
        text = (await peer.offer()).replace("a=max-message-size:262144", "a=max-message-size:1")
        await peer.accept(await session.answer(parse_offer(text), publish=True))
        await until(lambda: session._channel is not None)
        session.send(Ping(1))
    assert not peer.messages


@pytest.mark.parametrize("order", ["2 1 0", "1 0 2"])
async def test_a_bundle_in_another_order_connects(session: Session, listener: FakeListener, order: str) -> None:
    peer = FakePeer()
    async with closing(peer):
        text = (await peer.offer()).replace("a=group:BUNDLE 0 1 2", f"a=group:BUNDLE {order}")
        await peer.accept(await session.answer(parse_offer(text), publish=True))
        await until(lambda: {"connected", "channel"} <= set(listener.calls))


async def test_an_offer_that_ends_its_hidden_candidates_can_be_connected_to(session: Session) -> None:
    hidden = "1 1 udp 2113937151 0b5e21c9-5ae0-4a39-a0f1-6b29ea1a3e5f.local 51000 typ host"  # as Firefox has it
    ended = offer(section(candidates=(hidden,)) + "a=end-of-candidates\r\n")
    text = await session.answer(parse_offer(ended), publish=True)
    assert all(media.ice_candidates for media in sdp.SessionDescription.parse(text).media)


async def test_a_data_channel_may_be_the_first_section(session: Session) -> None:
    text = await session.answer(parse_offer(offer(CHANNEL, section(mid="1"), bundle="2 1")), publish=True)
    assert all(media.ice_candidates for media in sdp.SessionDescription.parse(text).media)


async def test_a_session_that_never_connects_is_overdue(session: Session) -> None:
    assert not session.overdue(session.created_s + 14, 15)
    assert session.overdue(session.created_s + 16, 15)


async def test_closing_twice_is_fine_and_gives_the_viewers_place_back(listener: FakeListener) -> None:
    fanout = Fanout()
    session = Session(ENDPOINT, fanout, listener)
    await session.answer(parse_offer(await real_offer("recvonly")), publish=False)
    assert fanout.viewers == 1
    await session.close()
    await session.close()
    assert fanout.viewers == 0
