"""Which model goes onto devices: the cheapest one that is as good as the one that was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.errors import TrainingFailed
from training.files import read_json
from training.stage import command
from training.tables import Row, percent
from training.variants import BASELINE

COMPARISON_FILE = "comparison.json"
ALLOWED_LOSS = 0.002
"""Of balanced accuracy on validation: 0.2 points, the project's goal."""


@dataclass(frozen=True)
class Choice:
    """`names`: the variants to take, the best first, the next where one turns out not to say what PyTorch says.
    `rule`: the sentence that says why. `table`: all candidates, as lines for people."""

    names: tuple[str, ...]
    rule: str
    table: tuple[str, ...]


def load_comparison(run: Path) -> dict[str, Any]:
    """What `compare` wrote. Raises `TrainingFailed`."""
    advice = f"run {command('compare', run)}"
    comparison = read_json(run / COMPARISON_FILE, what="the comparison of all models", advice=advice)
    if not isinstance(comparison, dict) or not {"variants", "split_sha256"} <= comparison.keys():
        raise TrainingFailed(f"expected what `compare` writes at {run / COMPARISON_FILE}, got something else: {advice}")
    return comparison


def choose(rows: Sequence[Row], wanted: str | None = None) -> Choice:
    """One of the ONNX models among `comparison.json`'s rows, which is what devices run. Raises `TrainingFailed`.

    `wanted`: its name; by default the one that takes least CPU time for one image, of those that lose at most 0.2
    points of balanced accuracy to the FP32 model on the **validation** part: who chooses by the test part can no
    longer say how good the model is on people it has not seen. Where none is that good, the best one there.

    A pruned model may win, and should: the rule asks what it costs and what it gets right, not how it was made.
    """
    candidates = [row for row in rows if row["runtime"] == "onnx"]
    baseline = next((row for row in rows if row["name"] == BASELINE), None)
    if not candidates or baseline is None:
        raise TrainingFailed("expected ONNX models and the FP32 one in the comparison, got none: run `quantize` first")
    goal = baseline["validation_balanced_accuracy"] - ALLOWED_LOSS
    good = [row for row in candidates if row["validation_balanced_accuracy"] >= goal]
    if wanted is not None:
        ranked = [row for row in candidates if row["name"] == wanted]
        if not ranked:
            names = ", ".join(row["name"] for row in candidates)
            raise TrainingFailed(f"expected --variant to be an ONNX model, one of {names}, got {wanted!r}")
        rule = "it was asked for by --variant"
    elif good:
        ranked = sorted(good, key=lambda row: float(row["ms_batch1"]))
        rule = (
            f"it takes least CPU time for one image of those ONNX models ({len(good)} of {len(candidates)}) that lose"
            f" at most {100 * ALLOWED_LOSS:g} points of balanced accuracy to FP32 on validation, both at 0.5"
        )
    else:
        ranked = sorted(candidates, key=lambda row: -float(row["validation_balanced_accuracy"]))
        rule = (
            f"it has the best balanced accuracy on validation; no ONNX model keeps within {100 * ALLOWED_LOSS:g}"
            " points of FP32 there"
        )
    return Choice(tuple(row["name"] for row in ranked), rule, tuple(_lines(candidates, good, baseline)))


def _lines(candidates: Sequence[Row], good: Sequence[Row], baseline: Row) -> list[str]:
    width = max(len(row["name"]) for row in candidates)
    lines = []
    for row in sorted(candidates, key=lambda row: float(row["ms_batch1"])):
        gain = 100 * (row["validation_balanced_accuracy"] - baseline["validation_balanced_accuracy"])
        lines.append(
            f"  {row['name']:{width}}  {row['ms_batch1']:6.2f} ms  balanced accuracy on validation"
            f" {percent(row['validation_balanced_accuracy']):>7} ({gain:+.2f})  {row['size_mb']:5.2f} MB"
            f"  {'good enough' if row in good else 'loses too much'}"
        )
    return lines
