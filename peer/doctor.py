"""What `edgeattend doctor` looks at for a participant: camera, face detector and model."""

from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np

from peer.camera import CameraConfig, CameraMissingError, open_opencv
from peer.perception.classifier import AttentionClassifier
from peer.perception.crop import crop_face
from peer.perception.detector import FaceDetector
from peer.perception.face_model import FaceModel
from signaling.check import Check, Verdict
from signaling.errors import ModelUnavailable

CLIP = Path(__file__).parent / "clips" / "ana.mp4"
"""A face to try detector and model on."""

ROUNDS = 10


def checks(camera: int, model: Path) -> list[Check]:
    """Every check of a participant's side; opens the camera for a moment."""
    return [_camera(camera), *_perception(model)]


def _camera(index: int) -> Check:
    advice = "plug one in or choose another with --camera; taking part without one works too"
    try:
        capture = open_opencv(CameraConfig(index))
    except CameraMissingError as missing:
        return Check("camera", Verdict.WARNING, str(missing), advice)
    try:
        ok, picture = capture.read()
    finally:
        capture.release()
    if not ok or picture is None:
        return Check("camera", Verdict.WARNING, f"camera {index} gives no picture", advice)
    return Check("camera", Verdict.OK, f"camera {index} gives {picture.shape[1]}x{picture.shape[0]}")


def _perception(path: Path) -> list[Check]:
    ok, decoded = cv2.VideoCapture(str(CLIP)).read()
    if not ok:
        return [Check("video files", Verdict.FAILED, f"cannot read {CLIP.name}", "install opencv-python's own wheel")]
    picture = np.asarray(decoded, np.uint8)
    try:
        detector = FaceDetector(FaceModel())
    except ModelUnavailable as error:
        return [Check("face detector", Verdict.FAILED, error.message, "install EdgeAttend again")]
    began = time.thread_time()
    box = detector.detect_still(picture)
    took_ms = (time.thread_time() - began) * 1000
    if box is None:
        return [Check("face detector", Verdict.FAILED, "found no face in a picture of one", "install EdgeAttend again")]
    found = Check("face detector", Verdict.OK, f"finds a face, {took_ms:.1f} ms a picture")
    try:
        classifier = AttentionClassifier(path)
    except ModelUnavailable as error:
        return [
            found,
            Check("model", Verdict.FAILED, error.message, "labels will be unknown; give --model another file"),
        ]
    crop = crop_face(picture, box, classifier.card.crop_scale)
    began = time.thread_time()
    score = 0.0
    for _ in range(ROUNDS):
        score = classifier.look(crop).score
    each_ms = (time.thread_time() - began) * 1000 / ROUNDS
    return [
        found,
        Check(
            "model",
            Verdict.OK,
            f"{path.name}: {each_ms:.1f} ms a face, {score:.2f} for a person who looks,"
            f" {'says why' if classifier.has_signals else 'does not say why'}",
        ),
    ]
