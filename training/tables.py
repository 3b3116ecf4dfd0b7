"""`comparison.json` as people read it: the reference's summary table in Markdown, as CSV, and on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from training.tabular import as_csv, markdown_table

Row = dict[str, Any]

COLUMNS = (
    "Model variant", "Accuracy", "Balanced", "AUC", "ms/image b1", "ms/image b5", "Speed-up b5", "Size MB",
    "Parameters", "Peak RSS MiB", "Remark",
)  # fmt: skip
TERMINAL_COLUMNS = 10
"""All but the remark, which has no room there."""

PART_NAMES = {"val": "validation", "test": "test"}
SPLIT_NAMES = {
    "subject": "nobody in two parts",
    "official": "DAiSEE's own parts",
    "frames": "frames at random, so that the same people are in all parts: flatters",
}


def comparison_markdown(comparison: dict[str, Any]) -> str:
    """The table with a paragraph about what was measured on what, ready to paste."""
    rows = [cells_of(row) for row in comparison["variants"]]
    table = markdown_table(COLUMNS, rows, words=(0, COLUMNS.index("Remark")))
    return f"{table}\n\n{explanation(comparison)}\n"


def comparison_csv(comparison: dict[str, Any]) -> str:
    """One line per variant with every figure of comparison.json, unrounded."""
    rows: Sequence[Row] = comparison["variants"]
    return as_csv(rows[0], (row.values() for row in rows))


def terminal_lines(comparison: dict[str, Any]) -> list[str]:
    """The table without remarks, in columns; then what it leaves out."""
    lines = [list(COLUMNS), *(cells_of(row) for row in comparison["variants"])]
    table = [line[:TERMINAL_COLUMNS] for line in lines]
    widths = [max(len(line[column]) for line in table) for column in range(TERMINAL_COLUMNS)]
    said = [
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(both))
        for both in (list(zip(line, widths, strict=True)) for line in table)
    ]
    return said + [missing_sentence(stage) for stage in comparison["missing_stages"]]


def cells_of(row: Row) -> list[str]:
    """One line of the table."""
    return [
        row["title"],
        percent(row["accuracy"]),
        percent(row["balanced_accuracy"]),
        f"{row['roc_auc']:.4f}",
        f"{row['ms_batch1']:.2f}",
        f"{row['ms_batch5']:.2f}",
        f"{row['speedup_batch5']:.1f}x",
        f"{row['size_mb']:.2f}",
        parameters_of(row),
        f"{row['peak_rss_mib']:.0f}",
        row["remark"],
    ]


def percent(share: float) -> str:
    """As the reference writes it: 98.53%."""
    return f"{100 * share:.2f}%"


def parameters_of(row: Row) -> str:
    """With those that are not zero, where many are."""
    whole, nonzero = row["parameters"], row["nonzero_parameters"]
    return f"{whole:,}" if nonzero > 0.99 * whole else f"{whole:,} ({nonzero:,} not 0)"


def explanation(comparison: dict[str, Any]) -> str:
    """What the figures were measured on, and how."""
    part, machine, split = comparison["part"], comparison["machine"], comparison["split"]
    runtimes = ", ".join(f"{name} {machine[name]}" for name in ("torch", "onnxruntime") if name in machine)
    sentences = [
        f"Measured on the {PART_NAMES[part]} part: {comparison['images']:,} images of {comparison['persons']} persons,"
        f" split by `{split}` ({SPLIT_NAMES.get(split, 'as its settings say')}). Threshold {comparison['threshold']}"
        " for every model, as in the reference; a device takes that of attention.json.",
        "Training stopped and pruning ratios were chosen by this part, so it flatters them." if part == "val" else "",
        f"Milliseconds are {comparison['clock']} time per image at batch 1 and 5 in one thread, medians of"
        f" {comparison['repeats']} rounds over all models in shuffled order; the speed-up is the median of each round's"
        f" ratio to the FP32 model in torch ({machine['cpu']}, {runtimes}).",
        "MB is 10^6 bytes. Peak RSS is of a fresh process that runs this model alone, one image at a time;"
        f" Python with numpy takes {comparison['bare_python_mib']:.0f} MiB of it.",
        *(missing_sentence(stage) for stage in comparison["missing_stages"]),
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def missing_sentence(stage: str) -> str:
    """For a stage whose models are not in the table."""
    return f"`{stage}` has not run, so its models are left out."
