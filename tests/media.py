"""Pictures, encoded frames and RTP packets for tests."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np
from aiortc import RTCRtpCodecParameters
from aiortc.codecs.vpx import Vp8Encoder as AiortcVp8Encoder
from aiortc.codecs.vpx import vp8_depayload
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtp import RtpPacket

from signaling.codec import Planes, Vp8Encoder

VP8_PAYLOAD_TYPE = 97


def flat(width: int, height: int, yuv: tuple[int, int, int]) -> Planes:
    """A picture of one colour, I420."""
    planes = np.empty((height * 3 // 2, width), np.uint8)
    planes[:height] = yuv[0]
    quarter = height // 2 * (width // 2)
    chroma = planes[height:].reshape(-1)
    chroma[:quarter], chroma[quarter:] = yuv[1], yuv[2]
    return planes


def moving(width: int, height: int, number: int) -> Planes:
    """Picture `number` of a smooth pattern that moves, I420."""
    y, x = np.mgrid[0:height, 0:width]
    planes = flat(width, height, (0, 110, 150))
    planes[:height] = 128 + 60 * np.sin((x + 3 * number) / 17) * np.cos((y - 2 * number) / 13)
    return planes


def vp8(pictures: Iterable[Planes], kbps: int = 800) -> list[bytes]:
    """`pictures` as VP8 frames, the first a key frame."""
    encoder: Vp8Encoder | None = None
    frames = []
    for number, planes in enumerate(pictures):
        if encoder is None:
            encoder = Vp8Encoder(planes.shape[1], planes.shape[0] * 2 // 3, 15, kbps)
        packet = encoder.encode(planes, number)
        assert packet is not None
        frames.append(bytes(packet))
    return frames


def flat_vp8(width: int, height: int, yuv: tuple[int, int, int]) -> bytes:
    """One key frame of one colour."""
    return vp8([flat(width, height, yuv)])[0]


def psnr(one: Planes, other: Planes) -> float:
    """Peak signal to noise ratio, dB."""
    error = np.mean((one.astype(np.float64) - other) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def made_up_frame(number: int, *, key: bool, size: int = 100) -> bytes:
    """Bytes with the header of a VP8 frame (RFC 6386 9.1), different for each `number`; no picture inside.

    The rest is even bytes, each of which looks like the beginning of a key frame to a careless reader.
    """
    head = bytes([0x10 if key else 0x11, 0x02, 0x00]) + (b"\x9d\x01\x2a\x40\x01\xf0\x00" if key else b"\x00" * 7)
    return (head + number.to_bytes(4, "big")).ljust(max(size, 14), b"\x02")


def packets_of(data: bytes, sequence_number: int, timestamp: int) -> list[RtpPacket]:
    """One VP8 frame as RTP, as aiortc sends it and as its receiver hands it to the jitter buffer."""
    payloads = AiortcVp8Encoder._packetize(data, sequence_number & 0x7FFF)
    packets = []
    for index, payload in enumerate(payloads):
        packet = RtpPacket(
            payload_type=VP8_PAYLOAD_TYPE,
            marker=int(index == len(payloads) - 1),
            sequence_number=(sequence_number + index) & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            ssrc=1234,
            payload=payload,
        )
        packet._data = vp8_depayload(payload)  # type: ignore[attr-defined]
        packets.append(packet)
    return packets


def padding_packet(sequence_number: int, timestamp: int) -> RtpPacket:
    """A packet without payload, as senders probe the bandwidth with."""
    packet = RtpPacket(VP8_PAYLOAD_TYPE, 0, sequence_number & 0xFFFF, timestamp & 0xFFFFFFFF, 1234)
    packet._data = b""  # type: ignore[attr-defined]
    return packet


def fake_transceiver() -> Any:
    """What a `FrameReceiver` touches of an RTCRtpTransceiver."""
    vp8_codec = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=VP8_PAYLOAD_TYPE)
    receiver = SimpleNamespace(transport=SimpleNamespace(_rtp_router=RtpRouter()))
    return SimpleNamespace(receiver=receiver, _codecs=[vp8_codec])
