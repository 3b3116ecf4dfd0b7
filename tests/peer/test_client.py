from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from peer.client import ClientConfig, MeetingClient
from peer.link import parse_link
from peer.mood import MoodBoard
from peer.perception.verdict import Verdict
from peer.perception.worker import NO_MODEL, Decision
from peer.session import SessionConfig
from peer.source import SourceState
from peer.testpattern import TestPatternSource
from signaling.codec import vp8_size
from signaling.protocol import Bye, ByeReason, Label, Mood, Pong, Reason, Send
from signaling.rtc import EncodedFrame
from tests.peer.fake_host import GRID_HEIGHT, GRID_WIDTH, INVITE, RESUME, FakeHost, FakeSession, running_host

QUICK = ClientConfig(retry_first_s=0.05, retry_most_s=0.2, session=SessionConfig(connect_s=10.0, silent_s=1.0))


class Hearer:
    """Collects what the client says, and lets a test wait for it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.grid: list[EncodedFrame] = []
        self._changed = asyncio.Event()

    def connected(self, participant: str) -> None:
        self._hear("connected", participant)

    def disconnected(self, reason: str) -> None:
        self._hear("disconnected", reason)

    def error(self, code: str, message: str) -> None:
        assert message
        self._hear("error", code)

    def on_grid_frame(self, frame: EncodedFrame) -> None:
        self.grid.append(frame)
        self._changed.set()

    def _hear(self, kind: str, detail: str) -> None:
        self.heard.append((kind, detail))
        self._changed.set()

    async def until(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


@pytest.fixture
async def host() -> AsyncIterator[FakeHost]:
    async with running_host() as host:
        yield host


@asynccontextmanager
async def joined(
    host: FakeHost, moods: MoodBoard | None = None
) -> AsyncIterator[tuple[Hearer, asyncio.Task[None], TestPatternSource]]:
    hearer = Hearer()
    source = TestPatternSource()
    source.start()
    client = MeetingClient(
        parse_link(host.url),
        "Ana",
        source=source,
        moods=moods,
        listener=hearer,
        on_grid_frame=hearer.on_grid_frame,
        config=QUICK,
    )
    task = asyncio.create_task(client.run())
    try:
        yield hearer, task, source
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        source.close()


def decision(label: Label, score: float = 0.5) -> Decision:
    return Decision(Verdict(label, score, Reason.FACE), None, 1)


def moods_of(session: FakeSession) -> list[Mood]:
    return [message for message in session.messages if isinstance(message, Mood)]


async def test_a_participant_sends_video_receives_the_grid_answers_pings_and_leaves(host: FakeHost) -> None:
    async with joined(host) as (hearer, _, _):
        session = await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        await host.until(lambda: len(session.frames) > 3)
        assert session.frames[0].key
        assert vp8_size(session.frames[0].data) == (640, 480)
        await hearer.until(lambda: len(hearer.grid) > 3)
        assert vp8_size(hearer.grid[0].data) == (GRID_WIDTH, GRID_HEIGHT)
        await host.until(lambda: any(isinstance(message, Pong) for message in session.messages))
        assert not moods_of(session)  # joined without labels
        assert host.offers == [("Ana", INVITE)]
    assert session.deleted


async def test_a_mood_is_sent_at_each_change_and_repeated_every_second(host: FakeHost) -> None:
    board = MoodBoard()
    board.put(decision(Label.ATTENTIVE, 0.9))
    async with joined(host, board):
        session = await host.session(0)
        await host.until(lambda: len(moods_of(session)) >= 3)
        assert {mood.label for mood in moods_of(session)} == {Label.ATTENTIVE}
        board.put(decision(Label.NOT_ATTENTIVE, 0.1))
        await host.until(lambda: moods_of(session)[-1].label is Label.NOT_ATTENTIVE, 0.8)
        board.put(Decision(NO_MODEL, None, 0))
        await host.until(lambda: moods_of(session)[-1].reason is Reason.NO_MODEL, 0.8)
        seqs = [mood.seq for mood in moods_of(session)]
        assert seqs == sorted(set(seqs))


async def test_a_send_message_changes_size_and_a_lost_camera_stops_the_video_alone(host: FakeHost) -> None:
    async with joined(host) as (_, _, source):
        session = await host.session(0)
        await host.until(lambda: len(session.frames) > 2)
        session.send(Send(320, 200, 10, 200))
        await host.until(lambda: vp8_size(session.frames[-1].data) == (266, 200))
        timestamps = [frame.timestamp for frame in session.frames]
        steps = [(after - before) % 2**32 for before, after in itertools.pairwise(timestamps)]
        assert all(0 < step < 2**31 for step in steps)  # time goes on across the new encoder
        source._set_state(SourceState.LOST, "unplugged")
        source._stopping.set()
        pongs = len(session.messages)
        await host.until(lambda: len(session.messages) > pongs + 5)
        count = len(session.frames)
        await host.until(lambda: len(session.messages) > pongs + 10)
        assert len(session.frames) == count


async def test_a_key_frame_comes_when_the_host_asks(host: FakeHost) -> None:
    async with joined(host):
        session = await host.session(0)
        await host.until(lambda: len(session.frames) > 5)
        before = len(session.frames)
        assert not session.frames[-1].key
        assert session.receiver is not None
        session.receiver.need_key_frame()
        await host.until(lambda: any(frame.key for frame in session.frames[before:]))


async def test_a_host_that_falls_silent_is_joined_anew_with_the_personal_token(host: FakeHost) -> None:
    async with joined(host) as (hearer, _, _):
        await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        host.pinging = False
        await host.until(lambda: len(host.sessions) > 1)
        host.pinging = True
        await hearer.until(lambda: ("connected", "p1") in hearer.heard)
        assert ("disconnected", "host silent") in hearer.heard
        assert host.offers == [("Ana", INVITE), ("Ana", RESUME)]
        assert not host.sessions[0].deleted  # leaving would give the tile away


async def test_a_host_that_restarts_is_found_again(host: FakeHost) -> None:
    async with joined(host) as (hearer, _, _):
        await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        await host.stop()
        await hearer.until(lambda: ("error", "host_unreachable") in hearer.heard)
        await host.start(host.port)
        await hearer.until(lambda: ("connected", "p1") in hearer.heard)
        assert [kind for kind, _ in hearer.heard].count("error") == 1  # told once, not at every attempt


async def test_a_refused_personal_token_falls_back_to_the_invite(host: FakeHost) -> None:
    async with joined(host) as (hearer, _, _):
        session = await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        host.refuse = [(401, "token_invalid")]
        session.send(Bye(ByeReason.SHUTDOWN))
        await hearer.until(lambda: ("connected", "p1") in hearer.heard)
        assert [token for _, token in host.offers] == [INVITE, RESUME, INVITE]


@pytest.mark.parametrize(("status", "code"), [(403, "removed"), (409, "mode_changed"), (409, "mode_fixed")])
async def test_some_refusals_on_the_way_back_are_final(host: FakeHost, status: int, code: str) -> None:
    async with joined(host) as (hearer, task, _):
        session = await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        host.refuse = [(status, code)]
        session.send(Bye(ByeReason.SHUTDOWN))
        await asyncio.wait_for(task, 10)
        assert hearer.heard[-1] == ("error", code)
        assert [token for _, token in host.offers] == [INVITE, RESUME]


@pytest.mark.parametrize("reason", [ByeReason.REMOVED, ByeReason.MISBEHAVED, ByeReason.REPLACED])
async def test_a_bye_that_means_it_is_final(host: FakeHost, reason: ByeReason) -> None:
    async with joined(host) as (hearer, task, _):
        session = await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        session.send(Bye(reason))
        await asyncio.wait_for(task, 10)
        assert hearer.heard[-1] == ("disconnected", reason)
        assert len(host.offers) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(400, "name_invalid"), (401, "token_expired"), (403, "room_forbidden"), (404, "room_unknown")]
)
async def test_a_refusal_of_the_first_offer_is_final(host: FakeHost, status: int, code: str) -> None:
    host.refuse = [(status, code)]
    async with joined(host) as (hearer, task, _):
        await asyncio.wait_for(task, 10)
        assert hearer.heard == [("error", code)]


async def test_a_full_room_is_tried_again(host: FakeHost) -> None:
    host.refuse = [(503, "room_full"), (503, "room_full")]
    async with joined(host) as (hearer, _, _):
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        assert hearer.heard == [("error", "room_full"), ("connected", "p0")]


@pytest.mark.parametrize(("status", "code"), [(503, "room_full"), (429, "too_many_requests")])
async def test_a_host_that_says_when_is_not_asked_sooner(host: FakeHost, status: int, code: str) -> None:
    host.refuse, host.retry_after = [(status, code)], "1"
    async with joined(host) as (hearer, _, _):
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
    first_s, second_s = host.offered_s
    assert second_s - first_s >= 1.0  # by itself it would have come within 0.05 s


async def test_who_was_told_to_wait_once_is_not_kept_waiting_again(host: FakeHost) -> None:
    hearer, link = Hearer(), parse_link(host.url)
    client = MeetingClient(
        link, "Ana", source=TestPatternSource(), moods=None, listener=hearer, on_grid_frame=print, config=QUICK
    )
    client._asked_s = 7.0
    assert 7.0 <= client._delay_s() <= 7.0 + QUICK.retry_most_s
    assert client._delay_s() <= QUICK.retry_most_s


async def test_what_the_host_should_not_send_is_ignored(host: FakeHost) -> None:
    async with joined(host) as (hearer, _, _):
        session = await host.session(0)
        await hearer.until(lambda: ("connected", "p0") in hearer.heard)
        assert session.channel is not None
        for junk in ("", "{", json.dumps({"t": "later"}), "x" * 5000, b"\x00\xff", '{"t":"send","width":0}'):
            session.channel.send(junk)
        pongs = len(session.messages)
        await host.until(lambda: len(session.messages) > pongs + 3)
        assert hearer.heard == [("connected", "p0")]


async def test_leaving_while_connecting_leaves_nothing_behind(host: FakeHost) -> None:
    async with joined(host) as (hearer, task, _):
        await host.until(lambda: bool(host.offers))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert hearer.heard == []
    others = [one for one in asyncio.all_tasks() if "peer" in repr(one.get_coro())]
    assert not [one for one in others if one is not asyncio.current_task() and "test_" not in repr(one)]
