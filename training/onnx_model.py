"""ONNX files of a model by DESIGN.md's contract: as exported in FP32, and in static INT8 as a device runs it.

First input `face`, (N, 160, 160, 3) uint8 RGB; first output `attentive`, (N,) float32 probability; second output,
where the model has them, `signals`, (N, 8) float32 in the units of `training.signals`.

Types, measured on x86 with VNNI at batch 5: uint8 activations with int8 weights take 1.5 ms per image, int8 with int8
2.1, FP32 2.1. On an x86 CPU without VNNI (Intel before 2019, AMD before 2022) ONNX Runtime adds pairs of these
products in 16 bits, which saturate: SQNR to FP32 fell from 22 to 17 dB on an emulated Haswell. The session option
`session.x64quantprecision=1` gives it back there, exactly; with VNNI it changes no probability, but doubles the time,
so `peer.perception.model_file` sets it only where it is needed. Weights of 7 bits (`reduce_range`) would cost 2 dB on
every machine.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from peer.perception import model_file
from peer.perception.crop import CROP_SIDE, Pixels
from training.errors import TrainingFailed
from training.fidelity import compare_logits
from training.files import write_bytes, writing
from training.model import Deployed, has_signals
from training.signals import SCALES, SIGNALS

# isort: split
# After ours, which keeps it quiet: `peer.perception.runtime`.
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

INPUT, OUTPUT, SIGNALS_OUTPUT = "face", "attentive", "signals"

OPSET = 17
"""Of 2022: every runtime that has INT8 kernels reads it, and nothing here needs a later one."""

PARITY = 1e-4
"""How far a probability of the exported file may be from torch's; 1e-6 is usual."""

SIGNALS_PARITY = 1e-3
"""How far a signal may be, over its scale: 0.045 degrees of yaw."""

BATCH = 8
"""Crops at a time: calibration keeps all activations of one batch, 14 MB per crop."""

HELD_OUT = 4
"""Of so many crops one does not calibrate, but judges the methods."""

METHODS: dict[str, tuple[CalibrationMethod, dict[str, Any]]] = {
    "min-max": (CalibrationMethod.MinMax, {}),
    # Symmetric, as ONNX Runtime has it by default, half of the range behind a ReLU6 would be of no use.
    "percentile 99.99": (
        CalibrationMethod.Percentile,
        {"CalibPercentile": 99.99, "CalibTensorRangeSymmetric": False},
    ),
    "entropy": (CalibrationMethod.Entropy, {}),
}
"""Ways to choose the activations' ranges. Which is best differs from model to model by 1 to 3 dB. Left out, since
they were never best: percentile 99.9 (6 dB worse) and moving averages of the extremes (6 to 17 dB worse)."""


@dataclass(frozen=True)
class Calibrated:
    """How an INT8 file was made: the method, and for each one tried its SQNR in dB to FP32 on held-out crops."""

    method: str
    sqnr_db: dict[str, float]


def export_onnx(model: nn.Module, path: Path, temperature: float = 1.0) -> float:
    """Write `model`, normalised images in and logits out, as a file of the contract; BatchNorm goes into the weights.

    Returns the largest difference of a probability to torch's. Raises `TrainingFailed` if that is above `PARITY`.
    """
    deployed = Deployed(model, temperature).cpu().eval()
    outputs = [OUTPUT, SIGNALS_OUTPUT] if has_signals(model) else [OUTPUT]
    crops = np.random.default_rng(0).integers(0, 256, (3, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    with writing(path) as aside:
        with warnings.catch_warnings():
            # The exporter that torch prefers needs packages (onnxscript) for what this one does well; torch is pinned.
            warnings.simplefilter("ignore", DeprecationWarning)
            torch.onnx.export(
                deployed,
                (torch.from_numpy(crops[:1]),),
                str(aside),
                dynamo=False,
                opset_version=OPSET,
                input_names=[INPUT],
                output_names=outputs,
                dynamic_axes={name: {0: "N"} for name in (INPUT, *outputs)},
            )
        onnx.checker.check_model(str(aside), full_check=True)
        with torch.inference_mode():
            expected = deployed(torch.from_numpy(crops))
        session = open_session(aside)
        if has_signals(model):
            expected, signals = expected
            farthest = float((np.abs(signals_of(session, crops) - signals.numpy()) / np.array(SCALES)).max())
            if not farthest <= SIGNALS_PARITY:
                raise TrainingFailed(
                    f"expected {path.name} to give torch's signals within {SIGNALS_PARITY} of their scale, got"
                    f" {farthest:.2g} beside them"
                )
        difference = float(np.abs(probabilities(session, crops) - expected.numpy()).max())
        if not difference <= PARITY:
            raise TrainingFailed(
                f"expected {path.name} to give torch's probabilities within {PARITY}, got {difference:.2g} beside them"
            )
    return difference


def quantize_onnx(fp32: Path, int8: Path, crops: Pixels) -> Calibrated:
    """Write the INT8 file of an exported one: activations as uint8, weights as int8 with a scale per channel.

    `crops`: (N, 160, 160, 3) uint8 RGB, faces like those it will see: three quarters of them give the activations'
    ranges, by each of `METHODS`, the others say which method is kept. Raises `TrainingFailed` when there is none.
    """
    if len(crops) == 0:
        raise TrainingFailed("expected crops to calibrate with, got none")
    order = np.random.default_rng(0).permutation(len(crops))
    held = len(crops) // HELD_OUT
    judging, calibrating = (crops[order[:held]], crops[order[held:]]) if held else (crops, crops)
    expected = logits(fp32, judging)
    made: dict[str, bytes] = {}
    scores: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        prepared, candidate = Path(folder) / "prepared.onnx", Path(folder) / "candidate.onnx"
        quant_pre_process(str(fp32), str(prepared), skip_symbolic_shape=True)
        for name, (method, options) in METHODS.items():
            _quantize(prepared, candidate, calibrating, method, options)
            made[name] = _trimmed(onnx.load(candidate)).SerializeToString()
            candidate.write_bytes(made[name])
            scores[name] = compare_logits(expected, logits(candidate, judging)).sqnr_db
    best = max(scores, key=lambda name: scores[name])
    onnx.checker.check_model(made[best], full_check=True)
    write_bytes(int8, made[best])
    return Calibrated(best, scores)


def open_session(path: Path) -> Any:
    """The file in ONNX Runtime as a participant has it. Raises `ModelUnavailable`."""
    return model_file.open_session(path, path.read_bytes())


def probabilities(session: Any, crops: Pixels) -> NDArray[np.float32]:
    """(N,) of a session for (N, 160, 160, 3) uint8 RGB, in small batches."""
    return _run(session, OUTPUT, crops)


def signals_of(session: Any, crops: Pixels) -> NDArray[np.float32]:
    """(N, 8) signals of a session whose model has them."""
    return _run(session, SIGNALS_OUTPUT, crops).reshape(-1, len(SIGNALS))


def logits(path: Path, crops: Pixels) -> NDArray[np.float32]:
    """(N,) logits divided by the temperature: what the file's sigmoid is given, before it rounds 17 and more to 1."""
    model = onnx.load(path)
    (name,) = next(node.input for node in model.graph.node if OUTPUT in node.output)
    model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N"]))
    return _run(model_file.open_session(path, model.SerializeToString()), name, crops)


def _run(session: Any, output: str, crops: Pixels) -> NDArray[np.float32]:
    pieces = [session.run([output], {INPUT: crops[start : start + BATCH]})[0] for start in range(0, len(crops), BATCH)]
    return np.concatenate(pieces) if pieces else np.empty(0, np.float32)


def _quantize(prepared: Path, path: Path, crops: Pixels, method: CalibrationMethod, options: dict[str, Any]) -> None:
    with contextlib.redirect_stdout(io.StringIO()):  # ONNX Runtime prints a line per batch
        quantize_static(
            prepared,
            path,
            _Batches(crops),
            quant_format=QuantFormat.QDQ,  # standard operators; every runtime fuses them
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=_kept_in_float(onnx.load(prepared)),
            calibrate_method=method,
            extra_options={"CalibStridedMinMax": 1, **options},  # one batch in memory, whatever the method
        )


def _kept_in_float(model: onnx.ModelProto) -> list[str]:
    """The normalisation before the first convolution, and of what follows the backbone all but the head's hidden
    layer: 64 products for the logit and 8 x 1280 for the signals cost no time, where a rounded logit would cost 1 dB.
    """
    nodes = list(model.graph.node)
    first = next(index for index, node in enumerate(nodes) if node.op_type == "Conv")
    after = next(index for index, node in enumerate(nodes) if node.op_type == "Gemm")
    rectified = {node.input[0] for node in nodes if node.op_type == "Relu"}  # the backbone's are Clip
    hidden = [node for node in nodes[after:] if node.op_type == "Relu" or rectified & set(node.output)]
    return [node.name for node in nodes[:first] + nodes[after:] if node not in hidden]


def _trimmed(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model in fewer bytes, 2.52 MB of 2.70: without the biases' zero points, which are zero (73 kB), with
    short names inside (90 kB), without shapes that follow from the graph (9 kB)."""
    graph = model.graph
    del graph.value_info[:], model.metadata_props[:]
    biases = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.INT32}
    for node in graph.node:
        # Of biases only: where `session.x64quantprecision` makes U8 of S8 weights, it needs the weights' zero points.
        if node.op_type == "DequantizeLinear" and node.input[0] in biases:
            del node.input[2]
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    short = {name: name for name in (INPUT, OUTPUT, SIGNALS_OUTPUT, "")}
    for node in graph.node:
        node.name = ""
        for names in (node.input, node.output):
            names[:] = [short.setdefault(name, f"{len(short):x}") for name in names]
    for tensor in graph.initializer:
        tensor.name = short[tensor.name]
    return model


class _Batches(CalibrationDataReader):  # type: ignore[misc]
    """Crops for ONNX Runtime's calibration, which asks for one range of batches after the other."""

    def __init__(self, crops: Pixels) -> None:
        self._batches = [crops[start : start + BATCH] for start in range(0, len(crops), BATCH)]
        self._left = iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        """The batches that come next."""
        self._left = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, Pixels] | None:
        """One batch, or None when the range is done."""
        batch = next(self._left, None)
        return None if batch is None else {INPUT: batch}
