"""The same ONNX file with its weights in half precision: half the bytes, for browsers, which load it over a network.

It computes in FP32: a Cast stands behind each tensor, and ONNX Runtime folds it away as it loads the file. Measured
in Chromium (onnxruntime-web 1.30, WebAssembly, one thread): 25 ms to load and 16 ms for a crop, as with FP32
weights; INT8, which peers run, takes 24 ms there.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from training.errors import TrainingFailed
from training.files import write_bytes

LEAST_VALUES = 1024
"""Tensors with fewer stay as they are: the decision, most biases and the first filters, 34 kB of 4.7 MB. Rounded,
they would take signals twice as far from FP32's."""


def halve_weights(fp32: Path, half: Path) -> None:
    """Write `half`, which says what `fp32` says but for the rounding of weights to 11 bits.

    Raises `TrainingFailed` for a weight that is too large for half precision.
    """
    model = onnx.load(fp32)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < LEAST_VALUES:
            continue
        largest, limit = float(np.abs(values).max()), float(np.finfo(np.float16).max)
        if not largest <= limit:  # also for NaN
            raise TrainingFailed(f"expected weights up to {limit:,.0f} in {fp32.name}, got one of {largest:g}")
        name, stored = tensor.name, f"{tensor.name}_half"
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
        casts.append(helper.make_node("Cast", [stored], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    write_bytes(half, model.SerializeToString())
