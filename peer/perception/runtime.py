"""ONNX Runtime, kept from telling its maker about this machine and from taking all its memory: import it from here.

Its official Linux builds since 1.29 write a device id and what the machine is into the cache folder, and send that,
from the moment they are imported. Asking them to stop afterwards is too late.
"""

from __future__ import annotations

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["MAX_ARENA_BYTES", "onnxruntime"]

MAX_ARENA_BYTES = 512 << 20
"""What all sessions of this process that use the environment's allocator may hold beside their weights. Ours need
20 MB; a graph of 200 bytes can ask for all there is, and then its run fails instead of the machine."""

_DEFAULT = -1

onnxruntime.create_and_register_allocator(
    onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    ),
    onnxruntime.OrtArenaCfg(MAX_ARENA_BYTES, _DEFAULT, _DEFAULT, _DEFAULT),
)
