"""From truth to label: when is somebody attentive? One rule, with a version, apart from what was rendered."""

from __future__ import annotations

from dataclasses import dataclass

from training.faces.truth import Truth


@dataclass(frozen=True)
class LabelRule:
    """Attentive: a face that is turned to the screen, with open eyes that look at it. Angles in degrees.

    Open eyes in a laughing or speaking face are attentive: it is the eyes and the head that count, not the mouth.
    Blinks are the window's business: a single image with shut eyes is not attentive. Where the eyes cannot be seen
    (sunglasses, a hand), the head alone decides, since nothing speaks against the person.
    """

    version: int = 1
    max_yaw: float = 25.0
    min_pitch: float = -20.0
    max_pitch: float = 20.0
    max_gaze_yaw: float = 23.0
    """Half of a wide screen at arm's length, and the error of looking at a camera above it."""
    min_gaze_pitch: float = -23.0
    max_gaze_pitch: float = 16.0
    min_lid: float = 0.42
    """Of the more open eye: narrowed by laughter or light is above, drowsy is below."""

    def faces(self, truth: Truth) -> bool:
        """The head is turned to the screen."""
        return abs(truth.yaw) < self.max_yaw and self.min_pitch < truth.pitch < self.max_pitch

    def looks(self, truth: Truth) -> bool:
        """The eyes are directed at the screen."""
        return abs(truth.gaze_yaw) < self.max_gaze_yaw and self.min_gaze_pitch < truth.gaze_pitch < self.max_gaze_pitch

    def open(self, truth: Truth) -> bool:
        """At least one eye is open."""
        return max(truth.lid_left, truth.lid_right) >= self.min_lid

    def attentive(self, truth: Truth) -> bool:
        """The label of an image with a face."""
        return self.faces(truth) and (not truth.eyes_visible or (self.open(truth) and self.looks(truth)))
