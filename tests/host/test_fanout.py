"""One stream for everybody: who gets which packets, and when a key frame is due."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiortc.mediastreams import MediaStreamError

from host.fanout import KEY_FRAME_EVERY_S, MAX_QUEUED_PACKETS, Fanout, GridTrack
from tests.fake_clock import FakeClock


class FakePacker:
    """In the place of `Vp8Packer`, which takes real packets alone."""

    def __init__(self, other: Any = None) -> None:
        pass

    def put(self, packet: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _packs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.rtc.Vp8Packer", FakePacker)


def packet(number: int, *, key: bool = False, size: int = 1000) -> Any:
    """What the fan-out looks at of an `av.Packet`."""
    return SimpleNamespace(number=number, is_keyframe=key, size=size)


async def take(track: GridTrack) -> int:
    """The number of the next packet, which must be there."""
    async with asyncio.timeout(1):
        return (await track.recv()).number  # type: ignore[attr-defined]


async def start(track: GridTrack) -> asyncio.Task[Any]:
    """Call `recv` for the first time, as a sender does once its connection stands."""
    task = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    return task


@pytest.fixture
def fanout(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Fanout:
    clock.install(monkeypatch, "host.fanout")
    return Fanout()


async def test_a_viewer_whose_connection_does_not_stand_yet_gets_nothing(fanout: Fanout) -> None:
    track = fanout.subscribe()
    fanout.publish(packet(1, key=True))
    first = await start(track)
    fanout.publish(packet(2, key=True))
    assert (await first).number == 2
    assert track.dropped == 0


async def test_a_viewer_begins_with_a_key_frame(fanout: Fanout) -> None:
    track = fanout.subscribe()
    first = await start(track)
    fanout.publish(packet(1))
    fanout.publish(packet(2))
    fanout.publish(packet(3, key=True))
    fanout.publish(packet(4))
    assert (await first).number == 3
    assert await take(track) == 4


async def test_every_viewer_gets_the_same_packets(fanout: Fanout) -> None:
    tracks = [fanout.subscribe() for _ in range(3)]
    firsts = [await start(track) for track in tracks]
    key, inter = packet(1, key=True), packet(2)
    fanout.publish(key)
    fanout.publish(inter)
    assert [await first for first in firsts] == [key] * 3
    assert [await track.recv() for track in tracks] == [inter] * 3


async def test_a_viewer_who_falls_behind_loses_alone_and_goes_on_at_the_next_key_frame(fanout: Fanout) -> None:
    slow, fast = fanout.subscribe(), fanout.subscribe()
    starts = [await start(slow), await start(fast)]
    fanout.publish(packet(0, key=True))
    await asyncio.gather(*starts)
    for number in range(1, MAX_QUEUED_PACKETS + 2):
        fanout.publish(packet(number))
        assert await take(fast) == number
    assert fanout.key_requests == 1
    assert fanout.queue_drops() == slow.dropped == MAX_QUEUED_PACKETS + 1
    next_of_slow = await start(slow)
    fanout.publish(packet(50))
    assert await take(fast) == 50
    await asyncio.sleep(0)  # a turn of the loop
    assert not next_of_slow.done()
    fanout.publish(packet(51, key=True))
    assert (await next_of_slow).number == await take(fast) == 51
    assert fanout.key_requests == 1


async def test_a_full_queue_is_still_delivered(fanout: Fanout) -> None:
    track = fanout.subscribe()
    first = await start(track)
    fanout.publish(packet(0, key=True))
    await first
    for number in range(1, MAX_QUEUED_PACKETS + 1):
        fanout.publish(packet(number))
    assert [await take(track) for _ in range(MAX_QUEUED_PACKETS)] == list(range(1, MAX_QUEUED_PACKETS + 1))


async def test_a_key_frame_makes_history_of_what_waited(fanout: Fanout) -> None:
    track = fanout.subscribe()
    first = await start(track)
    fanout.publish(packet(0, key=True))
    await first
    fanout.publish(packet(1))
    fanout.publish(packet(2, key=True))
    assert await take(track) == 2
    assert track.dropped == 1


async def test_a_viewer_who_connects_makes_the_next_frame_a_key_frame_at_once(fanout: Fanout, clock: FakeClock) -> None:
    tracks = [fanout.subscribe() for _ in range(2)]
    assert not fanout.take_key_request()
    tasks = [await start(tracks[0])]
    assert fanout.take_key_request()
    assert not fanout.take_key_request()
    clock.advance(0.01)
    tasks.append(await start(tracks[1]))
    assert fanout.take_key_request()
    fanout.close()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_requests_of_many_viewers_make_one_key_frame_a_second(fanout: Fanout, clock: FakeClock) -> None:
    made = 0
    for _ in range(50):  # five seconds in which everybody asks all the time
        for _ in range(7):
            fanout.request_key_frame()
        made += (key := fanout.take_key_request())
        fanout.publish(packet(0, key=key))
        clock.advance(0.1)
    assert made == pytest.approx(5 / KEY_FRAME_EVERY_S, abs=1)
    assert fanout.key_frames == made
    assert fanout.key_requests == 350


def test_a_request_that_had_to_wait_is_served_later(fanout: Fanout, clock: FakeClock) -> None:
    fanout.request_key_frame()
    assert fanout.take_key_request()
    fanout.request_key_frame()
    assert not fanout.take_key_request()
    clock.advance(KEY_FRAME_EVERY_S)
    assert fanout.take_key_request()
    clock.advance(KEY_FRAME_EVERY_S)
    assert not fanout.take_key_request()


async def test_a_viewer_who_leaves_is_forgotten_but_not_their_losses(fanout: Fanout) -> None:
    track = fanout.subscribe()
    first = await start(track)
    fanout.publish(packet(0, key=True))
    await first
    fanout.publish(packet(1))
    fanout.publish(packet(2, key=True))
    assert fanout.viewers == 1
    track.stop()
    track.stop()
    assert fanout.viewers == 0
    assert fanout.queue_drops() == 1


async def test_the_end_of_a_stream_wakes_who_waits_for_it(fanout: Fanout) -> None:
    waiting = await start(fanout.subscribe())
    fanout.close()
    with pytest.raises(MediaStreamError):
        await asyncio.wait_for(waiting, 1)
    assert fanout.viewers == 0


async def test_after_its_end_a_stream_has_nothing_left(fanout: Fanout) -> None:
    track = fanout.subscribe()
    first = await start(track)
    fanout.publish(packet(0, key=True))
    fanout.publish(packet(1))
    await first
    track.stop()
    with pytest.raises(MediaStreamError):
        await track.recv()


async def test_a_viewer_in_congestion_gets_the_small_rendition_from_a_key_frame_on(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.install(monkeypatch, "host.fanout")
    fanout = Fanout(small=Fanout())
    assert fanout.small is not None
    slow, fast = fanout.subscribe(), fanout.subscribe()
    begun = [await start(track) for track in (slow, fast)]
    fanout.publish(packet(0, key=True, size=50_000))
    for task in begun:
        await task
    for number in range(1, 10):
        fanout.strained = number <= 5  # all are late, and that is the host's doing
        clock.advance(1.0)
        fanout.publish(packet(number, size=190_000))
        for track in (slow, fast):
            assert await take(track) == number
        slow.estimate(300_000)
        fast.estimate(2_000_000)
        assert fanout.small.viewers == (1 if number == 9 else 0)
    assert (fanout.small.viewers, fanout.viewers) == (1, 2)
    assert fanout.small.take_key_request()
    slow.request_key_frame()
    fast.request_key_frame()
    assert fanout.key_frames_asked() == 2
    assert fanout.key_frames_made() == 1
    fanout.publish(packet(14))
    fanout.small.publish(packet(100))  # not before a key frame
    fanout.small.publish(packet(101, key=True))
    assert await take(slow) == 101
    assert await take(fast) == 14
    assert fanout.key_frames_made() == 2
    slow.stop()
    assert fanout.viewers == 1


async def test_a_viewer_who_left_is_not_taken_in_by_another_rendition(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.install(monkeypatch, "host.fanout")
    fanout = Fanout(small=Fanout())
    assert fanout.small is not None
    track = fanout.subscribe()
    begun = await start(track)
    fanout.publish(packet(0, key=True, size=50_000))
    await begun
    for number in range(1, 8):  # its connection closes after it, and goes on estimating until then
        clock.advance(1.0)
        fanout.publish(packet(number, size=190_000))
        if number == 3:
            track.stop()
        if number < 3:
            await take(track)
        track.estimate(100_000)
    assert fanout.viewers == 0
