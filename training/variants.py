"""The models that `fit`, `quantize` and `prune` have left in a run folder, and what runs each of them.

Nothing here imports a runtime before a model needs it: `training.memory` measures one runtime at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from peer.perception.crop import Pixels
from training.errors import TrainingFailed
from training.files import sha256_of
from training.stage import command, read_record

Scorer = Callable[[Pixels], NDArray[np.float32]]
"""(N, 160, 160, 3) uint8 RGB -> (N,) probability of "attentive"."""

BASELINE = "fp32"
"""The variant that all others are measured against: the model as `fit` left it."""

STAGES = ("fit", "quantize", "prune")
ONNX_ENDINGS = ("_onnx_fp32", "_onnx_int8")
BATCH = 32
"""Crops at a time where nothing is timed by batch: 0.5 GB of float32 activations, which ONNX Runtime has room for
(`peer/perception/runtime.py`)."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One model file. `file`: relative to the run folder; `sha256`: of its bytes as `stage` left them;
    `parameters`: of the float model that it is or was made from."""

    name: str
    title: str
    runtime: str
    file: str
    parameters: int
    remark: str
    stage: str
    sha256: str

    @property
    def origin(self) -> str:
        """Name of the float model that this one was made from, or is."""
        for ending in ONNX_ENDINGS:
            if self.name.endswith(ending):
                return self.name.removesuffix(ending)
        return self.name if self.runtime == "torch" else BASELINE


@dataclass(frozen=True)
class Variants:
    """All models of a run folder in the order in which they were made. `missing`: stages that have not run."""

    all: tuple[Variant, ...]
    missing: tuple[str, ...]

    def __getitem__(self, name: str) -> Variant:
        """Raises `TrainingFailed` for a name that is not there."""
        for variant in self.all:
            if variant.name == name:
                return variant
        raise TrainingFailed(f"expected one of {', '.join(variant.name for variant in self.all)}, got {name!r}")


def collect_variants(run: Path) -> Variants:
    """What the records of the stages list; `fit` must have run, the others may have.

    Raises `TrainingFailed`, also for a stage that worked on another model than the one that lies here now.
    """
    found: list[Variant] = []
    missing: list[str] = []
    for stage in STAGES:
        if stage != "fit" and not (run / f"{stage}.json").is_file():
            missing.append(stage)
            continue
        record = read_record(run, stage)
        found += _listed(record, stage)
        baseline = next((variant for variant in found if variant.name == BASELINE), None)
        if baseline is None:
            raise TrainingFailed(f"expected a variant {BASELINE!r} in the record of `fit`, got none: run `fit` again")
        if record.get("inputs", {}).get(baseline.file, baseline.sha256) != baseline.sha256:
            raise TrainingFailed(
                f"expected the models of `{stage}` to be made from {baseline.file}, got ones of an earlier model:"
                f" run {command(stage, run)} again"
            )
    return Variants(tuple(found), tuple(missing))


def load_scorer(run: Path, variant: Variant, temperature: float) -> Scorer:
    """What runs `variant`, once its bytes are known to be those that its stage left. Raises `TrainingFailed`.

    `temperature` is for the runtimes torch and fx; an ONNX file has its own inside.
    """
    check_unchanged(run, variant)
    return open_scorer(variant.runtime, run / variant.file, temperature)


def check_unchanged(run: Path, variant: Variant) -> None:
    """Raises `TrainingFailed` when a variant's file is gone or is another one."""
    path = run / variant.file
    got = "no such file" if not path.is_file() else "other bytes" if sha256_of(path) != variant.sha256 else None
    if got is not None:
        raise TrainingFailed(
            f"expected {path} as `{variant.stage}` left it, got {got}: run {command(variant.stage, run)} again"
        )


def open_scorer(runtime: str, path: Path, temperature: float) -> Scorer:
    """What runs the model file `path` in `runtime`: torch, fx or onnx. Raises `TrainingFailed`, `ModelUnavailable`."""
    openers: dict[str, Callable[[Path, float], Scorer]] = {"torch": _open_torch, "fx": _open_fx, "onnx": _open_onnx}
    if runtime not in openers:
        raise TrainingFailed(f"expected the runtime {', '.join(openers)} for {path}, got {runtime!r}")
    return openers[runtime](path, temperature)


def score_all(scorer: Scorer, crops: Pixels) -> NDArray[np.float64]:
    """(N,) probabilities of (N, 160, 160, 3) uint8 RGB, in batches."""
    pieces = [scorer(crops[start : start + BATCH]) for start in range(0, len(crops), BATCH)]
    return np.concatenate([np.asarray(piece, np.float64) for piece in pieces])


def _listed(record: dict[str, Any], stage: str) -> list[Variant]:
    try:
        return [
            Variant(**entry, stage=stage, sha256=record["outputs"][entry["file"]])
            for entry in record["results"]["variants"]
        ]
    except (KeyError, TypeError) as error:
        raise TrainingFailed(
            f"expected the record of `{stage}` to list its models, got {error!r}: run `edgeattend train {stage}` again"
        ) from error


def _open_torch(path: Path, temperature: float) -> Scorer:
    import torch  # noqa: PLC0415

    from training.model import Deployed, load_checkpoint  # noqa: PLC0415

    deployed = Deployed(load_checkpoint(path).model, temperature).eval()
    return _in_torch(deployed.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def _open_fx(path: Path, temperature: float) -> Scorer:
    from training.fx import load_fx  # noqa: PLC0415
    from training.model import Deployed  # noqa: PLC0415

    return _in_torch(Deployed(load_fx(path), temperature).eval())


def _in_torch(deployed: Any) -> Scorer:
    import torch  # noqa: PLC0415

    def score(crops: Pixels) -> NDArray[np.float32]:
        with torch.inference_mode():
            found = deployed(torch.from_numpy(crops))
        return (found[0] if isinstance(found, tuple) else found).numpy()  # type: ignore[no-any-return]

    return score


def _open_onnx(path: Path, temperature: float) -> Scorer:
    from peer.perception.model_file import open_session  # noqa: PLC0415

    session = open_session(path, path.read_bytes())
    given, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    return lambda crops: session.run([result], {given: crops})[0]
