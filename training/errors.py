"""What a training command says when it cannot go on: one sentence with what was expected, what came, what to do."""

from __future__ import annotations

from signaling.errors import EdgeAttendError


class TrainingFailed(EdgeAttendError):
    """Bad data, a file that does not fit, a full disk: the command ends with exit code 1 and this sentence."""

    code = "training_failed"
