"""The choice among pruned models, and what people read about them."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from training.tradeoff import GRAPHS, Measured, Method, Outcome, best_of, draw_tradeoff, remark, series, write_table

BASELINE = Measured(
    parameters=2_305_921, sparsity=0.0, size_bytes=9_470_000, gzip_bytes=8_710_000,
    accuracy=0.98, balanced_accuracy=0.98, roc_auc=0.99, cpu_seconds=3.0,
)  # fmt: skip


def outcome(ratio: float, accuracy: float, method: Method = Method.UNSTRUCTURED, finetuned: bool = False) -> Outcome:
    return Outcome(
        method=method, ratio=ratio, finetuned=finetuned, parameters=100_000, sparsity=ratio, size_bytes=9_470_000,
        gzip_bytes=5_000_000, accuracy=accuracy, balanced_accuracy=accuracy, roc_auc=accuracy, cpu_seconds=1.0,
    )  # fmt: skip


def test_a_tenth_of_ratio_is_worth_five_points_of_accuracy() -> None:
    assert best_of([outcome(0.3, 0.95), outcome(0.4, 0.89)]).percent == 30
    assert best_of([outcome(0.3, 0.95), outcome(0.4, 0.91)]).percent == 40


def test_of_equal_ones_the_smaller_model_is_the_best() -> None:
    equal = [outcome(0.1, 0.98), outcome(0.3, 0.88), outcome(0.2, 0.93)]
    assert {each.score for each in equal} == {1.03}
    assert best_of(equal).percent == 30
    assert best_of(equal[::-1]).percent == 30


def test_files_have_the_references_names() -> None:
    assert outcome(0.3, 0.9).best_stem == "best_unstructured_pruned_no_ft_30"
    assert outcome(0.9, 0.9, Method.STRUCTURAL, finetuned=True).best_stem == "best_struct_pruned_ft_90"


@pytest.mark.parametrize(
    ("accuracy", "words"),
    [(0.98, "as accurate as before"), (0.955, "2.5 points of accuracy lost"), (0.99, "won"), (0.5, "no use as it is")],
)
def test_the_remark_says_what_it_costs(accuracy: float, words: str) -> None:
    assert words in remark(outcome(0.5, accuracy), BASELINE)
    assert words in remark(outcome(0.5, accuracy, Method.STRUCTURAL), BASELINE)


def test_the_remark_says_that_zeros_do_not_shrink_the_file() -> None:
    assert "as large as before (5.00 MB instead of 8.71 MB when compressed)" in remark(outcome(0.5, 0.98), BASELINE)


def test_the_table_holds_every_outcome(tmp_path: Path) -> None:
    write_table(tmp_path / "table.csv", [outcome(0.3, 0.9), outcome(0.3, 0.95, finetuned=True)])
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert [(row["ratio"], row["finetuned"], row["accuracy"]) for row in rows] == [
        ("0.3", "False", "0.9"),
        ("0.3", "True", "0.95"),
    ]


def test_a_graph_is_drawn_also_of_a_single_ratio(tmp_path: Path) -> None:
    path = tmp_path / GRAPHS[Method.UNSTRUCTURED]
    both = [outcome(0.3, 0.9), replace(outcome(0.3, 0.95), finetuned=True)]
    draw_tradeoff(path, Method.UNSTRUCTURED, both, BASELINE)
    assert path.name == "unstruct_pruning_tradeoff_graph.png"
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_series_is_one_method_and_one_training_by_ratio() -> None:
    mixed = [
        outcome(0.9, 0.5),
        outcome(0.1, 0.9),
        outcome(0.5, 0.9, Method.STRUCTURAL),
        outcome(0.5, 1, finetuned=True),
    ]
    assert [each.ratio for each in series(mixed, Method.UNSTRUCTURED, finetuned=False)] == [0.1, 0.9]
