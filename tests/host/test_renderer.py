"""The thread that composes, encodes and hands out the grid."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from host.annotated import PANEL_PX, AnnotatedView
from host.compositor import Compositor, Scene
from host.fanout import Fanout, GridTrack
from host.histogram import Histogram
from host.renderer import GridConfig, Renderer, check_grid
from host.share import ShareMeter
from signaling.codec import Planes, VideoDecoder, Vp8Encoder
from tests.fake_peer import until
from tests.host.people import live, scene

CONFIG = GridConfig(320, 180, 30, 300)


class Studio:
    """A renderer with its outputs."""

    def __init__(self) -> None:
        self.fanout = Fanout()
        self.view = AnnotatedView()
        self.renderer = Renderer(CONFIG, Scene("main", ()), self.fanout, self.view)


@pytest.fixture
async def studio() -> AsyncIterator[Studio]:
    studio = Studio()
    yield studio
    studio.fanout.close()
    await studio.renderer.close()


async def packets(track: GridTrack, count: int) -> list[bytes]:
    async with asyncio.timeout(10):
        return [bytes(await track.recv()) for _ in range(count)]


async def test_frames_are_composed_even_when_nobody_watches_but_not_encoded(studio: Studio) -> None:
    studio.renderer.start()
    await until(lambda: studio.renderer.frames > 5)
    assert studio.renderer.fps > 0
    assert studio.renderer.compose_ms > 0
    assert studio.renderer.encode_ms == 0
    assert studio.fanout.key_frames == 0


async def test_a_viewer_gets_a_stream_that_begins_with_a_key_frame_and_decodes(studio: Studio) -> None:
    track = studio.fanout.subscribe()
    studio.renderer.start()
    decoder = VideoDecoder("VP8")
    for data in await packets(track, 5):
        frame = decoder.decode(data)
        assert frame is not None
        assert (frame.width, frame.height) == (CONFIG.width, CONFIG.height)
    assert studio.renderer.encode_ms > 0


async def test_the_small_rendition_takes_its_time_too(studio: Studio) -> None:
    """Where everybody watches it, nothing else is encoded."""
    studio.fanout.small = Fanout()
    track = studio.fanout.small.subscribe()
    studio.renderer.start()
    await packets(track, 3)
    assert studio.renderer.encode_ms > 0
    assert studio.renderer.encode_times.buckets()[-1][1] < studio.renderer.frames
    assert studio.fanout.key_frames_made() == studio.fanout.small.key_frames > 0  # its encoder begins with one
    assert studio.fanout.key_frames == 0


async def test_a_requested_key_frame_comes_to_everybody(studio: Studio) -> None:
    track = studio.fanout.subscribe()
    studio.renderer.start()
    await packets(track, 2)
    studio.fanout._last_key_s = float("-inf")
    studio.fanout.request_key_frame()

    async def next_key() -> None:
        while not (await track.recv()).is_keyframe:
            pass

    await asyncio.wait_for(next_key(), 10)


async def test_a_new_scene_is_shown_in_the_next_frames(studio: Studio) -> None:
    with studio.view:
        studio.renderer.start()
        first = await asyncio.wait_for(studio.view.next(0), 10)
        assert first is not None
        studio.renderer.scene = scene(live(), width=CONFIG.width, height=CONFIG.height)
        number, jpeg = first
        while jpeg == first[1]:
            fresh = await asyncio.wait_for(studio.view.next(number), 10)
            assert fresh is not None
            number, jpeg = fresh
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None
        assert picture.shape == (CONFIG.height, CONFIG.width + PANEL_PX, 3)


async def test_nothing_is_drawn_for_the_host_while_nobody_watches(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bool] = []
    monkeypatch.setattr("host.renderer.draw_annotated", lambda *_: drawn.append(True))
    studio.renderer.start()
    await until(lambda: studio.renderer.frames > 5)
    assert drawn == []


async def test_a_frame_that_cannot_be_drawn_ends_nobodys_meeting(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    compose = Compositor.compose
    calls = 0

    def fail_at_first(self: Compositor, *arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls <= 3:
            raise ZeroDivisionError
        return compose(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Compositor, "compose", fail_at_first)
    track = studio.fanout.subscribe()
    studio.renderer.start()
    data = await packets(track, 3)
    assert VideoDecoder("VP8").decode(data[0]) is not None
    assert studio.renderer.errors == 3
    assert studio.renderer.alive
    assert [record.message for record in caplog.records] == ["could not render a frame (error 1)"]


async def test_an_encoder_that_fails_is_replaced_and_the_stream_goes_on_at_a_key_frame(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = Vp8Encoder.encode
    broken: list[Vp8Encoder] = []

    def fail_in_the_fourth_frame(self: Vp8Encoder, planes: Planes, pts: int, *, key_frame: bool = False) -> object:
        if self in broken or (not broken and studio.renderer.frames == 4):
            broken.append(self)
            raise av.ExternalError(1, "broken")
        return encode(self, planes, pts, key_frame=key_frame)

    monkeypatch.setattr(Vp8Encoder, "encode", fail_in_the_fourth_frame)
    track = studio.fanout.subscribe()
    starting = asyncio.create_task(track.recv())
    await until(studio.fanout.take_key_request)
    studio.renderer.start()
    await starting
    keys = [(await asyncio.wait_for(track.recv(), 10)).is_keyframe for _ in range(5)]
    assert True in keys
    assert studio.renderer.errors == len(broken) == 1


async def test_intervals_that_were_missed_are_skipped_not_made_up_for(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose = Compositor.compose
    stalled = threading.Event()
    release = threading.Event()

    def stall_once(self: Compositor, *arguments: object) -> object:
        if not stalled.is_set():
            stalled.set()
            release.wait(5)
        return compose(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Compositor, "compose", stall_once)
    studio.renderer.start()
    await until(stalled.is_set)
    loop = asyncio.get_running_loop()
    loop.call_later(0.3, release.set)
    await until(lambda: studio.renderer.frames >= 2)
    assert studio.renderer.skipped >= 7


async def test_its_thread_ends_with_it(studio: Studio) -> None:
    studio.renderer.start()
    assert studio.renderer.alive
    await studio.renderer.close()
    assert not studio.renderer.alive
    assert "compositor" not in {thread.name for thread in threading.enumerate()}
    await studio.renderer.close()


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        (GridConfig(), None),
        (GridConfig(320, 180, 1), None),
        (GridConfig(1280, 720, 30), None),
        (GridConfig(321, 180), "even grid width and height, got 321x180"),
        (GridConfig(320, 181), "even grid width and height, got 320x181"),
        (GridConfig(318, 180), "from 320x180 to 1280x720, got 318x180"),
        (GridConfig(1920, 1080), "from 320x180 to 1280x720, got 1920x1080"),
        (GridConfig(0, 0), "from 320x180 to 1280x720, got 0x0"),
        (GridConfig(-320, 180), "from 320x180 to 1280x720, got -320x180"),
        (GridConfig(fps=0), "1 to 30 frames/s, got 0"),
        (GridConfig(fps=31), "1 to 30 frames/s, got 31"),
    ],
)
def test_a_grid_is_what_every_receiver_can_decode(config: GridConfig, problem: str | None) -> None:
    found = check_grid(config)
    assert found is None if problem is None else found is not None and problem in found


async def test_in_aggregate_mode_the_hosts_picture_is_drawn_without_labels(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("expected no labels to be drawn")

    monkeypatch.setattr("host.renderer.draw_annotated", refuse)
    studio.view.share = ShareMeter()
    with studio.view:
        studio.renderer.start()
        _, jpeg = await asyncio.wait_for(studio.view.next(0), 10) or (0, b"")
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (CONFIG.height, CONFIG.width + PANEL_PX, 3)
    assert studio.renderer.errors == 0


async def test_another_rate_is_another_stream_whose_time_goes_on(studio: Studio) -> None:
    track = studio.fanout.subscribe()
    studio.renderer.start()
    times = []
    for rate in (30, 12, 30):
        studio.renderer.rate = rate
        async with asyncio.timeout(10):
            packet = await track.recv()
            while packet.time_base != Fraction(1, rate):
                packet = await track.recv()
            assert packet.is_keyframe
            following = [packet, *[await track.recv() for _ in range(3)]]
        assert all(p.time_base == Fraction(1, rate) for p in following)
        assert all(p.pts is not None for p in following)
        times += [float(p.pts * p.time_base) for p in following if p.pts is not None and p.time_base is not None]
    assert times == sorted(set(times))
    assert studio.renderer.errors == 0


async def test_how_long_frames_take_is_counted(studio: Studio) -> None:
    track = studio.fanout.subscribe()
    studio.renderer.start()
    await packets(track, 3)

    def count(histogram: Histogram) -> float:
        return histogram.buckets()[-1][1]

    await until(lambda: count(studio.renderer.encode_times) >= 3)  # a frame is on its way before it is counted
    assert count(studio.renderer.compose_times) >= count(studio.renderer.encode_times)
    assert studio.renderer.encode_times.sum_s > 0
