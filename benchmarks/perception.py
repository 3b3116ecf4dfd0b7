"""What a decision costs and how often a single look is right: python -m benchmarks.perception [--model FILE] [--json]

Takes every third frame of the demo clips (five a second, as in a meeting) through detector, crop and classifier in
one thread, and measures that thread's CPU time, so that other work on the machine does not count. Other detectors
are compared in benchmarks/detectors.py; how labels follow people over time is the business of
benchmarks/labels_over_time.py.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

from peer.join import DEFAULT_MODEL
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import crop_face
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from peer.perception.reader import ReaderKind, make_reader
from peer.perception.signals import Reading
from tests.peer import clips

EVERY = 3
GOAL_DECISION_MS = 10.0
GOAL_CLASSIFY_MS = 2.5


def run(model: Path) -> dict[str, object]:
    """All measurements: milliseconds of thread CPU time by step, accuracies by clip."""
    cv2.setNumThreads(1)
    classifier = AttentionClassifier(model)
    face_model = FaceModel()
    times: dict[str, list[float]] = defaultdict(list)
    accuracy: dict[str, float] = {}
    for clip in clips.NAMES:
        truth = clips.truth(clip)
        detector, reader = FaceDetector(face_model), make_reader(ReaderKind.STEADY, classifier.card.threshold)
        right: list[bool] = []
        looks = [*clips.frames(clip, EVERY), *clips.frames(clip, EVERY)]
        for number, (index, bgr) in enumerate(looks):
            start = time.thread_time()
            box = detector.detect(bgr)
            detected = time.thread_time()
            reading: Reading | None = None
            if box is not None:
                crop = crop_face(bgr, box, classifier.card.crop_scale)
                cropped = time.thread_time()
                reading = classifier.look(crop)
                times["crop"].append((cropped - detected) * 1e3)
                times["classify"].append((time.thread_time() - cropped) * 1e3)
            reader.push(number * EVERY / truth.fps, reading)
            end = time.thread_time()
            times["detect, face" if box else "detect, no face"].append((detected - start) * 1e3)
            times["decision"].append((end - start) * 1e3)
            score = 0.0 if reading is None else reading.score
            right.append((score >= classifier.card.threshold) == truth.frames[index].attentive)
        accuracy[clip] = float(np.mean(right))
    costs = {
        step: {"median": float(np.median(ms)), "p95": float(np.percentile(ms, 95)), "mean": float(np.mean(ms))}
        for step, ms in times.items()
    }
    return {"ms": costs, "accuracy": accuracy}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = run(arguments.model)
    if arguments.json:
        print(json.dumps(result))
        return
    print("CPU ms of one thread per frame of 640x480")
    print(f"{'step':18}{'median':>8}{'p95':>8}{'mean':>8}")
    costs: dict[str, dict[str, float]] = result["ms"]  # type: ignore[assignment]
    for step, cost in costs.items():
        print(f"{step:18}{cost['median']:8.2f}{cost['p95']:8.2f}{cost['mean']:8.2f}")
    print(f"goal: decision <= {GOAL_DECISION_MS} ms, classify <= {GOAL_CLASSIFY_MS} ms (medians)")
    print("single looks right, blinks included")
    rates: dict[str, float] = result["accuracy"]  # type: ignore[assignment]
    for clip, rate in rates.items():
        print(f"{clip:18}{rate:8.3f}")


if __name__ == "__main__":
    main()
