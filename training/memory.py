"""How much memory a process needs that loads one model and scores crops with it: python -m training.memory RUNTIME FILE

Each measurement is a fresh process that imports what its runtime needs and nothing else. RUNTIME is torch, fx or
onnx; `bare` is Python with numpy, what all have in common. OpenCV is in the others: a participant needs it anyway.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STATUS = Path("/proc/self/status")
BARE = "bare"
RUNS = 20
"""Crops scored one at a time, as on a device: the most memory is in use well before."""

TIMEOUT_S = 600.0
"""Of a process that takes seconds: a machine with much other work makes minutes of them."""


@dataclass(frozen=True, slots=True)
class Memory:
    """`peak_bytes`: most resident memory of the process. `loaded`: the runtimes that it had imported."""

    peak_bytes: int
    loaded: tuple[str, ...]


def measure(runtime: str, path: Path | None = None) -> Memory:
    """Peak memory of a fresh process that runs the model file `path`. Raises `TrainingFailed`."""
    from training.errors import TrainingFailed  # noqa: PLC0415

    arguments = [] if path is None else [str(path.resolve())]
    try:
        finished = subprocess.run(  # noqa: S603 - this module
            [sys.executable, "-m", "training.memory", runtime, *arguments],
            cwd=Path(__file__).parents[1],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TrainingFailed(f"expected {path} to run in {runtime}, got no end after {TIMEOUT_S:.0f} s") from error
    if finished.returncode != 0:
        last = (finished.stderr.strip().splitlines() or ["no word"])[-1]
        raise TrainingFailed(f"expected {path} to run in {runtime}, got exit code {finished.returncode}: {last}")
    found = json.loads(finished.stdout)
    return Memory(found["peak_bytes"], tuple(found["loaded"]))


def peak_bytes() -> int:
    """Most resident memory that this process has had.

    Linux counts the parent's memory at the time of the fork into `ru_maxrss` (exec keeps the maximum of both), and
    the parent here has torch loaded: /proc has the figure of this program alone.
    """
    if sys.platform == "win32":
        return _peak_bytes_on_windows()
    if STATUS.is_file():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource  # noqa: PLC0415 - Windows has none

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _peak_bytes_on_windows() -> int:
    """PROCESS_MEMORY_COUNTERS.PeakWorkingSetSize: two DWORDs, then eight SIZE_Ts of which it is the first."""

    class Counters(ctypes.Structure):
        _fields_ = (("two", ctypes.c_uint32 * 2), ("peak", ctypes.c_size_t), ("others", ctypes.c_size_t * 7))

    counters = Counters()
    counters.two[0] = ctypes.sizeof(counters)
    kernel: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined]
    this_process = ctypes.c_void_p(-1)
    if not kernel.K32GetProcessMemoryInfo(this_process, ctypes.byref(counters), ctypes.sizeof(counters)):
        raise OSError("expected Windows to tell this process's memory, got nothing")
    return int(counters.peak)


def score_some(runtime: str, path: Path) -> None:
    """Load a model and score noise, one crop at a time."""
    from training.variants import open_scorer  # noqa: PLC0415

    if runtime != "onnx":
        import torch  # noqa: PLC0415

        torch.set_num_threads(1)
    scorer = open_scorer(runtime, path, 1.0)
    generator = np.random.default_rng(0)
    for _ in range(RUNS):
        scorer(generator.integers(0, 256, (1, 160, 160, 3), np.uint8))


def main() -> None:
    """In the fresh process: one line of JSON."""
    runtime, *paths = sys.argv[1:]
    if runtime != BARE:
        score_some(runtime, Path(paths[0]))
    loaded = [name for name in ("torch", "onnxruntime") if name in sys.modules]
    sys.stdout.write(json.dumps({"peak_bytes": peak_bytes(), "loaded": loaded}) + "\n")


if __name__ == "__main__":
    main()
