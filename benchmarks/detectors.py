"""Our face detector beside OpenCV's Haar cascade: python -m benchmarks.detectors [--run RUN] [--faces FILE] [--json]

Same frames for both, each searched as a single picture: rendered people whom neither was trained on (the test part of
a prepared run, set into frames of 640x480), real people (the CMU Face Images, see docs/training.md, checked and never
trained on), and the demo clips. Then ours while it follows a face: with and without the view round the last box, how
often it finds one and how still the box stands. Times are CPU time of one thread, so that other work on the machine
does not count. What is not on this machine is left out, with a word.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from peer.perception.crop import Box, Pixels
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from tests.peer import clips
from training.errors import TrainingFailed
from training.face_check import look_at, summary
from training.face_feed import box_map, places_of
from training.faces.crops import VIEW_SIDE, StillDetector
from training.faces.haar import HaarDetector
from training.faces.pictures import load_pictures
from training.faces.real import RealFaces, read_faces
from training.splits import load_splits

RUN = clips.ROOT / "runs" / "ship"
REAL_FACES = clips.ROOT.parent / "shared" / "eval" / "cmu_faces_dev.npz"

REAL_HEIGHTS = (480, 320, 200)
"""Pixels of the real pictures in a frame of 640x480: faces of about 190, 130 and 80 pixels."""

REAL_CENTRE, REAL_FURTHEST, REAL_SIDES = (31.0, 30.0), 9.0, (15.0, 36.0)
"""Pixels of the 64x60 pictures: a box counts whose centre is at most so far from where all heads are (Haar's median
is 31.7, 30.6), and whose side is within these (Haar's median is 24)."""


@dataclass
class Clock:
    """Passes pictures on and keeps what each took, ms of this thread's CPU time."""

    detector: StillDetector
    ms: list[float]

    def detect_still(self, bgr: Pixels) -> Box | None:
        """See `StillDetector`."""
        start = time.thread_time()
        box = self.detector.detect_still(bgr)
        self.ms.append((time.thread_time() - start) * 1e3)
        return box


def rendered(run: Path, detector: StillDetector, every: int) -> dict[str, Any]:
    """Of each `every`-th picture of the test part. Raises `TrainingFailed` where there is no such run."""
    pictures = load_pictures(run, load_splits(run).sha256)
    places = places_of(pictures, "test").tolist()[::every]
    shown = ((pictures.truths[place], pictures.images[place]) for place in places)
    return summary(look_at(detector, shown, box_map(pictures), [VIEW_SIDE]))


def real(faces: RealFaces, detector: StillDetector) -> dict[str, float]:
    """Share of the faces that are found, by pose, sunglasses and size."""
    found: dict[str, list[bool]] = defaultdict(list)
    for height in REAL_HEIGHTS:
        for grey, pose, sunglasses in zip(faces.images, faces.poses.tolist(), faces.sunglasses.tolist(), strict=True):
            frame, scale, left, top = _before_a_webcam(grey, height)
            box = detector.detect_still(frame)
            right = box is not None and _on_the_face(box, scale, left, top)
            found[f"{pose}{', sunglasses' if sunglasses else ''}"].append(right)
            found[f"{height} pixels"].append(right)
    return {name: round(float(np.mean(values)), 3) for name, values in found.items()}


def _before_a_webcam(grey: Pixels, height: int) -> tuple[Pixels, float, float, float]:
    """A picture at the bottom of a frame of 640x480, its edges continued; its scale, left and top."""
    scale = height / grey.shape[0]
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    left, top = (640 - large.shape[1]) // 2, 480 - large.shape[0]
    right = 640 - large.shape[1] - left
    frame = cv2.copyMakeBorder(large, top, 0, left, right, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR), np.uint8), scale, left, top


def _on_the_face(box: Box, scale: float, left: float, top: float) -> bool:
    x, y = (box.left + box.side / 2 - left) / scale, (box.top + box.side / 2 - top) / scale
    near = np.hypot(x - REAL_CENTRE[0], y - REAL_CENTRE[1]) <= REAL_FURTHEST
    return bool(near and REAL_SIDES[0] <= box.side / scale <= REAL_SIDES[1])


ON_THE_WAY_S = 1.0
"""Who leaves the picture or enters it is partly in it for this long, whatever the truth calls it."""


def in_clips(find: Callable[[str], Callable[[Pixels], Box | None]]) -> dict[str, float]:
    """`find` gives a search for each clip, by name. Share of the frames with somebody in which a face is found, of
    those surely without in which one is, and how far boxes shake: the second difference of centre and side over the
    side, as the standard deviation of a still box that does."""
    present: list[bool] = []
    absent: list[bool] = []
    places: list[float] = []
    sizes: list[float] = []
    for name in clips.NAMES:
        search, truth = find(name), clips.truth(name).frames
        boxes = [search(bgr) for _, bgr in clips.frames(name, 1)]
        for box, frame in zip(boxes, truth, strict=False):
            if frame.face:
                present.append(box is not None)
            elif not any(other.face for other in truth if abs(other.time_s - frame.time_s) < ON_THE_WAY_S):
                absent.append(box is not None)
        seen = [box if frame.face else None for box, frame in zip(boxes, truth, strict=False)]
        for before, now, after in zip(seen, seen[1:], seen[2:], strict=False):
            if before and now and after:
                x, y, side = (
                    first - 2 * second + third
                    for first, second, third in zip(_square(before), _square(now), _square(after), strict=True)
                )
                places.append((x * x + y * y) / now.side**2)
                sizes.append(side * side / now.side**2)
    # A still box with white noise of deviation s has second differences of variance 6 s^2.
    return {
        "found": round(float(np.mean(present)), 3),
        "false": round(float(np.mean(absent)), 3),
        "place_jitter": round(float(np.sqrt(np.mean(places) / 6)), 4),
        "side_jitter": round(float(np.sqrt(np.mean(sizes) / 6)), 4),
    }


def _square(box: Box) -> tuple[float, float, float]:
    return box.left + box.side / 2, box.top + box.side / 2, box.side


def compare(run: Path, faces: Path, every: int, notes: list[str]) -> dict[str, Any]:
    """Everything that can be measured here; why the rest cannot goes to `notes`."""
    model = FaceModel()
    result: dict[str, Any] = {}
    for name, detector in (("haar", HaarDetector()), ("ours", FaceDetector(model))):
        clock = Clock(detector, [])
        row: dict[str, Any] = {"clips": in_clips(lambda _, clock=clock: clock.detect_still)}  # type: ignore[misc]
        row["ms"] = {"median": float(np.median(clock.ms)), "p95": float(np.percentile(clock.ms, 95))}
        for part, measure in (
            ("rendered", lambda detector=detector: rendered(run, detector, every)),
            ("real", lambda detector=detector: real(read_faces(faces), detector)),
        ):
            try:
                row[part] = measure()
            except TrainingFailed as error:
                if error.message not in notes:
                    notes.append(error.message)
        result[name] = row
    result["ours"]["followed"] = in_clips(lambda _: FaceDetector(model).detect)
    return result


def table(result: dict[str, Any]) -> Iterable[str]:
    """For the terminal: a line for each number, Haar and ours side by side."""
    yield f"{'':44}{'Haar':>10}{'ours':>10}"
    for title, path in lines(result["ours"]):
        values = [_at(result[name], path) for name in ("haar", "ours")]
        yield f"{title:44}" + "".join(f"{'' if value is None else f'{value:.3f}':>10}" for value in values)


def lines(row: dict[str, Any]) -> Iterable[tuple[str, Sequence[str]]]:
    """What the numbers of one detector are called, and where they are."""
    for group, values in row.items():
        for name, value in values.items():
            if isinstance(value, dict):
                yield from ((f"{group}: {name.replace('_', ' ')}: {key}", (group, name, key)) for key in value)
            else:
                yield f"{group}: {name.replace('_', ' ')}", (group, name)


def _at(row: dict[str, Any], path: Sequence[str]) -> float | None:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, (int, float)) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=RUN, help="a run that `prepare --faces` made")
    parser.add_argument("--faces", type=Path, default=REAL_FACES, help="real people, as `train check` takes them")
    parser.add_argument("--every", type=int, default=1, help="of the rendered pictures, this one of so many")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    notes: list[str] = []
    result = compare(arguments.run, arguments.faces, arguments.every, notes)
    if arguments.json:
        print(json.dumps(result | {"left_out": notes}))
        return
    print("\n".join(table(result)))
    for note in notes:
        print(f"left out: {note}")


if __name__ == "__main__":
    main()
