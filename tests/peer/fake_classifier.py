"""A model that sees in every face what a test tells it to, and a detector that finds one in every picture."""

from __future__ import annotations

from peer.perception.classifier import AttentionClassifier, ModelCard
from peer.perception.crop import Box, Pixels
from peer.perception.detector import FaceDetector
from peer.perception.signals import SIGNAL_NAMES, Reading


class FakeClassifier(AttentionClassifier):
    """Loads nothing; `sees` may be changed at any time."""

    def __init__(self, sees: Reading, threshold: float = 0.5) -> None:
        self.sees = sees
        self.card = ModelCard(1.25, threshold, "0" * 64, SIGNAL_NAMES if sees.signals else None)

    @property
    def has_signals(self) -> bool:
        return self.sees.signals is not None

    def look(self, crop: Pixels) -> Reading:
        del crop
        return self.sees


class FindingDetector(FaceDetector):
    """A face in the middle of everything that isn't black; loads nothing."""

    def __init__(self) -> None:
        pass

    def reset(self) -> None:
        pass

    def detect(self, bgr: Pixels) -> Box | None:
        height, width = bgr.shape[:2]
        return Box(width / 4, height / 4, height / 2) if bgr.any() else None
