"""Messages that nobody sane would send: dropped and counted, and nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from aiortc.rtcsctptransport import (
    AbortChunk,
    DataChunk,
    ForwardTsnChunk,
    HeartbeatChunk,
    ReconfigChunk,
    SackChunk,
    ShutdownChunk,
)
from hypothesis import given
from hypothesis import strategies as st

from host.inbox import Inbox
from signaling.errors import MessageInvalid, SessionUnknown
from signaling.protocol import (
    MAX_MESSAGE_BYTES,
    Label,
    Mood,
    Reason,
    Roster,
    Send,
    decode_from_host,
    decode_from_participant,
    encode,
)
from tests.fake_peer import FakePeer, until
from tests.fuzz.budget import count, dice, examples
from tests.fuzz.messages import EXTREMES, REAL, mutate
from tests.host.conftest import Meeting

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)
FIELDS = st.fixed_dictionaries(
    {"t": st.sampled_from(["mood", "pong", "ping", "send", "welcome", "roster", "bye", "x"]) | JSON},
    optional={
        "label": st.sampled_from(list(Label)) | JSON,
        "score": st.floats() | JSON,
        "reason": st.sampled_from(list(Reason)) | JSON,
        "seq": st.integers() | JSON,
        "id": st.integers() | JSON,
        "resume": st.text(max_size=20) | JSON,
        "width": st.integers() | JSON,
        "fps": st.integers() | JSON,
        "participants": st.lists(JSON, max_size=5) | JSON,
    },
)


def judge(data: str | bytes) -> None:
    """Both ends take `data` for a message within its bounds, or refuse it in one way; the inbox only counts."""
    with contextlib.suppress(MessageInvalid):
        message = decode_from_participant(data)
        if isinstance(message, Mood):
            assert 0.0 <= message.score <= 1.0
            assert message.seq >= 0
        encode(message)
    with contextlib.suppress(MessageInvalid):
        asked = decode_from_host(data)
        if isinstance(asked, Send):
            assert asked.fps >= 1
            assert min(asked.width, asked.height) >= 16
        encode(asked)
    inbox = Inbox()
    assert (inbox.take(data) is None) == (inbox.rejected == 1)


@pytest.mark.parametrize("data", EXTREMES, ids=lambda data: ascii(data[:60]))
def test_an_extreme_message_is_judged(data: str | bytes) -> None:
    judge(data)


@examples(80)
@given(FIELDS | JSON)
def test_any_json_is_judged(value: object) -> None:
    judge(json.dumps(value, default=str))
    judge(json.dumps(value, default=str, ensure_ascii=False))


@examples(60)
@given(st.text() | st.binary())
def test_any_text_or_bytes_are_judged(data: str | bytes) -> None:
    judge(data)


def test_a_changed_message_is_judged() -> None:
    random = dice(4)
    for _ in range(count(500)):
        judge(mutate(random.choice(REAL), random))


# What a participant does to the host, over a real connection.

Misdeed = Callable[[FakePeer, Random], Awaitable[None]]


async def burst(peer: FakePeer, _: Random) -> None:
    for _number in range(200):
        peer.mood(Label.NOT_ATTENTIVE)


async def binary(peer: FakePeer, random: Random) -> None:
    for _ in range(100):
        peer.send(random.randbytes(random.choice((0, 1, 100, 4096))))


async def nonsense(peer: FakePeer, random: Random) -> None:
    for _ in range(40):
        text = mutate(random.choice(REAL), random) if random.random() < 0.7 else random.choice(EXTREMES)
        peer.send(text if isinstance(text, bytes) else text.encode(errors="replace").decode())


async def sizes(peer: FakePeer, _: Random) -> None:
    for size in (1, MAX_MESSAGE_BYTES - 1, MAX_MESSAGE_BYTES, MAX_MESSAGE_BYTES + 1, 65_536, 262_144):
        peer.send("x" * size)
    await sctp(peer)._send(peer.channel.id, STRING, b"x" * 400_000)  # over what the answer says to send at most


async def other_channels(peer: FakePeer, random: Random) -> None:
    for label in ("mood", "", "files", "é" * 1000, "\x00"):
        channel = peer.connection.createDataChannel(label, ordered=random.random() < 0.5, protocol="x" * 300)
        channel.on("open", partial(channel.send, "hello"))


async def channels_by_the_hundred(peer: FakePeer, _: Random) -> None:
    for number in range(300):
        peer.connection.createDataChannel(f"{number}")


async def channels_closed_at_once(peer: FakePeer, _: Random) -> None:
    for number in range(20):
        channel = peer.connection.createDataChannel(f"{number}")
        await asyncio.sleep(0)
        channel.close()


async def closed_channel(peer: FakePeer, _: Random) -> None:
    peer.channel.close()
    peer.connection.createDataChannel("mood")


async def no_unicode(peer: FakePeer, _: Random) -> None:
    await sctp(peer)._send(peer.channel.id, STRING, b"\xff\xfe")


async def control_messages(peer: FakePeer, random: Random) -> None:
    channel = random.choice((peer.channel.id, 500))
    for data in (
        b"\x02",
        b"\x03",
        b"\x03" * 11,
        b"\x03" * 12,
        b"\x03\x00\x00\x00" + b"\xff" * 30,
        random.randbytes(40),
    ):
        await sctp(peer)._send(channel, CONTROL, data)


async def no_end(peer: FakePeer, _: Random) -> None:
    """Pieces of one message that goes on and on."""
    for number in range(2500):
        await raw(peer, data(peer, first=number == 0, content=b"x" * 10))


async def far_ahead(peer: FakePeer, _: Random) -> None:
    for skipped in (3, *[300] * 300):
        await raw(peer, data(peer, skipped, content=b"x"))


async def many_streams(peer: FakePeer, _: Random) -> None:
    for number in range(200):
        await raw(peer, data(peer, stream=number, first=True, content=b"x"))


async def wide_acknowledgements(peer: FakePeer, _: Random) -> None:
    chunk = SackChunk()
    chunk.cumulative_tsn = sctp(peer)._last_received_tsn
    chunk.gaps = [(1, 65535)] * 250
    for _number in range(5):
        await raw(peer, chunk)


async def odd_chunks(peer: FakePeer, random: Random) -> None:
    forward = ForwardTsnChunk()
    forward.cumulative_tsn = random.getrandbits(32)
    forward.streams = [(random.getrandbits(16), random.getrandbits(16)) for _ in range(40)]
    reset = ReconfigChunk()
    reset.params = [(random.choice((13, 16, 17, 99)), random.randbytes(random.choice((0, 8, 12, 14, 40))))]
    beat = HeartbeatChunk()
    beat.params = [(1, random.randbytes(900))]
    sack = SackChunk()
    sack.cumulative_tsn, sack.gaps, sack.duplicates = random.getrandbits(32), [(9, 2)], [1, 2, 3]
    for chunk in random.sample([forward, reset, beat, sack, ShutdownChunk(), AbortChunk()], 3):
        await raw(peer, chunk)


async def garbage(peer: FakePeer, random: Random) -> None:
    for size in (0, 1, 11, 12, 13, 28, 1000):
        await sctp(peer).transport._send_data(random.randbytes(size) or b"\x00")


STRING, CONTROL = 51, 50  # WebRTC String, DCEP (RFC 8831 8)


def sctp(peer: FakePeer) -> Any:
    """The peer's end of the association, private names and all."""
    return peer.connection.sctp


def data(peer: FakePeer, skipped: int = 0, *, stream: int = 0, first: bool = False, content: bytes) -> DataChunk:
    """The next chunk, after `skipped` numbers that never come; it is never the last of its message."""
    chunk = DataChunk()
    chunk.flags = 4 | (2 if first else 0)  # unordered
    chunk.tsn = (sctp(peer)._local_tsn + skipped) % 2**32
    sctp(peer)._local_tsn = (chunk.tsn + 1) % 2**32
    chunk.stream_id, chunk.stream_seq, chunk.protocol, chunk.user_data = stream, 0, STRING, content
    return chunk


async def raw(peer: FakePeer, chunk: Any) -> None:
    """Past everything that paces or bounds what aiortc sends, but for a turn of the loop to let the host take it."""
    await sctp(peer)._send_chunk(chunk)
    await asyncio.sleep(0)


ENDED: tuple[Misdeed, ...] = (burst, binary, no_unicode)
"""These end the session that does them; the others may."""

MISDEEDS: tuple[Misdeed, ...] = (
    *ENDED,
    *(
        nonsense,
        sizes,
        other_channels,
        channels_by_the_hundred,
        channels_closed_at_once,
        closed_channel,
        control_messages,
        far_ahead,
    ),
    *(no_end, many_streams, wide_acknowledgements, odd_chunks, garbage),
)


async def test_whoever_misuses_a_data_channel_harms_nobody_else(meeting: Meeting) -> None:
    random = dice(5)
    inside, _ = await meeting.join("inside")
    for number in range(count(len(MISDEEDS))):
        misdeed = MISDEEDS[number % len(MISDEEDS)]
        print(misdeed.__name__)
        inside.mood(Label.ATTENTIVE)
        peer, session = await meeting.join("guest")
        with contextlib.suppress(ConnectionError):  # ended before it was through
            await misdeed(peer, random)
        frames = len(inside.grid)
        await until(lambda: len(inside.grid) > frames + 2)  # noqa: B023
        if misdeed in ENDED:
            await until(lambda: meeting.state("guest") in (None, "stale"))
        everybody = {participant.id: participant for participant in meeting.room.participants()}
        mood = everybody["inside"].mood
        assert mood is not None
        assert mood.mood.label is Label.ATTENTIVE
        assert everybody["inside"].state == "live"
        with contextlib.suppress(SessionUnknown):
            await meeting.room.leave(session)
        await until(lambda: [entry.id for entry in inside.heard(Roster)[-1].participants] == ["inside"])
        await peer.close()
