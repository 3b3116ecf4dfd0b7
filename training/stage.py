"""What every stage does alike: leave alone what is done already, and leave a record of what it did."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from training.errors import TrainingFailed
from training.files import read_json, remove, sha256_of, write_json

PACKAGES = (
    "edgeattend", "numpy", "opencv-python", "onnx", "onnxruntime", "pandas", "scikit-learn", "torch", "torch-pruning",
    "torchvision",
)  # fmt: skip

PICTURES = "pictures"
"""In the folder of a run of rendered people."""


def cpu_seconds() -> float:
    """Of this process and of those it started that have ended."""
    return sum(os.times()[:4])


@dataclass
class Stage:
    """One run of one stage in the run folder `run`; its record is `run/<name>.json`.

    `settings`: everything that decides the result, as JSON. `inputs`: the files it reads.
    A stage is current when its record has the same settings and inputs, and its outputs are still as it left them.
    """

    run: Path
    name: str
    settings: dict[str, Any]
    inputs: list[Path]
    _started: float = field(default_factory=time.time)
    _started_cpu: float = field(default_factory=cpu_seconds)

    def __post_init__(self) -> None:
        for path in self.inputs:
            if not path.is_file():
                raise TrainingFailed(
                    f"expected {path}, which `{self.name}` reads, got no such file:"
                    " run the stages before it first, with the same --out"
                )

    @property
    def record(self) -> Path:
        """Where the record lies."""
        return self.run / f"{self.name}.json"

    def is_current(self) -> bool:
        """Whether there is nothing to do."""
        try:
            left = read_record(self.run, self.name)
        except TrainingFailed:  # none, or a broken one
            return False
        return (
            left.get("settings") == self.settings
            and left.get("inputs") == self._hashes(self.inputs)
            and all(
                (self.run / name).is_file() and sha256_of(self.run / name) == digest
                for name, digest in left["outputs"].items()
            )
        )

    def forget(self) -> None:
        """Take the record away before outputs change: from here on the stage does not look finished."""
        remove(self.record)

    def complete(self, *, outputs: Iterable[Path], results: dict[str, Any]) -> None:
        """Write the record. `outputs`: files in the run folder; `results`: JSON."""
        write_json(
            self.record,
            {
                "stage": self.name,
                "settings": self.settings,
                "results": results,
                "started": datetime.fromtimestamp(self._started, UTC).isoformat(timespec="seconds"),
                "seconds": round(time.time() - self._started, 2),
                "cpu_seconds": round(cpu_seconds() - self._started_cpu, 2),
                "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
                "versions": versions(),
                "inputs": self._hashes(self.inputs),
                "outputs": self._hashes(outputs),
            },
        )

    def _hashes(self, paths: Iterable[Path]) -> dict[str, str]:
        return {name_in(self.run, path): sha256_of(path) for path in paths}


def name_in(run: Path, path: Path) -> str:
    """`path` as the run folder's files name it: relative to the folder, with slashes, also where it lies outside."""
    try:
        return Path(os.path.relpath(path, run)).as_posix()
    except ValueError:  # on another drive of Windows
        return path.resolve().as_posix()


def command(name: str, run: Path) -> str:
    """What to type to run stage `name`, for people."""
    data = "" if name != "prepare" else " --faces FACES" if (run / PICTURES).is_dir() else " --data DAiSEE"
    return f"`edgeattend train {name}{data} --out {run}`"


def read_record(run: Path, name: str) -> dict[str, Any]:
    """The record of stage `name`. Raises `TrainingFailed` where there is none."""
    path, advice = run / f"{name}.json", f"run {command(name, run)}"
    record = read_json(path, what=f"the record of `{name}`", advice=advice)
    wanted = ("settings", "results", "outputs")
    if not isinstance(record, dict) or not all(isinstance(record.get(name), dict) for name in wanted):
        raise TrainingFailed(f"expected the record of `{name}` at {path}, got something else: {advice}")
    return record


def versions() -> dict[str, str]:
    """What ran: Python, the machine, and the packages that decide results."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
