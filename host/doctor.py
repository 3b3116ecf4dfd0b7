"""What `edgeattend doctor` looks at for the host: codecs and fonts."""

from __future__ import annotations

import av
import numpy as np

from host.fonts import font_for
from signaling.check import Check, Verdict
from signaling.codec import VideoDecoder, Vp8Encoder

SCRIPTS = {"Chinese": "王", "Devanagari": "न", "Arabic": "م", "Thai": "ไ", "Korean": "한", "emoji": "🎉"}


def checks() -> list[Check]:
    """Every check of the host's side."""
    return [_vp8(), _h264(), _fonts()]


def _vp8() -> Check:
    try:
        packet = Vp8Encoder(320, 180, 15, 300).encode(np.full((270, 320), 128, np.uint8), 0)
        frame = VideoDecoder("VP8").decode(bytes(packet)) if packet is not None else None
    except (av.FFmpegError, ValueError, KeyError) as error:
        return Check("VP8", Verdict.FAILED, f"cannot encode and decode: {error}", "install PyAV's own wheel (pip)")
    if frame is None or (frame.width, frame.height) != (320, 180):
        return Check("VP8", Verdict.FAILED, "an encoded picture did not come back", "install PyAV's own wheel (pip)")
    version = ".".join(map(str, av.library_versions["libavcodec"]))
    return Check("VP8", Verdict.OK, f"encodes and decodes (libavcodec {version})")


def _h264() -> Check:
    try:
        VideoDecoder("H264")
    except (av.FFmpegError, ValueError) as error:
        return Check("H.264", Verdict.WARNING, f"no decoder: {error}", "WHIP clients have to send VP8")
    return Check("H.264", Verdict.OK, "decodes, for WHIP clients that send it")


def _fonts() -> Check:
    missing = [script for script, char in SCRIPTS.items() if font_for(char, bold=False) is None]
    if missing:
        advice = "install fonts, on Debian: fonts-noto-core fonts-noto-cjk fonts-noto-color-emoji"
        return Check("fonts", Verdict.WARNING, f"names would show boxes in: {', '.join(missing)}", advice)
    return Check("fonts", Verdict.OK, "names in every script we tried can be drawn")
