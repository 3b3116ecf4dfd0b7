"""The face model in ONNX Runtime, held to its contract and to nothing more.

Input `frame`, (1, 120, 160, 3) uint8 RGB; output `faces`, (1, N, 4) float rows of a score 0..1, centre x, centre y and
side of a face box in pixels of the input; a card `<model>.json` beside it. Browsers run the same file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from peer.perception.crop import Pixels
from peer.perception.model_file import Sha256, first_line, open_session, read_model, run
from signaling.errors import ModelUnavailable

FACE_MODEL = Path(__file__).parents[1] / "models" / "face.onnx"

VIEW_WIDTH, VIEW_HEIGHT = 160, 120
"""Pixels of what the model sees."""

Faces = NDArray[np.float32]


class FaceCard(msgspec.Struct, frozen=True):
    """What the peer needs of the card; other fields are for people. `threshold`: the score from which it is a face."""

    threshold: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    sha256: Sha256


class FaceModel:
    """One loaded model. Raises `ModelUnavailable`, naming what was expected and what came, if it cannot work."""

    def __init__(self, path: Path = FACE_MODEL) -> None:
        self._path = path
        data, self.card = read_model(path, FaceCard, "threshold and sha256")
        self._session = open_session(path, data)
        given, result = self._session.get_inputs()[0], self._session.get_outputs()[0]
        if given.type != "tensor(uint8)" or given.shape[1:] != [VIEW_HEIGHT, VIEW_WIDTH, 3]:
            raise ModelUnavailable(
                f"expected {path} to take (1, {VIEW_HEIGHT}, {VIEW_WIDTH}, 3) tensor(uint8),"
                f" got {given.shape!s:.100} {given.type}"
            )
        if result.type != "tensor(float)" or len(result.shape) != 3 or result.shape[-1] != 4:
            raise ModelUnavailable(
                f"expected {path} to give (1, N, 4) tensor(float), got {result.shape!s:.100} {result.type}"
            )
        self._input, self._outputs = given.name, [result.name]
        try:  # a graph can have the right signature and still fail, and the first run is the slow one
            self.faces(np.zeros((VIEW_HEIGHT, VIEW_WIDTH, 3), np.uint8))
        except ModelUnavailable:
            raise
        except Exception as error:  # ONNX Runtime's errors have no common base but Exception
            raise ModelUnavailable(f"expected {path} to run on one frame, got: {first_line(error)}") from error

    def faces(self, view: Pixels) -> Faces:
        """What it says of `view`, (120, 160, 3) uint8 RGB: (N, 4) rows, see above; most of them hold no face.

        Raises `ModelUnavailable` for what cannot be faces: NaN would pass for "nobody is there".
        """
        (faces,) = run(self._session, self._outputs, {self._input: view[np.newaxis]})
        if faces.ndim != 3 or faces.shape[::2] != (1, 4) or not faces.size or not np.isfinite(faces).all():
            raise ModelUnavailable(
                f"expected {self._path} to give finite faces of shape (1, N, 4), got shape {faces.shape}: {faces!r:.60}"
            )
        found: Faces = faces[0]
        return found
