"""ONNX Runtime, kept from telling its maker about this machine: import it from here.

Its official Linux builds since 1.29 write a device id and what the machine is into the cache folder, and send that,
from the moment they are imported. Asking them to stop afterwards is too late.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
