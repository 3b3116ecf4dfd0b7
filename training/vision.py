"""torchvision, also where its compiled operators do not fit the installed torch.

The wheel on PyPI is built for CUDA. Beside a CPU build of torch its import fails, because it registers fake
versions of two operators that its library then did not define. Naming their schemas lets the import pass; models
and transforms need neither operator.
"""

from __future__ import annotations

import sys
from types import ModuleType

import torch

MISSING_OPERATORS = ("nms", "qnms")
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


def _torchvision() -> ModuleType:
    try:
        import torchvision  # noqa: PLC0415
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]  # half imported
        for operator in MISSING_OPERATORS:
            torch.library.define(f"torchvision::{operator}", SCHEMA)
        import torchvision  # noqa: PLC0415
    return torchvision  # type: ignore[no-any-return]


_torchvision()

from torchvision.models import MobileNet_V2_Weights, mobilenet_v2  # noqa: E402
from torchvision.transforms import InterpolationMode, v2  # noqa: E402

__all__ = ["InterpolationMode", "MobileNet_V2_Weights", "mobilenet_v2", "v2"]
