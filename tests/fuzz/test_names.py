"""Names and titles out of all of Unicode: clean or refused, and drawn within their own tile whatever they are."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from host import text as module
from host.compositor import Compositor, Scene
from host.layout import HEADER_PX, Rect
from host.participant import Participant
from host.text import TextStyle, draw_text, prepare
from signaling.codec import Planes
from signaling.errors import NameInvalid
from signaling.protocol import MAX_NAME_CHARS, ParticipantState, clean_name
from tests.fuzz.budget import examples
from tests.host.people import live, scene, show
from tests.media import flat_vp8

ZALGO = "Z" + "\u0315\u0300\u0489\u0f71\u20dd" * 12
FAMILY = "👩\u200d👩\u200d👧\u200d👦"

ODD_NAMES = [
    *("A", "\u0301", "\u0301a", "a\u0301" * 32, ZALGO, "ß", "ﬃ", "ŉ", "ΐ", "ǆ", "\ufdfd" * 64, "\ufdfa" * 64, "𒈙" * 64),
    *(
        FAMILY * 9,
        "👍\U0001f3fd" * 32,
        "\u200d" * 30 + "a",
        "🇩🇪" * 32,
        "🏴\U000e0067\U000e0062\U000e007f",
        "❤\ufe0f" * 32,
    ),
    *("שלום עולם", "مرحبا بالعالم" * 4, "abc שלום 123 🎉", "\u200f\u200eab", "नमस्ते" * 10, "ཧྐྵྨླྺྼྻྂ" * 7, "꧅" * 64, "⸻" * 64),
    *(
        "\ue000",
        "\U0010ffff",
        "\ufdd0\ufffe",
        "\U000f0000" * 64,
        "\u0378" * 64,
        "\u2028a",
        "a\u00a0b",
        "\u3000全角",
        "<b>&amp;",
    ),
    *(
        "%s%n{0}",
        "../../etc",
        "=1+1",
        "\\x1b[2J",
        "W" * 64,
        "." * 64,
        "i" * 64,
        "\u0e33" * 64,
        "กำ" * 30,
        "\U0001f9d1" * 64,
    ),
]

PIECES = st.sampled_from(
    [
        *"aW👩❤नิשم한王",
        "\u0301",
        "\u0489",
        "\u200d",
        "\ufe0f",
        "\u20dd",
        "\U0001f3fd",
        " ",
        "\ufdfd",
        "\ue000",
        "\u200f",
        "🇩",
    ]
)
NAMES = st.one_of(
    st.text(max_size=MAX_NAME_CHARS),
    st.text(PIECES, min_size=1, max_size=MAX_NAME_CHARS),
    st.characters().map(lambda char: char * MAX_NAME_CHARS),
    st.sampled_from(ODD_NAMES),
)
TEXTS = st.text(max_size=200) | NAMES

FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\u2028\u2029]")

GRIDS = [(320, 180, 25), (320, 180, 3), (1280, 720, 2), (640, 360, 9)]
"""Width, height, people: the smallest grid when it is full, and ordinary ones."""


def named(raw: str) -> str:
    """What `raw` is as a name; an ordinary one if it is none."""
    try:
        return clean_name(raw)
    except NameInvalid:
        return "A"


@examples(200)
@given(TEXTS)
def test_any_text_is_a_clean_name_or_refused(raw: str) -> None:
    try:
        name = clean_name(raw)
    except NameInvalid as error:
        assert len(error.message) < 120
        assert not FORBIDDEN.search(error.message)
        return
    assert 1 <= len(name) <= MAX_NAME_CHARS
    assert clean_name(name) == name
    assert unicodedata.is_normalized("NFC", name)
    assert not FORBIDDEN.search(name)


@examples(60)
@given(NAMES, st.sampled_from([11, 12, 20, 32]), st.booleans(), st.integers(32, 400))
def test_any_name_is_drawn_without_an_error_in_its_line(raw: str, size: int, bold: bool, width: int) -> None:
    name = named(raw)
    prepare(name)
    picture = draw_text(name, TextStyle(size, bold=bold), width)
    assert picture.dtype == np.uint8
    assert picture.shape[0] == round(size * 1.4)
    assert picture.shape[1] <= width


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_no_more_of_a_name_is_drawn_than_could_fit(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = module._draw

    def counting(text: str, style: TextStyle) -> module.Image.Image:
        picture = draw(text, style)
        drawn.append(picture.width)
        return picture

    monkeypatch.setattr(module, "_draw", counting)
    draw_text(name, TextStyle(20), 200)
    assert len(drawn) < 10
    assert max(drawn) < 400  # a glyph may reach over its own width, but not 64 of them


def differs(one: Planes, other: Planes, height: int) -> np.ndarray:
    """Where two canvases do, as (H, W) of bool in whole chroma samples."""
    width = one.shape[1]
    luma = one[:height] != other[:height]
    chroma = (one[height:] != other[height:]).reshape(2, height // 2, width // 2).any(axis=0)
    return np.asarray(luma | np.repeat(np.repeat(chroma, 2, axis=0), 2, axis=1))


def outside(rect: Rect, changed: np.ndarray) -> int:
    """How many changed pixels lie outside of `rect`."""
    changed = changed.copy()
    changed[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width] = False
    return int(changed.sum())


def person(number: int, state: ParticipantState, video: tuple[int, int] | None) -> Participant:
    """Somebody in this state, with a picture of this size."""
    participant = live(f"p{number}", "A")
    participant.state = state
    if video is not None:
        show(participant, flat_vp8(*video, (81, 90, 240)))
    return participant


@pytest.mark.parametrize("grid", GRIDS)
@examples(12)
@given(
    NAMES,
    st.sampled_from([ParticipantState.LIVE, ParticipantState.CONNECTING, ParticipantState.STALE]),
    st.sampled_from([None, (160, 120), (16, 640), (640, 16), (2, 2)]),
)
@example("\ufdfd" * 64, ParticipantState.STALE, (16, 640))
@example("W" * 64, ParticipantState.STALE, (640, 16))
@example("W" * 64, ParticipantState.CONNECTING, None)
def test_any_name_stays_within_its_tile(
    grid: tuple[int, int, int], raw: str, state: ParticipantState, video: tuple[int, int] | None
) -> None:
    width, height, people = grid
    pictures = []
    everybody = [person(number, ParticipantState.LIVE, None) for number in range(people)]
    for someone in (person(people // 2, ParticipantState.LIVE, None), person(people // 2, state, video)):
        everybody[people // 2] = someone
        meeting = scene(*everybody, width=width, height=height)
        pictures.append(Compositor(width, height).compose(meeting, "12:00:00"))
        someone.name = named(raw)
        pictures.append(Compositor(width, height).compose(meeting, "12:00:00"))
    for picture in pictures[1:]:
        assert outside(meeting.tiles[people // 2].rect, differs(pictures[0], picture, height)) == 0


@examples(20)
@given(NAMES)
def test_any_title_stays_in_the_header(raw: str) -> None:
    someone = live()
    tiles = scene(someone).tiles
    plain, titled = (
        Compositor(640, 360).compose(Scene(title, tiles), "12:00:00").copy() for title in ("A", named(raw))
    )
    assert outside(Rect(0, 0, 640, HEADER_PX), differs(plain, titled, 360)) == 0
