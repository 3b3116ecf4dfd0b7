"""Encoding and decoding, and what can be told of a frame without decoding it."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest
from av.video.frame import PictureType, VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from signaling.codec import Planes, VideoDecoder, Vp8Encoder, is_key_frame, plane_views, vp8_size
from tests.media import flat, flat_vp8, moving, psnr, vp8

WIDTH, HEIGHT = 320, 240


def planes_of(frame: VideoFrame) -> Planes:
    """A decoded frame as I420 in one array."""
    return np.concatenate([view.reshape(-1) for view in plane_views(frame)]).reshape(-1, frame.width)


def h264(count: int, options: dict[str, str] | None = None) -> list[bytes]:
    """`count` frames of H.264 with start codes, as aiortc's depayloader gives them."""
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv420p"
    context.time_base = Fraction(1, 15)
    context.gop_size = 1000
    context.options = {"tune": "zerolatency", "preset": "ultrafast"} | (options or {})
    packets = []
    for number in range(count):
        frame = VideoFrame.from_numpy_buffer(moving(WIDTH, HEIGHT, number), format="yuv420p")
        frame.pts = number
        packets += context.encode(frame)
    return [bytes(packet) for packet in packets]


def test_a_moving_picture_survives_vp8() -> None:
    decoder = VideoDecoder("VP8")
    for number, data in enumerate(vp8(moving(WIDTH, HEIGHT, n) for n in range(15))):
        frame = decoder.decode(data)
        assert frame is not None
        assert (frame.width, frame.height) == (WIDTH, HEIGHT)
        assert psnr(planes_of(frame), moving(WIDTH, HEIGHT, number)) > 30


@pytest.mark.parametrize("yuv", [(16, 128, 128), (235, 128, 128), (81, 90, 240), (145, 54, 34), (41, 240, 110)])
def test_colours_come_back_as_they_were(yuv: tuple[int, int, int]) -> None:
    frame = VideoDecoder("VP8").decode(flat_vp8(WIDTH, HEIGHT, yuv))
    assert frame is not None
    assert psnr(planes_of(frame), flat(WIDTH, HEIGHT, yuv)) > 45


def test_key_frames_come_first_and_on_request_alone() -> None:
    encoder = Vp8Encoder(WIDTH, HEIGHT, 15, 500)
    packets = [encoder.encode(moving(WIDTH, HEIGHT, n), n, key_frame=n == 7) for n in range(12)]
    keys = [packet is not None and packet.is_keyframe for packet in packets]
    assert [n for n, key in enumerate(keys) if key] == [0, 7]
    assert [is_key_frame("VP8", bytes(packet)) for packet in packets if packet is not None] == keys


@pytest.mark.parametrize("kbps", [150, 500])
def test_the_bitrate_is_held(kbps: int) -> None:
    rng = np.random.default_rng(1)
    pictures = [
        moving(WIDTH, HEIGHT, number) + rng.integers(0, 12, (HEIGHT * 3 // 2, WIDTH), np.uint8) for number in range(45)
    ]
    frames = vp8(pictures, kbps)
    sent_kbps = sum(len(frame) for frame in frames[15:]) * 8 / 1000 / (30 / 15)
    assert 0.6 * kbps < sent_kbps < 1.4 * kbps


def test_a_decoder_that_starts_at_a_later_key_frame_shows_it() -> None:
    encoder = Vp8Encoder(WIDTH, HEIGHT, 15, 800)
    packets = [encoder.encode(moving(WIDTH, HEIGHT, n), n, key_frame=n == 5) for n in range(8)]
    decoder = VideoDecoder("vp8")
    for number, packet in enumerate(packets[5:], start=5):
        assert packet is not None
        frame = decoder.decode(bytes(packet))
        assert frame is not None
        assert psnr(planes_of(frame), moving(WIDTH, HEIGHT, number)) > 30


def test_a_stream_may_change_its_size_at_a_key_frame() -> None:
    decoder = VideoDecoder("VP8")
    for width, height in ((320, 240), (176, 144), (640, 360)):
        frame = decoder.decode(flat_vp8(width, height, (90, 100, 200)))
        assert frame is not None
        assert (frame.width, frame.height) == (width, height)


def test_h264_decodes_each_frame_at_once() -> None:
    decoder = VideoDecoder("H264")
    for number, data in enumerate(h264(6)):
        frame = decoder.decode(data)
        assert frame is not None
        assert psnr(planes_of(frame), moving(WIDTH, HEIGHT, number)) > 30


def test_key_frames_of_h264_are_told_by_their_nal_units() -> None:
    keys = [is_key_frame("H264", data) for data in h264(4)]
    assert keys == [True, False, False, False]
    assert is_key_frame("h264", b"\x00\x00\x00\x01\x09\x10\x00\x00\x01\x65\x88")
    assert not is_key_frame("H264", b"\x00\x00\x01\x41\x9a\x00\x00\x01\x06\x05")
    assert not is_key_frame("H264", b"\x00\x00\x01")
    assert not is_key_frame("H264", b"")


def test_a_decoder_hands_out_yuv420p_whatever_the_stream_has() -> None:
    context: Any = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt = WIDTH, HEIGHT, "yuv444p"
    context.time_base = Fraction(1, 15)
    context.options = {"tune": "zerolatency"}
    frame = VideoFrame(WIDTH, HEIGHT, "yuv444p")
    frame.pts, frame.pict_type = 0, PictureType.I
    data = b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])
    decoded = VideoDecoder("H264").decode(data)
    assert decoded is not None
    assert decoded.format.name == "yuv420p"


@pytest.mark.parametrize("data", [b"\x00", b"garbage" * 50, b"\x11\x02\x00" + b"\x00" * 40])
def test_what_is_no_frame_is_an_error_of_libav_and_the_next_key_frame_mends_it(data: bytes) -> None:
    decoder = VideoDecoder("VP8")
    with pytest.raises(av.FFmpegError):
        decoder.decode(data)
    assert decoder.decode(flat_vp8(WIDTH, HEIGHT, (90, 100, 200))) is not None


@pytest.mark.parametrize(("width", "height"), [(8000, 8000), (16380, 600), (4098, 2304)])
def test_a_few_bytes_that_claim_a_huge_picture_are_refused(width: int, height: int) -> None:
    claim = bytearray(flat_vp8(64, 48, (90, 128, 128)))
    claim[6:10] = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    decoder = VideoDecoder("VP8")
    with pytest.raises(av.FFmpegError):
        decoder.decode(bytes(claim))
    assert decoder.decode(flat_vp8(WIDTH, HEIGHT, (90, 100, 200))) is not None


def test_a_4k_camera_is_taken() -> None:
    frame = VideoDecoder("VP8").decode(flat_vp8(3840, 2160, (90, 100, 200)))
    assert frame is not None
    assert (frame.width, frame.height) == (3840, 2160)


@pytest.mark.parametrize(("width", "height", "fits"), [(1920, 1080, True), (1080, 1920, True), (1922, 1200, False)])
def test_h264_is_taken_up_to_full_hd_since_it_may_keep_sixteen_pictures(width: int, height: int, fits: bool) -> None:
    encoder: Any = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.options = Fraction(1, 15), {"preset": "ultrafast", "tune": "zerolatency"}
    (packet,) = encoder.encode(VideoFrame(width, height, "yuv420p"))
    if fits:
        assert VideoDecoder("H264").decode(bytes(packet)) is not None
    else:
        with pytest.raises(av.FFmpegError):
            VideoDecoder("H264").decode(bytes(packet))


def test_a_codec_that_we_cannot_decode_is_refused_by_name() -> None:
    with pytest.raises(KeyError, match="AV1"):
        VideoDecoder("AV1")


@pytest.mark.parametrize(("width", "height"), [(16, 16), (320, 240), (1280, 720), (642, 358)])
def test_the_size_is_read_from_a_key_frame(width: int, height: int) -> None:
    frames = vp8(flat(width, height, (100, 128, 128)) for _ in range(2))
    assert vp8_size(frames[0]) == (width, height)
    assert vp8_size(frames[1]) is None


@given(st.binary(max_size=40))
def test_arbitrary_bytes_have_no_size_without_the_start_code(data: bytes) -> None:
    size = vp8_size(data)
    assert (size is not None) == is_key_frame("VP8", data)
    assert size is None or (data[3:6] == b"\x9d\x01\x2a" and max(size) < 1 << 14)
    is_key_frame("H264", data)


@pytest.mark.parametrize(("width", "height"), [(320, 240), (322, 238), (318, 178), (16, 2), (321, 239)])
def test_the_planes_of_a_frame_have_its_shape_without_its_padding(width: int, height: int) -> None:
    frame = VideoFrame(width, height, "yuv420p")
    half = ((height + 1) // 2, (width + 1) // 2)
    y, u, v = plane_views(frame)
    assert [y.shape, u.shape, v.shape] == [(height, width), half, half]


def test_the_planes_are_the_frames_own_memory() -> None:
    frame = VideoFrame(322, 240, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    y, u, v = plane_views(frame)
    assert y.max() == u.max() == v.max() == 0
    plane = frame.planes[1]
    plane.update(bytes([7]) * plane.buffer_size)
    assert (y.max(), u.min(), u.max(), v.max()) == (0, 7, 7, 0)
