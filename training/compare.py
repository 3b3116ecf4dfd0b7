"""The stage `compare`: every model of the run folder on the same images, by the same clock, in one table.

How good: at the threshold 0.5, as in the reference. How fast: processor time of one thread, all models interleaved
(`training.timing`). How large: the file, the parameters, and the memory of a process that runs nothing else
(`training.memory`).
"""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer
from numpy.typing import NDArray
from tqdm import tqdm

from peer.perception.crop import Pixels
from signaling.errors import ConfigInvalid
from training.calibration import CALIBRATION_FILE, load_calibration
from training.choice import COMPARISON_FILE
from training.dataset import read_crops
from training.files import write_json, write_text
from training.latency_plot import draw_comparison
from training.memory import BARE, Memory, measure
from training.metrics import binary_metrics
from training.model import load_checkpoint
from training.pool import usable_cores
from training.splits import SPLITS_FILE, Part, Splits, load_splits
from training.stage import Stage, versions
from training.tables import comparison_csv, comparison_markdown, terminal_lines
from training.timing import CLOCK_NAME, Timing, one_thread, summarise, time_rounds
from training.variants import BASELINE, Scorer, Variant, Variants, collect_variants, load_scorer, score_all

BATCHES = (1, 5)
"""Images at a time: a participant scores one; the reference's loop five."""

METRICS = ("accuracy", "balanced_accuracy", "roc_auc", "f1", "recall", "specificity")
THRESHOLD = 0.5
MB, MIB = 10**6, 2**20
CPU_INFO = Path("/proc/cpuinfo")


@dataclass(frozen=True)
class CompareConfig:
    """`part`: val or test; `repeats`: timed rounds; `out`: the run folder."""

    out: Path
    part: str = "test"
    repeats: int = 50
    force: bool = False


@dataclass(frozen=True)
class Judged:
    """What one variant says about the images: (N,) probabilities by part, and the CPU seconds for `part` alone."""

    probabilities: dict[Part, NDArray[np.float64]]
    seconds: float


def run(config: CompareConfig) -> None:
    """Measure all models and write comparison.json, .md, .csv and .png. Raises `TrainingFailed`, `ConfigInvalid`."""
    part = checked_part(config.part)
    out = config.out
    variants = collect_variants(out)
    listed = [asdict(variant) for variant in variants.all]
    files = [out / SPLITS_FILE, out / CALIBRATION_FILE, *(out / variant.file for variant in variants.all)]
    stage = Stage(out, "compare", {"part": part, "repeats": config.repeats, "variants": listed}, files)
    if not config.force and stage.is_current():
        typer.echo(f"`compare` is done already: {out / 'comparison.md'} (--force does it again)")
        return
    splits = load_splits(out)
    baseline = out / variants[BASELINE].file
    load_checkpoint(baseline).check_trained_on(splits.sha256, baseline)
    stage.forget()
    comparison = compare_all(out, variants, splits, part, config.repeats)
    written = write_comparison(out, comparison)
    stage.complete(outputs=written, results={"images": comparison["images"], "compared": len(variants.all)})
    for line in terminal_lines(comparison):
        typer.echo(line)
    typer.echo(f"written: {', '.join(path.name for path in written)} in {out}")


def checked_part(name: str) -> Part:
    """`name` as a part that no model has learnt from. Raises `ConfigInvalid`."""
    if name == "val":
        return "val"
    if name == "test":
        return "test"
    raise ConfigInvalid(f"expected --part val or test, got {name!r}")


def compare_all(out: Path, variants: Variants, splits: Splits, part: Part, repeats: int) -> dict[str, Any]:
    """`comparison.json`, as a value."""
    temperature = load_calibration(out).temperature
    crops = {name: read_crops(out, splits[name]) for name in dict.fromkeys((part, "val"))}
    with one_thread():
        scorers = {variant.name: load_scorer(out, variant, temperature) for variant in variants.all}
        judged = {name: judge(scorer, crops, part) for name, scorer in tqdm(scorers.items(), "score", disable=None)}
        timings = {
            batch: summarise(time_rounds(scorers, crops[part], batch=batch, rounds=repeats), BASELINE)
            for batch in BATCHES
        }
        nonzero = {variant.name: nonzero_parameters(out / variants[variant.origin].file) for variant in variants.all}
    bare = measure(BARE)
    memories = measure_all(out, variants)
    rows = [
        {
            **described(out, variant, nonzero[variant.name]),
            **quality(judged[variant.name], judged[BASELINE], splits, part),
            **speed({batch: timings[batch][variant.name] for batch in BATCHES}, judged[variant.name]),
            **memory_figures(memories[variant.name], bare),
        }
        for variant in variants.all
    ]
    return {
        "variants": rows,
        "missing_stages": list(variants.missing),
        "part": part,
        "split": splits.settings.get("split"),
        "split_sha256": splits.sha256,
        "images": len(splits[part]),
        "persons": len(set(splits.persons(part))),
        "validation_images": len(splits["val"]),
        "threshold": THRESHOLD,
        "repeats": repeats,
        "clock": CLOCK_NAME,
        "bare_python_mib": bare.peak_bytes / MIB,
        "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "threads_used": 1, **versions()},
    }


def measure_all(out: Path, variants: Variants) -> dict[str, Memory]:
    """The memory of every variant, several at a time: what a process takes does not depend on its neighbours."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        found = pool.map(lambda variant: measure(variant.runtime, out / variant.file), variants.all)
        measured = list(tqdm(found, "measure memory", len(variants.all), disable=None))
    return {variant.name: memory for variant, memory in zip(variants.all, measured, strict=True)}


def judge(scorer: Scorer, crops: dict[Part, Pixels], part: Part) -> Judged:
    """Score every part of `crops`, and take the time of `part`."""
    probabilities: dict[Part, NDArray[np.float64]] = {}
    seconds: dict[Part, float] = {}
    for name, images in crops.items():
        start = time.process_time()
        probabilities[name] = score_all(scorer, images)
        seconds[name] = time.process_time() - start
    return Judged(probabilities, seconds[part])


def described(out: Path, variant: Variant, nonzero: int) -> dict[str, Any]:
    """What a variant is. `nonzero`: parameters that are not zero, of the model that it was made from."""
    size = (out / variant.file).stat().st_size
    return {
        "name": variant.name, "title": variant.title, "runtime": variant.runtime, "file": variant.file,
        "sha256": variant.sha256, "origin": variant.origin, "size_bytes": size, "size_mb": size / MB,
        "size_mib": size / MIB, "parameters": variant.parameters, "nonzero_parameters": nonzero,
        "remark": variant.remark,
    }  # fmt: skip


def quality(judged: Judged, baseline: Judged, splits: Splits, part: Part) -> dict[str, float]:
    """Metrics on `part`, what they lose against the FP32 model in points, and what `export` chooses by."""
    labels = splits.labels(part)
    own, whole = (binary_metrics(labels, one.probabilities[part], THRESHOLD) for one in (judged, baseline))
    validation = binary_metrics(splits.labels("val"), judged.probabilities["val"], THRESHOLD)
    return {
        **{name: own[name] for name in METRICS},
        **{f"{name}_loss_points": 100 * (whole[name] - own[name]) for name in ("accuracy", "balanced_accuracy")},
        "validation_balanced_accuracy": validation["balanced_accuracy"],
    }


def speed(timings: dict[int, Timing], judged: Judged) -> dict[str, float]:
    """CPU milliseconds per image, ratios to the FP32 model in torch, and the reference's figure for pruned models."""
    return {
        **{f"ms_batch{batch}": timing.ms for batch, timing in timings.items()},
        **{f"speedup_batch{batch}": timing.speedup for batch, timing in timings.items()},
        "total_cpu_s": judged.seconds,
    }


def memory_figures(memory: Memory, bare: Memory) -> dict[str, float]:
    """Peak of a process that runs this model alone, and what of it Python and numpy do not need."""
    return {
        "peak_rss_mib": memory.peak_bytes / MIB,
        "added_rss_mib": (memory.peak_bytes - bare.peak_bytes) / MIB,
    }


def nonzero_parameters(checkpoint: Path) -> int:
    """Parameters of a float model that are not zero: unstructured pruning leaves the others in the file."""
    return sum(int(parameter.count_nonzero()) for parameter in load_checkpoint(checkpoint).model.parameters())


def write_comparison(out: Path, comparison: dict[str, Any]) -> list[Path]:
    """comparison.json, .md, .csv and .png. Raises `TrainingFailed`."""
    paths = [out / COMPARISON_FILE, *(out / f"comparison.{ending}" for ending in ("md", "csv", "png"))]
    write_json(paths[0], comparison)
    write_text(paths[1], comparison_markdown(comparison))
    write_text(paths[2], comparison_csv(comparison))
    draw_comparison(comparison, paths[3])
    return paths


def cpu_name() -> str:
    """The processor as the kernel calls it."""
    if CPU_INFO.is_file():
        for line in CPU_INFO.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
