"""A participant's video between the event loop and the compositor."""

from __future__ import annotations

import numpy as np
import pytest

from host.slot import DECODE_AT_ONCE_S, FPS_WINDOW_S, MAX_PENDING_FRAMES, VideoSlot
from signaling.codec import plane_views
from signaling.rtc import EncodedFrame
from tests.fake_clock import FakeClock
from tests.media import flat, flat_vp8, moving, vp8


class Watched:
    """A slot and how often it asked for a key frame."""

    def __init__(self) -> None:
        self.asked = 0
        self.slot = VideoSlot(self.ask)

    def ask(self) -> None:
        self.asked += 1

    def push(self, *frames: bytes, arrived_s: float = 0.0, codec: str = "VP8") -> None:
        for data in frames:
            self.slot.push(EncodedFrame(codec, data, 0, arrived_s, key=not data[0] & 1))


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_the_newest_frame_replaces_the_ones_before(watched: Watched) -> None:
    watched.push(*vp8(flat(64, 48, (60 + 40 * n, 128, 128)) for n in range(4)))
    frame = watched.slot.take()
    assert frame is not None
    assert abs(float(np.mean(plane_views(frame)[0])) - 180) < 3
    assert watched.slot.take() is None
    assert watched.slot.size == (64, 48)


def test_without_a_frame_there_is_nothing_to_take(watched: Watched) -> None:
    assert watched.slot.take() is None
    assert watched.slot.size is None
    assert watched.slot.last_frame_s is None


def test_each_take_goes_on_where_the_last_one_stopped(watched: Watched) -> None:
    for number, data in enumerate(vp8(moving(64, 48, n) for n in range(5))):
        watched.push(data, arrived_s=number / 15)
        assert watched.slot.take() is not None
        assert watched.slot.last_frame_s == number / 15
    assert watched.slot.decode_errors == 0
    assert watched.asked == 0


def test_when_the_compositor_stalls_everything_is_dropped_and_a_key_frame_asked_for(watched: Watched) -> None:
    frames = vp8(moving(64, 48, n) for n in range(3))
    watched.push(frames[0], *[frames[1]] * (MAX_PENDING_FRAMES - 1))
    assert watched.asked == 0
    watched.push(frames[2])
    assert watched.asked == 1
    assert watched.slot.dropped == MAX_PENDING_FRAMES + 1
    assert watched.slot.take() is None
    watched.push(flat_vp8(64, 48, (90, 128, 128)))
    assert watched.slot.take() is not None


def test_a_frame_that_cannot_be_decoded_asks_for_a_key_frame_on_the_next_push(watched: Watched) -> None:
    watched.push(b"\x11garbage that is no frame at all")
    assert watched.slot.take() is None
    assert watched.slot.decode_errors == 1
    assert watched.asked == 0  # the compositor's thread must not ask: asking is for the event loop
    inter = vp8(moving(64, 48, n) for n in range(2))[1]
    watched.push(inter)
    assert watched.asked == 1
    assert watched.slot.take() is None
    watched.push(flat_vp8(64, 48, (90, 128, 128)))
    assert watched.slot.take() is not None
    assert watched.slot.decode_errors == 1


def test_good_frames_around_a_broken_one_are_shown(watched: Watched) -> None:
    watched.push(flat_vp8(64, 48, (90, 128, 128)), b"\x11garbage that is no frame at all")
    assert watched.slot.take() is not None
    assert watched.slot.decode_errors == 1


def test_a_participant_may_change_size_and_codec(watched: Watched) -> None:
    watched.push(flat_vp8(64, 48, (90, 128, 128)))
    watched.slot.take()
    watched.push(b"\x00\x00\x01\x65 not really H.264", codec="H264")
    assert watched.slot.take() is None
    watched.slot.push(EncodedFrame("VP8", b"\x01", 0, 0.0, key=False))  # asks for a key frame
    watched.push(flat_vp8(96, 80, (90, 128, 128)))
    assert watched.slot.take() is not None
    assert watched.slot.size == (96, 80)


def test_the_frame_rate_is_what_arrived_lately(
    watched: Watched, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.install(monkeypatch, "host.slot")
    for _ in range(60):
        clock.advance(1 / 15)
        watched.push(b"\x10", arrived_s=clock.now_s)
        watched.slot._pending.clear()
    assert watched.slot.fps() == pytest.approx(15, abs=0.6)
    clock.advance(FPS_WINDOW_S / 2)
    assert watched.slot.fps() == pytest.approx(7.5, abs=0.6)
    clock.advance(FPS_WINDOW_S)
    assert watched.slot.fps() == 0


def test_the_key_frame_that_mends_a_broken_picture_is_taken(watched: Watched) -> None:
    frames = vp8(moving(64, 48, n) for n in range(2))
    watched.push(frames[0], b"\x11 is no frame")
    watched.slot.take()
    assert watched.slot.decode_errors == 1
    watched.push(flat_vp8(64, 48, (90, 128, 128)))
    assert watched.slot.take() is not None
    assert watched.asked == 0


def test_frames_that_take_more_than_their_share_of_time_are_dropped_until_a_key_frame(
    watched: Watched, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = 0

    def decode(_: EncodedFrame) -> None:
        nonlocal decoded
        decoded += 1

    clock.install(monkeypatch, "host.slot")
    monkeypatch.setattr(clock, "thread_time", lambda: decoded * DECODE_AT_ONCE_S / 3.5, raising=False)
    slot = watched.slot = VideoSlot(watched.ask)
    monkeypatch.setattr(slot, "_decode", decode)
    key, inter = b"\x00", b"\x01"
    watched.push(key, *[inter] * 40)
    slot.take()
    assert (decoded, slot.dropped) == (4, 37)
    watched.push(inter)
    assert watched.asked == 1
    watched.push(key)
    slot.take()  # no time has passed: none is left
    assert decoded == 4
    clock.advance(DECODE_AT_ONCE_S)  # half of it is this participant's, and a part was owed
    watched.push(key, *[inter] * 40)
    slot.take()
    assert decoded == 4 + 2
