"""What pruning costs and what it saves: one outcome per method, ratio and training; the best of each; table and graph.

The reference's rule for the best: the largest accuracy + 0.5 x ratio, on the validation part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from training.files import write_text
from training.plots import COLOURS, GREY, new_figure, save_figure
from training.tabular import as_csv, markdown_table

RATIO_WEIGHT = 0.5
MB = 1e6
CHANCE = 0.6
"""A model with a balanced accuracy below this is called of no use; always the same answer has 0.5."""


class Method(StrEnum):
    """How to prune."""

    UNSTRUCTURED = "unstructured"
    STRUCTURAL = "structural"


FILE_STEMS = {Method.UNSTRUCTURED: "best_unstructured_pruned", Method.STRUCTURAL: "best_struct_pruned"}
GRAPHS = {
    Method.UNSTRUCTURED: "unstruct_pruning_tradeoff_graph.png",
    Method.STRUCTURAL: "struct_pruning_tradeoff_graph.png",
}
"""The reference's names."""

X_LABELS = {
    Method.UNSTRUCTURED: "Weights set to zero, and size of the compressed file",
    Method.STRUCTURAL: "Channels removed from each layer, and parameters left",
}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A model on the validation part.

    `sparsity`: zeros among the weights of convolutions and linear layers, 0..1. `gzip_bytes`: the file after
    compression, which is all that zeros save. `cpu_seconds`: of the forward passes over the validation part on the
    CPU, all threads together.
    """

    parameters: int
    sparsity: float
    size_bytes: int
    gzip_bytes: int
    accuracy: float
    balanced_accuracy: float
    roc_auc: float
    cpu_seconds: float


@dataclass(frozen=True, kw_only=True)
class Outcome(Measured):
    """A pruned model on the validation part. `ratio`: the share that was asked for, 0..1."""

    method: Method
    ratio: float
    finetuned: bool

    @property
    def percent(self) -> int:
        """The ratio as the files' names have it."""
        return round(100 * self.ratio)

    @property
    def variant(self) -> str:
        """Such as `structural_no_ft`: the series, and the name of its best one."""
        return f"{self.method}_{'ft' if self.finetuned else 'no_ft'}"

    @property
    def best_stem(self) -> str:
        """The reference's name for the best of the series, without suffix."""
        return f"{FILE_STEMS[self.method]}_{'ft' if self.finetuned else 'no_ft'}_{self.percent}"

    @property
    def score(self) -> float:
        """What the best has most of; rounded, so that equal ones are equal in floating point, too."""
        return round(self.accuracy + RATIO_WEIGHT * self.ratio, 9)


def best_of(outcomes: Iterable[Outcome]) -> Outcome:
    """The one with the largest score; of equal ones the most pruned, which is the smaller model."""
    return max(outcomes, key=lambda outcome: (outcome.score, outcome.ratio))


def series(outcomes: Iterable[Outcome], method: Method, *, finetuned: bool) -> list[Outcome]:
    """One line of a graph, in the order of the ratios."""
    mine = (each for each in outcomes if each.method is method and each.finetuned is finetuned)
    return sorted(mine, key=lambda outcome: outcome.ratio)


def write_table(path: Path, outcomes: Iterable[Outcome]) -> None:
    """One line per outcome, as CSV. Raises `TrainingFailed`."""
    names = ["ratio", "finetuned", *(field.name for field in fields(Measured))]
    write_text(path, as_csv(names, ([getattr(outcome, name) for name in names] for outcome in outcomes)))


def remark(outcome: Outcome, baseline: Measured) -> str:
    """One sentence for people: what is gone, what it saves, what it costs."""
    if outcome.method is Method.STRUCTURAL:
        saved = f"{outcome.parameters:,} of {baseline.parameters:,} parameters are left"
    else:
        saved = (
            f"{outcome.sparsity:.0%} of the weights are zero, but the file is as large as before"
            f" ({_mb(outcome.gzip_bytes)} instead of {_mb(baseline.gzip_bytes)} when compressed)"
        )
    if outcome.balanced_accuracy < CHANCE:
        return f"{saved}; no use as it is: balanced accuracy {outcome.balanced_accuracy:.1%} on validation"
    points = 100 * (outcome.accuracy - baseline.accuracy)
    if abs(points) < 0.05:
        return f"{saved}; as accurate as before on validation"
    return f"{saved}; {abs(points):.1f} points of accuracy {'won' if points > 0 else 'lost'} on validation"


def draw_tradeoff(path: Path, method: Method, outcomes: Sequence[Outcome], baseline: Measured) -> None:
    """Validation accuracy over the ratio, with and without fine-tuning, the best of each marked."""
    figure, axis = new_figure(7.5, 4.5)
    base = 100 * baseline.accuracy
    axis.axhline(base, color=GREY, linestyle="--", linewidth=1.2, label=f"FP32, not pruned: {base:.1f} %")
    for finetuned, name, colour in ((True, "fine-tuned", COLOURS[0]), (False, "not fine-tuned", COLOURS[1])):
        line = series(outcomes, method, finetuned=finetuned)
        best = best_of(line)
        axis.plot(
            [each.percent for each in line], [100 * each.accuracy for each in line],
            color=colour, marker="o", markersize=4,
            label=f"{name}, best at {best.percent} %: {100 * best.accuracy:.1f} %",
        )  # fmt: skip
        axis.plot(
            best.percent, 100 * best.accuracy, "*", color=colour, markersize=15, markeredgecolor="white", zorder=3
        )
    line = series(outcomes, method, finetuned=True)
    axis.set_xticks([each.percent for each in line], [f"{each.percent} %\n{_left(each)}" for each in line])
    axis.set_xlabel(X_LABELS[method])
    axis.set_ylabel("Validation accuracy, %")
    axis.set_title(f"{method.capitalize()} pruning")
    axis.plot([], [], "*", color=GREY, markersize=11, label=f"best: most accuracy + {RATIO_WEIGHT} x ratio")
    figure.legend(loc="outside lower center", ncols=2)
    save_figure(figure, path)


def write_report(path: Path, outcomes: Sequence[Outcome], baseline: Measured, finetuning: str) -> None:
    """Tables, graphs and the best ones, as Markdown. `finetuning`: what it was, in words. Raises `TrainingFailed`."""
    lines = [
        "# Pruning",
        "",
        f"All on the validation part. The model it starts from: accuracy {baseline.accuracy:.2%}, balanced accuracy"
        f" {baseline.balanced_accuracy:.2%}, ROC-AUC {baseline.roc_auc:.4f}; {baseline.parameters:,} parameters,"
        f" {_mb(baseline.size_bytes)}, {_mb(baseline.gzip_bytes)} compressed.",
        "",
        f"Fine-tuning: {finetuning}",
        "",
        f"The best of a series has the largest accuracy + {RATIO_WEIGHT} x ratio, the reference's rule. 10 points of"
        " ratio are worth 5 of accuracy to it, so that without fine-tuning it may choose a model of no use.",
    ]
    for method in Method:
        lines += ["", f"## {method.capitalize()}", "", _table(method, outcomes), ""]
        lines += [f"![Accuracy over ratio]({GRAPHS[method]})", ""]
        for finetuned in (False, True):
            best = best_of(series(outcomes, method, finetuned=finetuned))
            lines.append(f"- `{best.best_stem}.pth`: {remark(best, baseline)}.")
    write_text(path, "\n".join(lines) + "\n")


def _table(method: Method, outcomes: Sequence[Outcome]) -> str:
    header = (
        "Ratio", "Fine-tuned", "Parameters", "Zeros", "File", "Compressed", "Accuracy", "Balanced", "ROC-AUC", "CPU s",
    )  # fmt: skip
    rows = [
        (
            f"{each.percent} %", "yes" if finetuned else "no", f"{each.parameters:,}", f"{each.sparsity:.1%}",
            _mb(each.size_bytes), _mb(each.gzip_bytes), f"{each.accuracy:.2%}", f"{each.balanced_accuracy:.2%}",
            f"{each.roc_auc:.4f}", f"{each.cpu_seconds:.2f}",
        )
        for finetuned in (False, True)
        for each in series(outcomes, method, finetuned=finetuned)
    ]  # fmt: skip
    return markdown_table(header, rows, words=(1,))


def _left(outcome: Outcome) -> str:
    """What the graph says below a ratio."""
    if outcome.method is Method.UNSTRUCTURED:
        return f"{outcome.gzip_bytes / MB:.1f} MB"
    return f"{outcome.parameters / 1e6:.2f} M"


def _mb(size_bytes: int) -> str:
    return f"{size_bytes / MB:.2f} MB"
