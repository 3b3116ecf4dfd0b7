from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from aiortc.mediastreams import MediaStreamError
from hypothesis import given
from hypothesis import strategies as st

from peer.sender import FrameSender, SenderTrack, fit, to_planes
from peer.source import Frame, Pixels
from signaling.codec import VideoDecoder, Vp8Encoder, is_key_frame, plane_views, vp8_size
from signaling.protocol import Send
from tests.fake_clock import FakeClock
from tests.peer.fake_source import FakeSource


def send(width: int = 640, height: int = 480, fps: int = 15, kbps: int = 500) -> Send:
    return Send(width, height, fps, kbps)


@pytest.fixture
def source() -> Iterator[FakeSource]:
    source = FakeSource()
    yield source
    source.close()


@pytest.mark.parametrize(
    ("picture", "box", "expected"),
    [
        ((640, 480), (640, 480), (640, 480)),
        ((640, 480), (320, 200), (266, 200)),
        ((640, 480), (1280, 720), (640, 480)),
        ((1280, 720), (640, 640), (640, 360)),
        ((720, 1280), (640, 480), (270, 480)),
        ((641, 481), (1280, 720), (640, 480)),
        ((4096, 16), (64, 64), (64, 16)),
    ],
)
def test_a_picture_fits_into_the_box_with_even_sides_and_is_never_enlarged(
    picture: tuple[int, int], box: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fit(*picture, send(*box)) == expected


@given(st.integers(32, 2000), st.integers(32, 2000), st.integers(16, 1280), st.integers(16, 720))
def test_the_size_is_always_encodable_and_within_the_box(width: int, height: int, box: int, tall: int) -> None:
    columns, rows = fit(width, height, send(box, tall))
    assert columns % 2 == rows % 2 == 0
    assert 16 <= columns <= max(box, 16)
    assert 16 <= rows <= max(tall, 16)


@pytest.mark.parametrize("height", [120, 122, 124, 126])
def test_colours_survive_every_even_height(height: int) -> None:
    red = np.zeros((height, 160, 3), np.uint8)
    red[..., 2] = 200
    encoder, decoder = Vp8Encoder(160, height, 15, 500), VideoDecoder("VP8")
    packet = encoder.encode(to_planes(red, 160, height), 0)
    assert packet is not None
    frame = decoder.decode(bytes(packet))
    assert frame is not None
    _, u, v = plane_views(frame)
    assert u.shape == (height // 2, 80)
    assert np.ptp(u) < 12
    assert np.ptp(v) < 12


def picture(width: int, height: int) -> Pixels:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def test_the_size_follows_the_hosts_wish_and_each_encoder_begins_with_a_key_frame(source: FakeSource) -> None:
    frames = FrameSender(source)
    sizes = []
    for wish in (send(320, 240), send(160, 120, fps=30), send(160, 120, fps=30)):
        frames.ask(wish)
        source.show(picture(640, 480))
        packet = frames.next_packet()
        assert packet is not None
        sizes.append(vp8_size(bytes(packet)))
    assert sizes == [(320, 240), (160, 120), None]


def test_time_stamps_rise_across_frame_rates(source: FakeSource) -> None:
    frames = FrameSender(source)
    stamps = []
    for fps in (30, 30, 7, 15, 30, 1, 30):
        frames.ask(send(64, 48, fps=fps))
        source.show()
        packet = frames.next_packet()
        while packet is None:  # not due yet at a low rate
            packet = frames.next_packet()
        assert packet.pts is not None
        stamps.append(packet.pts / fps)
    assert stamps == sorted(set(stamps))


def test_no_frame_is_sent_twice(source: FakeSource) -> None:
    frames = FrameSender(source)
    source.show()
    assert frames.next_packet() is not None
    assert frames.next_packet() is None


def test_a_lost_source_sends_nothing(source: FakeSource) -> None:
    frames = FrameSender(source)
    source.show()
    source.lose()
    assert frames.next_packet() is None


def test_a_wished_key_frame_is_made_once(source: FakeSource) -> None:
    frames = FrameSender(source)
    keys = []
    for number in range(4):
        if number == 2:
            frames.ask_key_frame()
        source.show()
        packet = frames.next_packet()
        assert packet is not None
        keys.append(is_key_frame("VP8", bytes(packet)))
    assert keys == [True, False, True, False]


@pytest.mark.parametrize(
    ("source_fps", "asked", "expected"), [(30, 15, 15), (16, 15, 15), (15, 15, 15), (10, 15, 10), (30, 7, 7)]
)
def test_the_rate_is_the_asked_one_or_the_sources(
    clock: FakeClock, monkeypatch: pytest.MonkeyPatch, *, source_fps: int, asked: int, expected: int
) -> None:
    """Ten seconds on a clock that only the frames move: whoever waits, waits until the next one."""
    clock.install(monkeypatch, "peer.sender", "peer.source")
    source = TickingSource(clock, source_fps)
    frames = FrameSender(source)
    monkeypatch.setattr(frames._closing, "wait", source.sleep)
    frames.ask(send(64, 48, fps=asked))
    start_s, sent = clock.now_s, 0
    while clock.now_s < start_s + 10:
        sent += frames.next_packet() is not None
    assert sent / 10 == pytest.approx(expected, rel=0.05)


class TickingSource(FakeSource):
    """Shows a frame at each tick of a clock that moves only while somebody waits."""

    def __init__(self, clock: FakeClock, fps: int) -> None:
        super().__init__()
        self._clock, self._interval_s, self._next_s = clock, 1 / fps, clock.now_s

    def sleep(self, seconds: float) -> bool:
        end_s = self._clock.now_s + seconds
        while self._next_s <= end_s:
            self._tick()
        self._clock.now_s = end_s
        return False

    def wait_newer(self, seq: int, timeout_s: float) -> Frame | None:
        if not self._is_newer(seq):
            self._tick()
        return super().wait_newer(seq, timeout_s)

    def _tick(self) -> None:
        self._clock.now_s = max(self._clock.now_s, self._next_s)
        self._next_s += self._interval_s
        self.show()


async def test_a_track_delivers_packets_survives_an_error_and_raises_only_at_its_end(
    source: FakeSource, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    track = SenderTrack(source)
    good = track.frames.next_packet
    calls = 0

    def sometimes() -> object:
        nonlocal calls
        calls += 1
        if calls <= 2:
            raise RuntimeError("a bad frame")
        return good()

    monkeypatch.setattr(track.frames, "next_packet", sometimes)
    source.show()
    assert await track.recv() is not None
    assert caplog.text.count("could not be sent") == 1
    await track.close()
    with pytest.raises(MediaStreamError):
        await track.recv()
