"""A tree shaped like DAiSEE, of real videos of rendered people: what the pipeline is tried on where DAiSEE is not.

In: a folder of rendered faces as `render` writes it. Out: `DataSet/` and `Labels/` with DAiSEE's names, headers and, on
purpose, its flaws. One clip is one picture, set into a 640x480 frame and kept moving a little as a person before a
webcam does.
"""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import typer
from numpy.random import Generator
from numpy.typing import NDArray
from tqdm import tqdm

from peer.perception.crop import Pixels
from training.errors import TrainingFailed
from training.faces.label import LabelRule
from training.faces.truth import Truth, read_truth
from training.files import write_bytes, write_text, writing
from training.pool import each

WIDTH, HEIGHT = 640, 480
SCALES = (2.0, 2.3)
"""Picture pixels to frame pixels: a head then fills the frame as before a laptop, and Haar's box is about 200 wide."""

SUNK = 16
"""Frame pixels by which the picture's lower edge lies below the frame's: shoulders then end nowhere."""

FEATHER = 0.13
"""Of the picture's side: over this the picture fades into the background, left, right and above."""

ROOM_BLUR = 20
"""Frame pixels, sigma: no edges are left in which a cascade could see a small face."""

NOISE_SIGMA = 2.5
"""Grey levels: a webcam's sensor indoors."""

QUANTISER = 3
"""Of MPEG-4, 1 to 31: small losses, files of about 0.2 MB per second."""

SHARES = {"Train": 0.6, "Validation": 0.2, "Test": 0.2}
HEADER = ("ClipID", "Boredom", "Engagement", "Confusion", "Frustration ")  # DAiSEE's own, with its stray space
FIRST_PERSON = 110001
MP4_EVERY = 10

README = """\
A tree shaped like DAiSEE for trying out a training pipeline. It is not DAiSEE.

All people in it are rendered; nobody real is shown. Labels follow from the pose, gaze and lids they were rendered with:
engagement 3 and 2 look at the screen, 1 and 0 do not.

These flaws are in it on purpose, because the real data set has them:
{flaws}
"""


@dataclass(frozen=True)
class SampleConfig:
    """Where from, where to, how much. `clips`: per person; `seconds`: per clip."""

    faces: Path
    out: Path
    persons: int = 48
    clips: int = 4
    seconds: float = 2.0
    fps: int = 15
    seed: int = 42
    jobs: int | None = None


@dataclass(frozen=True, slots=True)
class Clip:
    """One video to make: `picture` shown for `frames` frames; `seed` of its motion and noise."""

    video: Path
    folder: str
    engagement: int
    picture: Path
    frames: int
    fps: int
    seed: int

    @property
    def name(self) -> str:
        """DAiSEE's ClipID without the extension."""
        return self.video.stem


def run(config: SampleConfig) -> None:
    """Make the tree. Raises `TrainingFailed`."""
    if (config.out / "DataSet").exists():
        raise TrainingFailed(
            f"expected a new folder for the sample, got {config.out}, which holds one: remove it first"
        )
    clips = plan(config)
    for _ in tqdm(each(make_clip, clips, config.jobs), "sample", len(clips), unit="clip", disable=None):
        pass
    flaws = add_flaws(config.out, clips)
    persons = {clip.video.parents[1] for clip in clips}
    typer.echo(
        f"sample: {len(clips)} clips of {len(persons)} rendered people in {config.out}, {len(flaws)} flaws on purpose"
    )


def plan(config: SampleConfig) -> list[Clip]:
    """Who is where, and which picture each clip shows."""
    by_person: dict[int, list[Truth]] = defaultdict(list)
    for truth in read_truth(config.faces):
        by_person[truth.person].append(truth)
    if config.persons > len(by_person):
        raise TrainingFailed(
            f"expected {config.persons} persons in {config.faces}, got {len(by_person)}: ask for fewer"
        )
    random = np.random.default_rng(config.seed)
    chosen = random.permutation(sorted(by_person))[: config.persons]
    folders = spread(config.persons)
    clips: list[Clip] = []
    for number, (identity, folder) in enumerate(zip(chosen, folders, strict=True)):
        person = str(FIRST_PERSON + number)
        truths = by_person[int(identity)]
        for index in range(config.clips):
            truth = truths[index % len(truths)]
            clip = f"{person}{1001 + index}"
            suffix = ".mp4" if len(clips) % MP4_EVERY == MP4_EVERY - 1 else ".avi"
            clips.append(
                Clip(
                    video=config.out / "DataSet" / folder / person / clip / f"{clip}{suffix}",
                    folder=folder,
                    engagement=engagement_of(truth),
                    picture=config.faces / truth.file,
                    frames=max(1, round(config.seconds * config.fps)),
                    fps=config.fps,
                    seed=int(random.integers(2**62)),
                )
            )
    return clips


def spread(persons: int) -> list[str]:
    """A part for each of `persons` people, 60/20/20, at least one in each where there are three."""
    others = max(1, round(SHARES["Validation"] * persons)) if persons >= 3 else 0
    return ["Train"] * (persons - 2 * others) + ["Validation"] * others + ["Test"] * others


def engagement_of(truth: Truth) -> int:
    """DAiSEE's 0 to 3 from the truth: 2 and 3 are attentive, 3 nearly frontal; 0 is far from it."""
    if LabelRule().attentive(truth):
        return 3 if math.hypot(truth.yaw, truth.pitch) < 12 else 2
    shut = max(truth.lid_left, truth.lid_right) < 0.2
    return 0 if shut or abs(truth.yaw) >= 40 or abs(truth.pitch) >= 30 else 1


def make_clip(clip: Clip) -> None:
    """Write one video. Raises `TrainingFailed` when its picture cannot be read."""
    picture = cv2.imread(str(clip.picture))
    if picture is None:
        raise TrainingFailed(f"expected a picture at {clip.picture}, got none")
    random = np.random.default_rng(clip.seed)
    scene = Scene(np.asarray(picture, np.uint8), random)
    with writing(clip.video) as aside, av.open(str(aside), "w", format=clip.video.suffix[1:]) as container:
        stream = container.add_stream("mpeg4", clip.fps, options={"qmin": str(QUANTISER), "qmax": str(QUANTISER)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, clip.fps)
        for index in range(clip.frames):
            frame = av.VideoFrame.from_ndarray(scene.at(index / clip.fps), "bgr24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


class Scene:
    """A person before a webcam: a picture that drifts, nods and breathes over a blurred room."""

    def __init__(self, picture: Pixels, random: Generator) -> None:
        self._picture = picture
        self._side = picture.shape[0]
        self._mask = _fade(self._side)
        self._scale = random.uniform(*SCALES)
        self._centre = WIDTH / 2 + random.uniform(-50, 50)
        side = self._scale * self._side
        self._room = _room(picture, self._centre - side / 2, self._centre + side / 2, HEIGHT + SUNK - side, self._scale)
        # Per kind of motion (across, down, zoom, roll, light): two slow waves, so that it never quite repeats.
        self._periods = random.uniform(1.5, 6.0, (5, 2))
        self._phases = random.uniform(0, 2 * math.pi, (5, 2))
        self._random = random
        noise = random.standard_normal((HEIGHT + 64, WIDTH + 64, 3), np.float32)
        self._noise = np.rint(NOISE_SIGMA * noise).astype(np.int16)

    def at(self, seconds: float) -> Pixels:
        """(480, 640, 3) uint8 BGR."""
        across, down, zoom, roll, light = np.sin(2 * math.pi * seconds / self._periods + self._phases).mean(axis=1)
        scale = self._scale * (1 + 0.02 * zoom)
        side = scale * self._side
        matrix = cv2.getRotationMatrix2D((self._side / 2, self._side / 2), 1.5 * roll, scale)
        matrix[:, 2] += (self._centre + 10 * across, HEIGHT + SUNK + 6 * down - side / 2) - np.full(2, self._side / 2)
        person = cv2.warpAffine(
            self._picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        mask = cv2.warpAffine(self._mask, matrix, (WIDTH, HEIGHT))
        frame = cv2.convertScaleAbs(cv2.blendLinear(person, self._room, mask, 1 - mask), alpha=1 + 0.02 * light)
        top, left = self._random.integers(0, 64, 2)
        noise = self._noise[top : top + HEIGHT, left : left + WIDTH]
        return np.asarray(cv2.add(frame, noise, dtype=cv2.CV_8U), np.uint8)


def _fade(side: int) -> NDArray[np.float32]:
    """(side, side), 1 inside, falling smoothly to 0 at the left, right and upper edge."""
    ramp = np.clip((np.arange(side) + 0.5) / (FEATHER * side), 0, 1)
    smooth = ramp * ramp * (3 - 2 * ramp)
    return np.outer(smooth, smooth * smooth[::-1]).astype(np.float32)


def _room(picture: Pixels, left: float, right: float, top: float, scale: float) -> Pixels:
    """(480, 640, 3): a blurred room in the colours that the picture has at its sides, so that its edges vanish in it.

    `left`, `right`, `top`: where the picture's edges lie in the frame; `scale`: frame pixels per picture pixel.
    """
    rows = np.clip((np.arange(HEIGHT) - top) / scale, 0, picture.shape[0] - 1).astype(np.intp)
    share = np.clip((np.arange(WIDTH) - left) / (right - left), 0, 1)[np.newaxis, :, np.newaxis]
    from_left, from_right = (
        picture[rows][:, columns].mean(axis=1, keepdims=True) for columns in (np.s_[:6], np.s_[-6:])
    )
    room = (from_left * (1 - share) + from_right * share).astype(np.uint8)
    small = cv2.GaussianBlur(
        cv2.resize(room, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA), (0, 0), ROOM_BLUR / 4
    )
    return np.asarray(cv2.resize(small, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC), np.uint8)


def add_flaws(out: Path, clips: list[Clip]) -> list[str]:
    """Break what is broken in the real data set, and write labels and README. Returns a line per flaw."""
    avi = [clip for clip in clips if clip.video.suffix == ".avi"]
    unlabelled, no_video, cut = (avi[int(share * len(avi))] for share in (0.1, 0.35, 0.65))
    write_bytes(no_video.video, b"This is no video.\n" * 40)
    _halve(cut.video)
    flaws = [f"{unlabelled.name} has no label", f"{no_video.name} is no video", f"{cut.name} ends in the middle"]
    mp4 = [clip for clip in clips if clip.video.suffix == ".mp4"]
    if mp4:
        _halve(mp4[-1].video)
        flaws.append(f"{mp4[-1].name} lost its end and with it the index that .mp4 needs: it does not open")
        flaws.append("every tenth video is an .mp4, but its label says .avi")
    ghosts = {f"99999900{number:02d}": number % 4 for number in (1, 2)}
    flaws.append(f"{' and '.join(ghosts)} have a label and no video")
    rows = {
        folder: [(clip.name, clip.engagement) for clip in clips if clip.folder == folder and clip is not unlabelled]
        for folder in SHARES
    }
    rows["Train"] += ghosts.items()
    rows["All"] = [row for part in rows.values() for row in part]
    for folder, lines in rows.items():
        _write_labels(out / "Labels" / f"{folder}Labels.csv", lines)
    write_text(out / "README.txt", README.format(flaws="\n".join(f"- {flaw}." for flaw in flaws)))
    return flaws


def _halve(path: Path) -> None:
    data = path.read_bytes()
    write_bytes(path, data[: len(data) // 2])


def _write_labels(path: Path, rows: list[tuple[str, int]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows((f"{clip}.avi", max(0, 2 - engagement), engagement, 0, 0) for clip, engagement in sorted(rows))
    write_text(path, text.getvalue())
