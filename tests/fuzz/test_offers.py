"""Offers that nobody sane would make: each is answered, or refused with an error of ours, and nobody else notices."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from aiortc import RTCSessionDescription, sdp
from hypothesis import given
from hypothesis import strategies as st

from host.admission import Admission
from host.offer import Offer, parse_offer, require_publishing, require_watching
from signaling.errors import EdgeAttendError
from signaling.protocol import Ping
from tests.fake_peer import FakePeer, until
from tests.fuzz.budget import count, dice, examples
from tests.fuzz.mutation import OFFERS, mutate
from tests.host.conftest import Meeting
from tests.host.offers import offer, section

ANSWER_S = 20.0
"""Longer than any offer may take, on a machine with much else to do: what takes longer hangs."""


def judge(text: str) -> Offer | None:
    """`text` as the host takes it; None if it refuses it in its own words."""
    try:
        parsed = parse_offer(text)
    except EdgeAttendError as error:
        assert error.status in (400, 422)
        assert len(error.message) < 300, error.message[:400]
        return None
    for require in (require_publishing, require_watching):
        try:
            require(parsed)
        except EdgeAttendError as error:
            assert error.status in (400, 422)
    return parsed


@pytest.mark.parametrize("name", OFFERS)
def test_offers_of_others_are_taken_as_they_are(name: str) -> None:
    require_publishing(parse_offer(OFFERS[name]))
    if name.endswith("_meeting"):
        assert parse_offer(OFFERS[name]).watches == 1


@examples(100)
@given(st.text(max_size=300))
def test_any_text_after_the_first_line_is_judged(text: str) -> None:
    judge("v=0\r\n" + text)
    judge(text)


@examples(30)
@given(st.lists(st.from_regex(r"[a-z]=[a-z-]{0,12}(:[ -~]{0,40})?", fullmatch=True), max_size=40), st.data())
def test_lines_that_look_like_sdp_are_judged(lines: list[str], data: st.DataObject) -> None:
    real = section().splitlines()
    for line in lines:
        real.insert(data.draw(st.integers(0, len(real))), line)
    judge(offer() + "\r\n".join(real))


def test_a_changed_offer_is_judged() -> None:
    random = dice(1)
    taken = 0
    for _ in range(count(400)):
        text = mutate(random.choice(list(OFFERS.values())), random)
        try:
            taken += judge(text) is not None
        except Exception:
            print(repr(text))
            raise
    assert taken > 20, "all changes are so bad that nothing behind the parser is tried"


async def post(meeting: Meeting, text: str, number: int, random: Random) -> str | None:
    """The session that an offer gets, as a participant's or a viewer's; None if it gets none."""
    admission = Admission(f"guest-{number}", "Guest", lambda: "resume", "owner")
    try:
        async with asyncio.timeout(ANSWER_S):
            if random.random() < 0.6:
                session, answer = await meeting.room.publish(text, admission)
            else:
                session, answer = await meeting.room.watch(text, f"viewer-{number}")
    except EdgeAttendError as error:
        assert error.status in (400, 422), error.message
        return None
    described = sdp.SessionDescription.parse(answer)
    assert described.media
    assert all(media.ice_candidates for media in described.media), "nobody could connect to this answer"
    return session


async def test_a_room_answers_changed_offers_or_refuses_them_and_whoever_is_in_goes_on(meeting: Meeting) -> None:
    random = dice(2)
    inside, _ = await meeting.join("inside")
    answered = 0
    open_sessions: list[str] = []
    for number in range(count(50)):
        text = mutate(random.choice(list(OFFERS.values())), random)
        try:
            session = await post(meeting, text, number, random)
        except BaseException:
            print(repr(text))
            raise
        if session is not None:
            answered += 1
            open_sessions.append(session)
        if len(open_sessions) > 8:  # the others go on looking for a way to whom they answered
            await meeting.room.leave(open_sessions.pop(0))
        if number % 10 == 0:
            await goes_on(inside)
    assert answered > 5, "all changes are so bad that nothing is answered"
    pings = len(inside.heard(Ping))
    await until(lambda: len(inside.heard(Ping)) > pings)


async def goes_on(inside: FakePeer) -> None:
    """Wait until more of the grid has come."""
    frames = len(inside.grid)
    await until(lambda: len(inside.grid) > frames + 3)


CONNECTABLE = """
a=max-message-size:1
a=extmap:256 urn:ietf:params:rtp-hdrext:sdes:mid
a=setup:active
a=sctp-port:65536
a=ssrc:99999999999 cname:x
a=sendrecv
a=max-message-size:0
a=max-message-size:50
a=max-message-size:99999999999999999999
a=max-message-size:-1
a=sctp-port:0
a=sctp-port:1
a=sctp-port:65535
a=sctp-port:4294967295
a=setup:passive
a=ice-lite
a=inactive
a=end-of-candidates
a=extmap:1 x
a=extmap:14 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:255 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid
a=ssrc:0 cname:x
a=ssrc:-1 cname:x
a=rtcp-fb:* nack
a=fmtp:98 apt=97
a=rtpmap:98 rtx/90000
a=fingerprint:sha-1 00
a=fingerprint:sha-999 x
a=candidate:1 1 udp 1 192.0.2.1 65536 typ host
a=candidate:1 1 udp 1 fe80::1%nowhere.example 9 typ host
a=bundle-only
a=rtcp:9
""".splitlines()[1:]
"""Lines that may let a connection come about, and do harm then."""


async def test_whoever_connects_with_a_changed_offer_harms_nobody_else(meeting: Meeting) -> None:
    random = dice(3)
    inside, _ = await meeting.join("inside")
    connected = 0
    for number in range(count(5)):
        peer = FakePeer()
        meeting.peers.append(peer)
        lines = (await peer.offer()).splitlines()
        heads = [i for i, line in enumerate(lines) if line.startswith("m=")]
        for new in (CONNECTABLE[number % len(CONNECTABLE)], *random.sample(CONNECTABLE, random.randint(0, 1))):
            same = [i for i, line in enumerate(lines) if line.split(":")[0] == new.split(":")[0]]
            for at in same:
                lines[at] = new
            if not same:
                lines.insert(random.choice(heads) + 1, new)
        try:
            connected += await take_part(meeting, peer, "\r\n".join(lines) + "\r\n", number)
        except BaseException:
            print(lines)
            raise
        await goes_on(inside)
        await peer.close()
    assert connected > 1, "all changes are so bad that nobody connects"
    pings = len(inside.heard(Ping))
    await until(lambda: len(inside.heard(Ping)) > pings)


async def take_part(meeting: Meeting, peer: FakePeer, text: str, number: int) -> bool:
    """Whether `peer`, whose offer was changed to `text`, gets as far as the room's first message or grid frame."""
    name = f"guest-{number}"
    try:
        session, answer = await meeting.room.publish(text, Admission(name, "Guest", lambda: "resume", "owner"))
    except EdgeAttendError as error:
        assert error.status in (400, 422), error.message
        return False
    try:
        await peer.connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        await until(lambda: bool(peer.grid or peer.messages), 2.0)
    except Exception:  # its own aiortc finds no sense in an answer to what it never offered, or waits in vain
        return False
    finally:
        await meeting.room.leave(session)
    return True
