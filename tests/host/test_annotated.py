"""The host's own view: labels, borders and panel on top of the clean grid, streamed to whoever watches."""

from __future__ import annotations

import asyncio

import cv2
import numpy as np
import pytest

from host import annotated as annotated_module
from host.annotated import (
    BORDER_PX,
    LINE_BGR,
    PANEL_BGR,
    PANEL_PX,
    AnnotatedView,
    draw_aggregate,
    draw_annotated,
    encode_jpeg,
)
from host.compositor import Compositor, Scene
from host.labels import GREEN, GREY, ORANGE
from host.participant import Participant
from host.share import Share
from host.stamp import Bytes
from host.text import Colour
from signaling.protocol import Label, ParticipantState, Reason
from tests.host.people import feel, live, scene, show
from tests.media import flat_vp8

WIDTH, HEIGHT = 640, 360


def annotated(meeting: Scene, clock: str = "12:00:00") -> Bytes:
    return draw_annotated(Compositor(WIDTH, HEIGHT).compose(meeting, "12:00:00"), meeting, clock)


def panel(picture: Bytes) -> Bytes:
    return picture[:, WIDTH:]


def text_rows(picture: Bytes, top: int = 112) -> int:
    """How many lines of writing the panel has below its head."""
    written = (np.abs(panel(picture)[top:, 2:].astype(int) - PANEL_BGR).max(axis=2) > 40).any(axis=1)
    return int((np.diff(written.astype(int)) == 1).sum()) + int(written[0])


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that the panel draws from here on."""
    texts: list[str] = []
    line = annotated_module._line
    monkeypatch.setattr(annotated_module, "_line", lambda text, *rest: texts.append(text) or line(text, *rest))
    return texts


@pytest.mark.parametrize(
    ("label", "reason", "colour"),
    [
        (Label.ATTENTIVE, Reason.FACE, GREEN),
        (Label.NOT_ATTENTIVE, Reason.FACE, ORANGE),
        (Label.NOT_ATTENTIVE, Reason.NO_FACE, ORANGE),
        (Label.NOT_ATTENTIVE, Reason.EYES_CLOSED, ORANGE),
        (Label.UNKNOWN, Reason.PAUSED, GREY),
        (None, Reason.FACE, GREY),
    ],
)
def test_the_border_of_a_tile_has_the_colour_of_its_label(label: Label | None, reason: Reason, colour: Colour) -> None:
    person = live()
    if label is not None:
        feel(person, label, 0.5, reason)
    meeting = scene(person)
    picture, rect = annotated(meeting), meeting.tiles[0].rect
    middle = rect.y + rect.height // 2
    for x in (rect.x + 1, rect.x + rect.width - 2):
        assert picture[middle, x, ::-1].tolist() == list(colour)
    assert picture[rect.y + rect.height - 2, rect.x + rect.width // 2, ::-1].tolist() == list(colour)
    assert picture[middle, rect.x + BORDER_PX + 3, ::-1].tolist() != list(colour)


def test_each_reading_looks_different_in_its_tile() -> None:
    def badge(person: Participant) -> Bytes:
        meeting = scene(person)
        rect = meeting.tiles[0].rect
        return annotated(meeting)[rect.y + 8 : rect.y + 40, rect.x + 8 : rect.x + 200]

    people = [live()] + [
        feel(live(), label, 0.5, reason) for label in Label for reason in (Reason.FACE, Reason.NO_FACE)
    ]
    people.append(feel(live(), Label.UNKNOWN, 0.0, Reason.PAUSED))
    people.append(feel(live(), Label.ATTENTIVE, 0.77))
    pictures = [badge(person).tobytes() for person in people]
    assert len(set(pictures)) >= len(people) - 2  # attentive and unknown read alike whatever odd reason comes with them


def test_the_picture_is_the_clean_grid_with_a_panel_beside_it() -> None:
    person = live()
    show(person, flat_vp8(320, 240, (81, 90, 240)))
    meeting = scene(person)
    planes = Compositor(WIDTH, HEIGHT).compose(meeting, "12:00:00")
    picture = draw_annotated(planes, meeting, "12:00:00")
    assert picture.shape == (HEIGHT, WIDTH + PANEL_PX, 3)
    assert picture.dtype == np.uint8
    clean = cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420)
    assert np.array_equal(picture[:40, :WIDTH], clean[:40])
    assert np.array_equal(picture[150:250, 100:500], clean[150:250, 100:500])
    assert picture[HEIGHT - 1, WIDTH + 5].tolist() == list(PANEL_BGR)
    assert picture[HEIGHT // 2, WIDTH].tolist() == list(LINE_BGR)


def test_the_clean_canvas_is_left_as_it_is() -> None:
    meeting = scene(feel(live(), Label.ATTENTIVE))
    planes = Compositor(WIDTH, HEIGHT).compose(meeting, "12:00:00")
    before = planes.copy()
    draw_annotated(planes, meeting, "12:00:00")
    assert np.array_equal(planes, before)


def test_the_panel_has_a_line_per_participant() -> None:
    assert text_rows(annotated(Scene("main", ()))) == 1
    pictures = [annotated(scene(*[live(f"p{n}", "Ana") for n in range(count)])) for count in (1, 2, 3)]
    heads = {panel(picture)[:100].tobytes() for picture in pictures}
    assert len(heads) == 3
    assert text_rows(pictures[0]) < text_rows(pictures[1]) < text_rows(pictures[2])


def test_a_crowd_that_does_not_fit_ends_in_how_many_more_there_are(written: list[str]) -> None:
    annotated(scene(*[live(f"p{n}", f"Guest {n}") for n in range(25)]))
    shown = [text for text in written if text.startswith("Guest ")]
    assert shown == [f"Guest {n}" for n in range(len(shown))]
    assert f"and {25 - len(shown)} more" in written
    assert "25 participants" in written


@pytest.mark.parametrize("count", [1, 2, 8, 9, 25])
def test_nothing_in_the_panel_is_cut_off_at_its_bottom(count: int) -> None:
    picture = annotated(scene(*[feel(live(f"p{n}", "Ana"), Label.ATTENTIVE) for n in range(count)]))
    assert (panel(picture)[-1, 1:] == PANEL_BGR).all()


def test_the_panel_counts_only_those_who_share(written: list[str]) -> None:
    stale = feel(live("p5"), Label.ATTENTIVE)
    stale.state = ParticipantState.STALE
    people = [
        feel(live("p1"), Label.ATTENTIVE),
        feel(live("p2"), Label.NOT_ATTENTIVE),
        feel(live("p3"), Label.UNKNOWN, 0, Reason.NO_MODEL),
        live("p4"),
        stale,
    ]
    annotated(scene(*people))
    assert "1 of 2 attentive" in written
    annotated(scene(live()))
    assert "nobody shares a label" in written


@pytest.mark.parametrize("name", ["W" * 64, "محمد علي", "王小明", "<b>", "👩‍💻"])
def test_a_name_stays_inside_the_panel(name: str) -> None:
    for count in (1, 9):
        picture = annotated(scene(*[feel(live(f"p{n}", name), Label.NOT_ATTENTIVE) for n in range(count)]))
        assert (panel(picture)[120:, -17:] == PANEL_BGR).all()
        assert (panel(picture)[120:, 1:17] == PANEL_BGR).all()


@pytest.mark.parametrize("share", [None, Share(3, 0.7)])
def test_in_aggregate_mode_the_grid_stays_clean_and_the_panel_tells_the_share(
    written: list[str], share: Share | None
) -> None:
    meeting = scene(feel(live("p1", "Ana"), Label.ATTENTIVE), feel(live("p2", "Ben"), Label.NOT_ATTENTIVE))
    planes = Compositor(WIDTH, HEIGHT).compose(meeting, "12:00:00")
    picture = draw_aggregate(planes, meeting, share, "12:00:00")
    assert picture.shape == (HEIGHT, WIDTH + PANEL_PX, 3)
    assert np.array_equal(picture[:, :WIDTH], cv2.cvtColor(planes, cv2.COLOR_YUV2BGR_I420))
    assert "2 participants" in written
    assert ("70%" in written) == (share is not None)
    assert not {"Ana", "Ben", "Attentive", "Not attentive"} & set(written)


def test_the_picture_survives_as_a_jpeg() -> None:
    picture = annotated(scene(feel(live(), Label.ATTENTIVE)))
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(picture), np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert decoded.shape == picture.shape
    assert np.abs(decoded.astype(int) - picture).mean() < 4


async def test_a_watcher_gets_the_newest_picture_and_never_the_same_twice() -> None:
    view = AnnotatedView()
    view.publish(b"one")
    assert await view.next(0) == (1, b"one")
    waiting = asyncio.create_task(view.next(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    view.publish(b"two")
    assert await asyncio.wait_for(waiting, 1) == (2, b"two")


async def test_a_slow_watcher_skips_what_came_meanwhile() -> None:
    view = AnnotatedView()
    for picture in (b"one", b"two", b"three"):
        view.publish(picture)
    assert await view.next(0) == (3, b"three")


async def test_every_watcher_gets_every_picture_they_are_ready_for() -> None:
    view = AnnotatedView()
    waiting = [asyncio.create_task(view.next(0)) for _ in range(3)]
    await asyncio.sleep(0)
    view.publish(b"one")
    assert await asyncio.gather(*waiting) == [(1, b"one")] * 3


async def test_the_end_of_the_meeting_ends_every_watch() -> None:
    view = AnnotatedView()
    waiting = [asyncio.create_task(view.next(0)) for _ in range(3)]
    await asyncio.sleep(0)
    view.close()
    assert await asyncio.wait_for(asyncio.gather(*waiting), 1) == [None] * 3
    assert await view.next(0) is None


async def test_watchers_are_counted_while_they_watch() -> None:
    view = AnnotatedView()
    with view, view:
        assert view.watchers == 2
    assert view.watchers == 0
