"""Names and notes as pictures: any script, cut where a reader would cut."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from host import text as module
from host.text import ELLIPSIS, TextStyle, draw_text, prepare

STYLE = TextStyle(16)
WIDE = 10_000
LINES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=64)
"""What a clean name may hold."""


def ink(picture: np.ndarray) -> int:
    """How many pixels are visible."""
    return int((picture[:, :, 3] > 40).sum())


def trim(picture: np.ndarray) -> np.ndarray:
    """The alpha of the columns with ink in them."""
    alpha: np.ndarray = picture[:, :, 3]
    columns = np.flatnonzero(alpha.max(axis=0) > 40)
    return alpha[:, columns[0] : columns[-1] + 1]


@pytest.mark.parametrize(
    "text", ["Ana", "é", "王小明", "नमस्ते", "محمد", "שלום", "ไทย", "한국", "🎉", "👩‍💻", "<b>", "ﷺ"]
)
@pytest.mark.parametrize("bold", [False, True])
def test_every_script_leaves_ink(text: str, bold: bool) -> None:
    picture = draw_text(text, TextStyle(20, (10, 20, 30), bold), WIDE)
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 4
    assert ink(picture) > 10


def test_text_has_the_colour_that_was_asked_for() -> None:
    picture = draw_text("Ana", TextStyle(20, (200, 30, 90)), WIDE)
    assert (picture[picture[:, :, 3] > 0][:, :3] == (200, 30, 90)).all()


@pytest.mark.parametrize("size", [11, 16, 20, 32])
def test_the_line_is_as_high_as_its_style_says_whatever_the_script(size: int) -> None:
    heights = {draw_text(text, TextStyle(size), WIDE).shape[0] for text in ("Ana", "王", "🎉", "नमस्ते", "ﷺ")}
    assert heights == {round(size * 1.4)}


@pytest.mark.parametrize("char", ["\ue000", "\U000f0000", "\ufdd0", "\u0378"])
def test_a_character_that_no_font_has_becomes_a_box(char: str) -> None:
    assert ink(draw_text(char, STYLE, WIDE)) > 10


@given(LINES, st.integers(24, 300))
def test_no_text_is_wider_than_it_was_asked_to_be(text: str, max_width_px: int) -> None:
    assert draw_text(text, STYLE, max_width_px).shape[1] <= max_width_px


def test_text_that_fits_is_left_alone() -> None:
    width = draw_text("Ana Lima", STYLE, WIDE).shape[1]
    assert np.array_equal(draw_text("Ana Lima", STYLE, width), draw_text("Ana Lima", STYLE, WIDE))


def test_text_that_does_not_fit_ends_in_an_ellipsis_and_fills_the_space() -> None:
    cut = draw_text("a" * 64, STYLE, 120)
    expected = [draw_text("a" * count + ELLIPSIS, STYLE, WIDE) for count in range(1, 64)]
    fitting = [picture for picture in expected if picture.shape[1] <= 120]
    assert np.array_equal(cut, fitting[-1])


@pytest.mark.parametrize(
    "cluster",
    ["e\u0301\u0323", "न\u093f", "👩\u200d💻", "👍\U0001f3fd", "❤\ufe0f", "क\u094d", "👩\u200d👩\u200d👧\u200d👦"],
)
def test_a_cut_never_parts_a_character_from_its_marks(cluster: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    draw = module._draw
    monkeypatch.setattr(module, "_draw", lambda text, style: drawn.append(text) or draw(text, style))
    for max_width_px in range(20, 200, 12):
        draw_text(cluster * 8, STYLE, max_width_px)
    cuts = {text.removesuffix(ELLIPSIS) for text in drawn if text.endswith(ELLIPSIS)}
    assert len(cuts) > 2
    assert cuts <= {cluster * count for count in range(9)}


@given(st.text(st.sampled_from("ab \u0301\u0323\u200d👩नि\u093f\ufe0f"), min_size=1, max_size=12))
def test_clusters_put_together_are_the_text_and_none_begins_with_a_mark(text: str) -> None:
    clusters = module._clusters(text)
    assert "".join(clusters) == text
    assert not any(unicodedata.category(cluster[0])[0] == "M" for cluster in clusters[1:])


def test_a_mark_alone_is_drawn_without_an_error() -> None:
    assert draw_text("\u0301", STYLE, WIDE).shape[1] >= 1


def test_hebrew_runs_from_right_to_left() -> None:
    word = trim(draw_text("של", TextStyle(40), WIDE))
    first, second = (trim(draw_text(letter, TextStyle(40), WIDE)) for letter in "של")
    assert np.abs(word[:, -first.shape[1] :].astype(int) - first).mean() < 12
    assert np.abs(word[:, : second.shape[1]].astype(int) - second).mean() < 12


def test_a_right_to_left_name_with_an_emoji_has_the_emoji_at_its_left() -> None:
    picture = draw_text("שלום🎉", TextStyle(20, (1, 2, 3)), WIDE)
    colourful = np.flatnonzero((picture[:, :, :3].max(axis=2) > 60).any(axis=0))
    assert colourful.size > 0
    assert colourful.max() < picture.shape[1] / 2


def test_markup_is_drawn_as_it_is_typed() -> None:
    assert draw_text("<b>Ana</b>", STYLE, WIDE).shape[1] > draw_text("Ana", STYLE, WIDE).shape[1] * 2


def test_bold_text_has_more_ink() -> None:
    assert ink(draw_text("Ana", TextStyle(20, bold=True), WIDE)) > 1.1 * ink(draw_text("Ana", TextStyle(20), WIDE))


@given(LINES)
def test_fonts_for_any_name_can_be_looked_up_ahead(name: str) -> None:
    prepare(name)


def test_no_more_of_a_name_is_drawn_than_could_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    widths: list[int] = []
    draw = module._draw
    monkeypatch.setattr(module, "_draw", lambda text, style: [p := draw(text, style), widths.append(p.width)][0])
    for name in ("\ufdfd" * 64, "W" * 64, "👩" * 64):
        draw_text(name, STYLE, 200)
    assert max(widths) < 300


def test_the_initial_is_looked_up_ahead_too(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    font_for = module.font_for
    monkeypatch.setattr(module, "font_for", lambda char, bold: asked.append(char) or font_for(char, bold))
    prepare("ɐna")
    assert "Ɐ" in asked
