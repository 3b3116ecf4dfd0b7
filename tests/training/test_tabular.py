"""Tables as text."""

from __future__ import annotations

from training.tabular import as_csv, markdown_table


def test_words_stand_left_and_numbers_right() -> None:
    table = markdown_table(["Part", "Images", "Remark"], [["test", "9", "few"]], words=(0, 2))
    assert table == "| Part | Images | Remark |\n| :-- | --: | :-- |\n| test | 9 | few |"


def test_no_cell_breaks_the_table() -> None:
    assert markdown_table(["a"], [["x | y\nz"]]).splitlines()[-1] == "| x \\| y z |"


def test_what_is_none_is_an_empty_field_of_the_csv() -> None:
    assert as_csv(("a", "b"), [(1, None), ("x,y", 0.5)]) == 'a,b\n1,\n"x,y",0.5\n'
