"""Which font draws which character."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given
from hypothesis import strategies as st

from host import fonts
from host.fonts import BOLD, REGULAR, font_for, joins_previous


@pytest.mark.parametrize("char", "aZé9,…·Жשم")
def test_the_shipped_font_comes_first(char: str) -> None:
    assert font_for(char, bold=False) == REGULAR


def test_bold_text_is_drawn_in_the_bold_font_where_it_has_the_character() -> None:
    assert font_for("a", bold=True) == BOLD


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A machine whose only system fonts are those in the folder."""
    monkeypatch.setattr(fonts, "SYSTEM_DIRS", (tmp_path, tmp_path / "missing"))
    fonts._system_fonts.cache_clear()
    fonts._system_font_for.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    fonts._system_fonts.cache_clear()
    fonts._system_font_for.cache_clear()


def test_without_system_fonts_a_foreign_character_has_none(bare_system: Path) -> None:
    assert font_for("王", bold=False) is None
    assert font_for("a", bold=False) == REGULAR


def test_a_file_that_is_no_font_is_passed_over(bare_system: Path) -> None:
    for name in ("broken.ttf", "broken.otf", "broken.ttc", "empty.ttf"):
        (bare_system / name).write_bytes(b"" if name == "empty.ttf" else b"no font at all" * 20)
    assert font_for("王", bold=False) is None


@pytest.mark.parametrize("size", [4, 12, 300, 5000])
def test_a_damaged_font_is_passed_over(bare_system: Path, size: int) -> None:
    (bare_system / "damaged.ttf").write_bytes(REGULAR.read_bytes()[:size])
    assert font_for("王", bold=False) is None


def test_a_font_cut_short_in_its_character_map_is_passed_over(bare_system: Path) -> None:
    font = TTFont(str(REGULAR), lazy=True)
    start = font.reader.tables["cmap"].offset
    font.close()
    (bare_system / "short.ttf").write_bytes(REGULAR.read_bytes()[: start + 40])
    assert font_for("王", bold=False) is None


def test_fonts_that_go_well_with_ours_are_tried_first(bare_system: Path) -> None:
    for name in ("Zapfino.ttf", "OtherSans-Bold.ttf", "NotoColorEmoji.ttf", "NotoSansThai-Bold.ttf", "notes.txt"):
        (bare_system / name).touch()
    (bare_system / "deep").mkdir()
    (bare_system / "deep" / "NotoSansThai-Regular.ttf").touch()
    assert [path.name for path in fonts._system_fonts()] == [
        "NotoSansThai-Regular.ttf",
        "NotoSansThai-Bold.ttf",
        "NotoColorEmoji.ttf",
        "OtherSans-Bold.ttf",
        "Zapfino.ttf",
    ]


@pytest.mark.parametrize("char", ["\u0301", "\u093f", "\u200d", "\ufe0f", "\U0001f3fd", "\u20dd"])
def test_marks_joiners_and_skin_tones_belong_to_the_character_before(char: str) -> None:
    assert joins_previous(char)


@pytest.mark.parametrize("char", "a王 🎉-")
def test_letters_and_signs_stand_for_themselves(char: str) -> None:
    assert not joins_previous(char)


@given(st.characters())
def test_any_character_has_a_font_that_exists_or_none(char: str) -> None:
    path = font_for(char, bold=True)
    assert path is None or path.is_file()
