from __future__ import annotations

import queue
import subprocess
import threading

import numpy as np
import pytest

from peer import window
from peer.griddecoder import MAX_WAITING, GridDecoder
from peer.perception.verdict import Verdict
from peer.sender import to_planes
from peer.source import Pixels
from peer.window import DisplayUnavailable, check_display, compose
from signaling.codec import Vp8Encoder
from signaling.protocol import Label, Reason
from signaling.rtc import EncodedFrame


class FakeScene:
    def __init__(self, own: Pixels | None, verdict: Verdict | None, grid: Pixels | None) -> None:
        self._own, self._verdict, self._grid = own, verdict, grid
        self.left_s: int | None = None
        self.skipped = False

    def own_picture(self) -> Pixels | None:
        return self._own

    def verdict(self) -> Verdict | None:
        return self._verdict

    def grid_picture(self) -> Pixels | None:
        return self._grid

    def calibration_left_s(self) -> int | None:
        return self.left_s

    def skip_calibration(self) -> None:
        self.skipped = True

    def status(self) -> str:
        return "reconnecting"


def flat(value: int, width: int = 640, height: int = 480) -> Pixels:
    return np.full((height, width, 3), value, np.uint8)


def test_labels_differ_by_shape_and_word_not_only_by_colour() -> None:
    shapes = []
    for label in Label:
        canvas = compose(FakeScene(flat(0), Verdict(label, 0.5, Reason.FACE), None))
        shapes.append(np.all(canvas[:, :480] > 200, axis=2))  # the white parts alone
    assert all(shape.any() for shape in shapes)
    assert not np.array_equal(shapes[0], shapes[1])
    assert not np.array_equal(shapes[1], shapes[2])


def test_every_reason_reads_differently_on_ones_own_picture() -> None:
    badges = {
        compose(FakeScene(flat(0), Verdict(Label.NOT_ATTENTIVE, 0.5, reason), None)).tobytes() for reason in Reason
    }
    assert len(badges) == len(Reason)
    turned = Verdict(Label.NOT_ATTENTIVE, 0.5, Reason.TURNED, "head turned 48°")
    assert compose(FakeScene(flat(0), turned, None)).tobytes() not in badges


def test_a_calibration_counts_down_above_ones_own_picture() -> None:
    scene = FakeScene(flat(90, 480, 540), None, None)
    before = compose(scene)
    pictures = []
    for scene.left_s in (10, 9):
        pictures.append(compose(scene))
        assert np.array_equal(pictures[-1][window.BANNER_PX :], before[window.BANNER_PX :])
        assert (pictures[-1][: window.BANNER_PX, :480] > 200).any()
    assert not np.array_equal(pictures[0], pictures[1])


@pytest.mark.parametrize(("key", "skipped", "left"), [("s", True, False), ("x", False, False), ("q", False, True)])
def test_a_key_skips_the_calibration_and_another_one_leaves(
    monkeypatch: pytest.MonkeyPatch, key: str, skipped: bool, left: bool
) -> None:
    scene, done, leaving = FakeScene(flat(0), None, None), threading.Event(), threading.Event()
    keys = [ord(key)]

    def wait_key(_ms: int) -> int:
        if keys:
            return keys.pop()
        done.set()
        return 255

    for name in ("namedWindow", "resizeWindow", "imshow", "destroyAllWindows"):
        monkeypatch.setattr(window.cv2, name, lambda *_: None)
    monkeypatch.setattr(window.cv2, "waitKey", wait_key)
    monkeypatch.setattr(window.cv2, "getWindowProperty", lambda *_: 1.0)
    window.show(scene, done, leaving.set)
    assert (scene.skipped, leaving.is_set()) == (skipped, left)


def test_ones_own_picture_is_mirrored_and_the_grid_is_not() -> None:
    half = flat(0)
    half[:, :320] = 255
    canvas = compose(FakeScene(half, None, half))
    row = canvas[270]
    assert row[100].tolist() == [0, 0, 0]
    assert row[400].tolist() == [255, 255, 255]
    assert row[700].tolist() == [255, 255, 255]
    assert row[1200].tolist() == [0, 0, 0]


@pytest.mark.parametrize("size", [(64, 480), (1280, 100), (16, 16), (1920, 1080)])
def test_a_picture_of_any_shape_fits(size: tuple[int, int]) -> None:
    picture = flat(9, *size)
    verdict = Verdict(Label.NOT_ATTENTIVE, 0.0, Reason.NO_FACE)
    assert compose(FakeScene(picture, verdict, picture)).shape == (540, 1440, 3)


def test_without_pictures_there_are_words() -> None:
    canvas = compose(FakeScene(None, None, None))
    assert canvas[:, :480].max() > 200
    assert canvas[:, 480:].max() > 200


def test_a_display_that_does_not_work_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def abort(*_args: object, **_options: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess([], -6, b"", b"could not connect to display")

    monkeypatch.setattr(window.subprocess, "run", abort)
    with pytest.raises(DisplayUnavailable, match="DISPLAY"):
        check_display()


def frames(count: int) -> list[EncodedFrame]:
    encoder = Vp8Encoder(64, 48, 10, 200)
    out = []
    for number in range(count):
        packet = encoder.encode(to_planes(flat(number * 9, 64, 48), 64, 48), number)
        assert packet is not None
        out.append(EncodedFrame("VP8", bytes(packet), number, float(number), number == 0))
    return out


def test_the_decoder_drops_to_the_next_key_frame_when_it_falls_behind() -> None:
    asked: list[bool] = []
    decoder = GridDecoder(lambda: asked.append(True))  # its thread does not run: nothing is taken
    for frame in frames(MAX_WAITING + 5):
        decoder.add(frame)
    assert asked == [True]
    assert not decoder._waiting
    decoder.add(frames(1)[0])
    assert len(decoder._waiting) == 1


def test_the_decoder_shows_the_newest_frame_and_asks_for_a_key_frame_after_a_broken_one() -> None:
    asked: queue.Queue[bool] = queue.Queue()
    decoder = GridDecoder(lambda: asked.put(True))
    decoder.start()
    try:
        decoder.add(EncodedFrame("VP8", b"\x00broken", 0, 0.0, True))
        assert asked.get(timeout=10)
        decoder.add(frames(1)[0])
        decoder.add(EncodedFrame("VP8", b"\x01", 0, 0.0, False))
        assert asked.get(timeout=10)
        picture = decoder.picture()
        assert picture is not None
        assert picture.shape == (48, 64, 3)
    finally:
        decoder.close()
