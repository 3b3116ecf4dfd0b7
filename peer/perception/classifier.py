"""The attentiveness model in ONNX Runtime, held to the contract of DESIGN.md section 4 and to nothing more.

First input (N, 160, 160, 3) uint8 RGB, first output (N,) float probability, and a card `<model>.json` beside it.
Where the card lists `signals`, the output of that name is (N, as many) float, and each column has its name there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from peer.perception.crop import CROP_SIDE, Pixels
from peer.perception.model_file import Sha256, first_line, open_session, read_model, run
from peer.perception.signals import SIGNAL_NAMES, Reading, Signals
from signaling.errors import ModelUnavailable

SIGNALS_OUTPUT = "signals"
"""The output's name: its place among others is not part of the contract."""


MAX_SIGNALS = 64
"""We read eight; others may have more."""
_SignalName = Annotated[str, msgspec.Meta(max_length=64)]


class ModelCard(msgspec.Struct, frozen=True):
    """What the peer needs of the card; other fields are for people."""

    crop_scale: Annotated[float, msgspec.Meta(gt=0.0, le=10.0)]
    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    sha256: Sha256
    signals: Annotated[tuple[_SignalName, ...], msgspec.Meta(max_length=MAX_SIGNALS)] | None = None
    """The columns of the output `signals`; None for a model that gives none, or none that we could read."""


class AttentionClassifier:
    """One loaded model. Raises `ModelUnavailable`, naming what was expected and what came, if it cannot work."""

    def __init__(self, path: Path) -> None:
        self._path = path
        data, self.card = read_model(path, ModelCard, "crop_scale, threshold and sha256")
        self._session = open_session(path, data)
        self._input = self._session.get_inputs()[0].name
        self._outputs = [self._session.get_outputs()[0].name]
        _check_signature(path, self._session)
        self._columns: tuple[int, ...] | None = None
        """Where in the output each of `SIGNAL_NAMES` stands."""
        if self.card.signals is not None:
            _check_signals(path, self._session, self.card.signals)
            self._columns = tuple(self.card.signals.index(name) for name in SIGNAL_NAMES)
            self._outputs.append(SIGNALS_OUTPUT)
        self._check_trial(path)

    @property
    def has_signals(self) -> bool:
        """Whether readings hold signals."""
        return self._columns is not None

    def look(self, crop: Pixels) -> Reading:
        """What the model says of the face in `crop`, (160, 160, 3) uint8 RGB.

        Raises `ModelUnavailable` for what is no probability or no signals: NaN would pass for "not attentive".
        """
        scores, *more = run(self._session, self._outputs, {self._input: crop[np.newaxis]})
        if scores.shape != (1,) or not 0.0 <= float(scores[0]) <= 1.0:  # also false for NaN
            raise ModelUnavailable(
                f"expected {self._path} to give one probability, shape (1,) in 0..1, got shape {scores.shape}:"
                f" {scores!r:.60}"
            )
        if self._columns is None:
            return Reading(float(scores[0]))
        (signals,) = more
        wanted = (1, len(self.card.signals or ()))
        if signals.shape != wanted or not np.isfinite(signals).all():
            raise ModelUnavailable(
                f"expected {self._path} to give finite signals of shape {wanted}, got shape {signals.shape}:"
                f" {signals!r:.60}"
            )
        return Reading(float(scores[0]), Signals(*(float(signals[0, column]) for column in self._columns)))

    def score(self, crop: Pixels) -> float:
        """The probability alone, 0..1, that the person of `crop`, (160, 160, 3) uint8 RGB, is attentive."""
        return self.look(crop).score

    def _check_trial(self, path: Path) -> None:
        """Run once: a graph can have the right signature and still fail, and the first run is the slow one."""
        blank = np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8)
        try:
            self.look(blank)
        except ModelUnavailable:
            raise
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            raise ModelUnavailable(f"expected {path} to run on one crop, got: {first_line(error)}") from error


def _check_signature(path: Path, session: Any) -> None:
    given, result = session.get_inputs()[0], session.get_outputs()[0]
    if given.type != "tensor(uint8)" or len(given.shape) != 4 or given.shape[1:] != [CROP_SIDE, CROP_SIDE, 3]:
        raise ModelUnavailable(
            f"expected {path} to take (N, {CROP_SIDE}, {CROP_SIDE}, 3) tensor(uint8),"
            f" got {given.shape!s:.100} {given.type}"
        )
    if result.type != "tensor(float)" or len(result.shape) != 1:
        raise ModelUnavailable(f"expected {path} to give (N,) tensor(float), got {result.shape!s:.100} {result.type}")


def _check_signals(path: Path, session: Any, names: tuple[str, ...]) -> None:
    """The card and the graph must mean the same."""
    if len(set(names)) != len(names) or not set(SIGNAL_NAMES) <= set(names):
        raise ModelUnavailable(
            f"expected the card of {path} to list each of the signals {', '.join(SIGNAL_NAMES)} once,"
            f" got {', '.join(names) or 'none'}"
        )
    found = {output.name: output for output in session.get_outputs()}
    if SIGNALS_OUTPUT not in found:
        raise ModelUnavailable(
            f"expected {path} to have an output {SIGNALS_OUTPUT!r}, since its card lists signals,"
            f" got {', '.join(found):.200}"
        )
    given = found[SIGNALS_OUTPUT]
    columns = given.shape[-1] if given.shape else None
    if given.type != "tensor(float)" or len(given.shape) != 2 or columns not in (len(names), None):
        raise ModelUnavailable(
            f"expected {path} to give signals (N, {len(names)}) tensor(float), as many as its card lists,"
            f" got {given.shape!s:.100} {given.type}"
        )
