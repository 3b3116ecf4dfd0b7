"""Video frames to VP8 packets, and VP8 or H.264 packets to frames: libav with the settings of a real-time grid.

One `Vp8Encoder` serves any number of viewers: aiortc's sender only packetises an `av.Packet`. Neither class is
thread-safe; each lives in the one thread that composes (host) or sends (peer).
"""

from __future__ import annotations

from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame
from numpy.typing import NDArray

Planes = NDArray[np.uint8]
"""I420 in one array: (H * 3 / 2, W) uint8, the Y rows, then U, then V at half size; W and H are even."""

IDR_NAL, SPS_NAL = 5, 7
"""H.264 NAL unit types (ITU-T H.264, table 7-1)."""

GOP_FRAMES = 3000
"""Key frames come on request (join, loss), not by the clock: one costs about ten inter frames."""

Q_MIN, Q_MAX = 6, 56
"""VP8 quantiser range, 0-63: below 6 nobody sees a difference, above 56 it is a mosaic."""


MAX_DECODED_PIXELS = {"vp8": 4096 * 2304, "h264": 1920 * 1200}
"""More than cameras in meetings send: a key frame of 40 bytes may claim 16383x16383, which is 400 MB to decode into.
H.264 may keep 16 pictures (50 MB at this size, 315 MB at VP8's), VP8 three."""


class Vp8Encoder:
    """One VP8 stream at constant bitrate.

    `width`, `height`: pixels, even. `fps`: frames/s, also the time base of `pts` (a 1/90000 time base confuses
    libvpx's rate control). `kbps`: kbit/s. `speed`: libvpx `cpu-used`, 0-16, higher is cheaper; at 14 a 720p grid
    costs two thirds of speed 6 and 0.4 dB. One thread: several spin on a busy machine.
    """

    def __init__(self, width: int, height: int, fps: int, kbps: int, speed: int = 14) -> None:
        self.width, self.height, self.fps, self.kbps = width, height, fps, kbps
        bits = str(kbps * 1000)
        context = av.CodecContext.create("libvpx", "w")
        context.width, context.height = width, height
        context.pix_fmt = "yuv420p"
        context.time_base = Fraction(1, fps)
        context.framerate = Fraction(fps)
        context.bit_rate = kbps * 1000
        context.gop_size = GOP_FRAMES
        context.qmin, context.qmax = Q_MIN, Q_MAX
        context.thread_count = 1
        context.options = {
            "deadline": "realtime",
            "cpu-used": str(-speed),
            "lag-in-frames": "0",
            "minrate": bits,  # minrate = maxrate = bit_rate is constant bitrate
            "maxrate": bits,
            "bufsize": bits,  # one second, as WebRTC's own encoder
            "overshoot-pct": "15",
            "undershoot-pct": "100",
            "static-thresh": "1",
        }
        self._context = context

    def encode(self, planes: Planes, pts: int, *, key_frame: bool = False) -> av.Packet[av.VideoStream] | None:
        """Encode one picture; `pts` in units of 1/fps, strictly increasing. None if the encoder dropped it."""
        # A frame object of its own each time: libav keeps `pict_type`, and one forced key frame would force all.
        # PyAV 18's `from_numpy_buffer` takes rows // 6 * 4 for the height: wrong, and its chroma with it, unless the
        # height is a multiple of 4. The copy of `from_ndarray` is right for all.
        wrap = VideoFrame.from_numpy_buffer if self.height % 4 == 0 else VideoFrame.from_ndarray
        frame = wrap(planes, format="yuv420p")
        frame.pts = pts
        frame.time_base = Fraction(1, self.fps)
        if key_frame:
            frame.pict_type = PictureType.I
        packets = self._context.encode(frame)
        return packets[0] if packets else None


class VideoDecoder:
    """Decodes one participant's stream, VP8 or H.264, in order and without look-ahead."""

    def __init__(self, codec: str) -> None:
        """`codec`: the RTP encoding name, `VP8` or `H264`."""
        name = {"VP8": "vp8", "H264": "h264"}[codec.upper()]
        context = cast(VideoCodecContext, av.CodecContext.create(name, "r"))
        context.thread_count = 1
        context.options = {"max_pixels": str(MAX_DECODED_PIXELS[name])}
        if name == "h264":
            context.options |= {"flags": "low_delay"}
        self._context = context

    def decode(self, data: bytes) -> VideoFrame | None:
        """The newest frame of `data`, in yuv420p. Raises `av.FFmpegError` for what is not a frame."""
        frames = self._context.decode(av.Packet(data))
        if not frames:
            return None
        frame = frames[-1]
        if frame.format.name not in ("yuv420p", "yuvj420p"):
            frame = frame.reformat(format="yuv420p")
        return frame


def is_key_frame(codec: str, data: bytes) -> bool:
    """Whether an encoded frame can be decoded alone: VP8 by RFC 6386 9.1, H.264 by an SPS or the first slice of an IDR.

    The tail of a cut frame is none.
    """
    if codec.upper() == "VP8":
        return vp8_size(data) is not None  # with its start code: the rest of a cut frame may begin with any byte
    position = data.find(b"\x00\x00\x01")
    while position >= 0 and position + 3 < len(data):
        kind = data[position + 3] & 0x1F
        first_slice = position + 4 < len(data) and data[position + 4] & 0x80  # first_mb_in_slice is 0
        if kind == SPS_NAL or (kind == IDR_NAL and first_slice):
            return True
        position = data.find(b"\x00\x00\x01", position + 3)
    return False


def vp8_size(data: bytes) -> tuple[int, int] | None:
    """Width and height in pixels from a VP8 key frame's header (RFC 6386 9.1); None for anything else."""
    if len(data) < 10 or data[0] & 1 or data[3:6] != b"\x9d\x01\x2a":
        return None
    return int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF


def plane_views(frame: VideoFrame) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Y (H, W), U and V (H/2, W/2) uint8 of a yuv420p frame, as views on its memory, without a copy."""
    views = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        views.append(rows[:, : plane.width])
    return views[0], views[1], views[2]
