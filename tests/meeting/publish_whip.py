"""FFmpeg's WHIP muxer as a process: URL [CERT KEY] [--frames N], with its token in EDGEATTEND_TOKEN.

It sends a red picture and silence at 30 frames/s.
"""

from __future__ import annotations

import os
import sys
import time
from fractions import Fraction

import av
import numpy as np

FPS = 30


def main() -> None:
    url, *rest = sys.argv[1:]
    frames = int(rest[rest.index("--frames") + 1]) if "--frames" in rest else 30 * FPS
    options = {"authorization": os.environ["EDGEATTEND_TOKEN"]}
    if len(rest) >= 2 and rest[0] != "--frames":
        options |= {"cert_file": rest[0], "key_file": rest[1]}
    with av.open(url, "w", format="whip", options=options) as output:
        video = output.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = 320, 240, "yuv420p"
        video.options = {"profile": "baseline", "preset": "ultrafast", "tune": "zerolatency"}
        video.codec_context.gop_size = FPS
        audio = output.add_stream("libopus", rate=48000, layout="stereo")
        red = np.full((240, 320, 3), (200, 30, 30), np.uint8)
        start, samples = time.monotonic(), 0
        for number in range(frames):
            picture = av.VideoFrame.from_ndarray(red, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            output.mux(video.encode(picture))
            while samples < (number + 1) * 48000 // FPS:
                silence = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="stereo")
                silence.sample_rate, silence.pts, silence.time_base = 48000, samples, Fraction(1, 48000)
                output.mux(audio.encode(silence))
                samples += 960
            time.sleep(max(0.0, start + number / FPS - time.monotonic()))


main()
