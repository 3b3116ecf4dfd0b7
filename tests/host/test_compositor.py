"""The clean grid: everybody's own pixels in their own tile, and never a label."""

from __future__ import annotations

import time
from itertools import product

import numpy as np
import pytest

from host.compositor import DIM, TILE, Compositor, Scene, Tile
from host.layout import HEADER_PX, Rect, fit
from host.participant import VIDEO_GONE_AFTER_S
from signaling.codec import Planes
from signaling.protocol import Label, ParticipantState, Reason
from tests.fake_clock import FakeClock
from tests.host.people import feel, live, scene, show
from tests.media import flat_vp8

WIDTH, HEIGHT = 640, 360
RED, GREEN, BLUE = (81, 90, 240), (145, 54, 34), (41, 240, 110)


@pytest.fixture
def compositor() -> Compositor:
    return Compositor(WIDTH, HEIGHT)


def mean_yuv(planes: Planes, rect: Rect) -> tuple[float, float, float]:
    """The mean colour of a part of an I420 canvas."""
    height, width = planes.shape[0] * 2 // 3, planes.shape[1]
    chroma = planes[height:].reshape(2, height // 2, width // 2)
    y = planes[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width]
    u, v = (
        plane[rect.y // 2 : (rect.y + rect.height) // 2, rect.x // 2 : (rect.x + rect.width) // 2] for plane in chroma
    )
    return float(y.mean()), float(u.mean()), float(v.mean())


def centre(rect: Rect) -> Rect:
    """The middle of a tile, where nothing but video is."""
    return Rect((rect.x + rect.width // 2 - 16) & ~1, (rect.y + rect.height // 2 - 16) & ~1, 32, 32)


def crop(planes: Planes, rect: Rect) -> Planes:
    return planes[rect.y : rect.y + rect.height, rect.x : rect.x + rect.width].copy()


def contrast(planes: Planes, rect: Rect) -> float:
    """How far the brightest luma lies over the darkest."""
    return float(np.ptp(crop(planes, rect).astype(int)))


def name_corner(rect: Rect) -> Rect:
    return Rect(rect.x, rect.y + rect.height - 36, rect.width // 2, 36)


def test_every_tile_has_the_colours_of_its_participant(compositor: Compositor) -> None:
    colours = [RED, GREEN, BLUE]
    people = [live(f"p{number}", "Ana") for number in range(3)]
    for person, colour in zip(people, colours, strict=True):
        show(person, flat_vp8(320, 240, colour))
    meeting = scene(*people)
    planes = compositor.compose(meeting, "12:00:00")
    for tile, colour in zip(meeting.tiles, colours, strict=True):
        assert mean_yuv(planes, centre(tile.rect)) == pytest.approx(colour, abs=3)


@pytest.mark.parametrize("size", [(160, 120), (640, 480), (1280, 720), (320, 640), (98, 50), (322, 242), (1280, 96)])
def test_a_video_of_any_size_fills_its_tile_without_changing_its_shape(
    compositor: Compositor, size: tuple[int, int]
) -> None:
    person = live()
    show(person, flat_vp8(*size, RED))
    meeting = scene(person)
    planes = compositor.compose(meeting, "12:00:00")
    rect = meeting.tiles[0].rect
    inner = fit(*size, rect)
    top = Rect(inner.x, inner.y, inner.width, max(2, inner.height // 8 & ~1))
    assert mean_yuv(planes, top) == pytest.approx(RED, abs=6)
    if inner.x - rect.x >= 8:
        assert mean_yuv(planes, Rect(rect.x, rect.y, inner.x - rect.x - 2, rect.height)) == pytest.approx(TILE, abs=1)


def test_a_new_frame_replaces_the_old_one(compositor: Compositor) -> None:
    person = live()
    meeting = scene(person)
    for colour in (RED, GREEN, BLUE):
        show(person, flat_vp8(320, 240, colour))
        planes = compositor.compose(meeting, "12:00:00")
        assert mean_yuv(planes, centre(meeting.tiles[0].rect)) == pytest.approx(colour, abs=3)


def test_a_tile_without_a_new_frame_is_not_drawn_again(compositor: Compositor, monkeypatch: pytest.MonkeyPatch) -> None:
    moving_person, still = live("p1"), live("p2", "Ben")
    meeting = scene(moving_person, still)
    for person in (moving_person, still):
        show(person, flat_vp8(320, 240, RED))
    compositor.compose(meeting, "12:00:00")
    drawn: list[str] = []
    draw = compositor._draw_video
    monkeypatch.setattr(
        compositor, "_draw_video", lambda tile, *a, **k: drawn.append(tile.participant.id) or draw(tile, *a, **k)
    )
    show(moving_person, flat_vp8(320, 240, GREEN))
    planes = compositor.compose(meeting, "12:00:01")
    assert drawn == ["p1"]
    assert mean_yuv(planes, centre(meeting.tiles[1].rect)) == pytest.approx(RED, abs=3)


def test_a_name_bar_does_not_darken_with_every_frame(compositor: Compositor) -> None:
    person = live()
    meeting = scene(person)
    show(person, flat_vp8(320, 240, RED))
    first = crop(compositor.compose(meeting, "12:00:00"), meeting.tiles[0].rect)
    for _ in range(5):
        show(person, flat_vp8(320, 240, RED))
        last = crop(compositor.compose(meeting, "12:00:00"), meeting.tiles[0].rect)
    assert np.array_equal(first, last)


def test_a_stale_tile_is_dimmed_and_says_so(compositor: Compositor) -> None:
    person = live()
    meeting = scene(person)
    rect = meeting.tiles[0].rect
    show(person, flat_vp8(320, 240, RED))
    compositor.compose(meeting, "12:00:00")
    person.state = ParticipantState.STALE
    planes = compositor.compose(meeting, "12:00:00")
    corner = Rect(rect.x + 100, rect.y + 10, 40, 20)
    assert mean_yuv(planes, corner)[0] == pytest.approx(16 + (RED[0] - 16) * DIM, abs=3)
    assert contrast(planes, centre(rect)) > 100  # words


def test_a_stale_tile_comes_back_bright_with_its_next_frame(compositor: Compositor) -> None:
    person = live()
    meeting = scene(person)
    show(person, flat_vp8(320, 240, RED))
    bright = compositor.compose(meeting, "12:00:00").copy()
    person.state = ParticipantState.STALE
    show(person, flat_vp8(320, 240, GREEN))  # a straggler must not undo the dimming
    stale = compositor.compose(meeting, "12:00:00").copy()
    assert not np.array_equal(stale, bright)
    show(person, flat_vp8(320, 240, GREEN))
    assert np.array_equal(compositor.compose(meeting, "12:00:00"), stale)
    person.state = ParticipantState.LIVE
    show(person, flat_vp8(320, 240, RED))
    assert np.array_equal(compositor.compose(meeting, "12:00:00"), bright)


@pytest.mark.parametrize("state", [ParticipantState.CONNECTING, ParticipantState.LIVE, ParticipantState.STALE])
def test_a_tile_without_video_is_dark_with_an_initial_and_a_note(
    compositor: Compositor, state: ParticipantState
) -> None:
    person = live()
    person.state = state
    meeting = scene(person)
    planes = compositor.compose(meeting, "12:00:00")
    rect = meeting.tiles[0].rect
    assert mean_yuv(planes, Rect(rect.x + 2, rect.y + 2, 60, 60)) == pytest.approx(TILE, abs=1)
    assert contrast(planes, centre(rect)) > 80  # the initial in its disc
    assert contrast(planes, Rect(rect.x, rect.y + rect.height * 5 // 8, rect.width, rect.height // 4)) > 80  # the note


def test_the_note_of_a_dark_tile_depends_on_the_state(compositor: Compositor) -> None:
    pictures = []
    for state in (ParticipantState.CONNECTING, ParticipantState.LIVE, ParticipantState.STALE):
        person = live()
        person.state = state
        pictures.append(compositor.compose(scene(person), "12:00:00").copy())
    assert not any(np.array_equal(pictures[i], pictures[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_a_tile_goes_dark_when_the_camera_is_off(
    compositor: Compositor, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.install(monkeypatch, "host.compositor")
    person = live()
    meeting = scene(person)
    show(person, flat_vp8(320, 240, RED), arrived_s=clock.now_s)
    rect = Rect(WIDTH // 2, meeting.tiles[0].rect.y + 4, 40, 20)
    assert mean_yuv(compositor.compose(meeting, "12:00:00"), rect) == pytest.approx(RED, abs=3)
    clock.advance(VIDEO_GONE_AFTER_S + 0.1)
    assert mean_yuv(compositor.compose(meeting, "12:00:00"), rect) == pytest.approx(TILE, abs=1)
    show(person, flat_vp8(320, 240, GREEN), arrived_s=clock.now_s)
    assert mean_yuv(compositor.compose(meeting, "12:00:00"), rect) == pytest.approx(GREEN, abs=3)


@pytest.mark.parametrize("video", [True, False])
@pytest.mark.parametrize("name", ["Ana", "王小明", "محمد علي", "🎉", "<script>", "W" * 64, "न", "é"])
def test_every_name_is_in_its_tile(compositor: Compositor, name: str, video: bool) -> None:
    one, other = live("p1", name), live("p1", "Q")
    for person in (one, other):
        if video:
            show(person, flat_vp8(320, 240, RED))
    meeting = scene(one)
    corner = name_corner(fit(320, 240, meeting.tiles[0].rect) if video else meeting.tiles[0].rect)
    named = crop(compositor.compose(meeting, "12:00:00"), corner)
    assert np.ptp(named.astype(int)) > 100
    assert not np.array_equal(named, crop(compositor.compose(scene(other), "12:00:00"), corner))


def test_a_name_never_leaves_its_tile(compositor: Compositor) -> None:
    people = [live(f"p{number}", "W" * 64) for number in range(9)]
    for person in people:
        show(person, flat_vp8(320, 240, RED))
    meeting = scene(*people)
    planes = compositor.compose(meeting, "12:00:00")
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[:HEADER_PX] = False
    for tile in meeting.tiles:
        outside[tile.rect.y : tile.rect.y + tile.rect.height, tile.rect.x : tile.rect.x + tile.rect.width] = False
    assert len(np.unique(planes[:HEIGHT][outside])) == 1


def test_the_header_says_who_many_are_here_and_what_time_it_is(compositor: Compositor) -> None:
    header = Rect(0, 0, WIDTH, 36)
    one = scene(live())
    first = crop(compositor.compose(one, "12:00:00"), header)
    assert np.array_equal(crop(compositor.compose(one, "12:00:00"), header), first)
    later = crop(compositor.compose(one, "12:34:56"), header)
    assert np.array_equal(later[:, : WIDTH // 2], first[:, : WIDTH // 2])
    assert not np.array_equal(later[:, WIDTH // 2 :], first[:, WIDTH // 2 :])
    two = crop(compositor.compose(scene(live(), live("p2")), "12:00:00"), header)
    assert not np.array_equal(two[:, : WIDTH // 2], first[:, : WIDTH // 2])
    other_room = crop(compositor.compose(scene(live(), room="b"), "12:00:00"), header)
    assert not np.array_equal(other_room[:, : WIDTH // 2], first[:, : WIDTH // 2])


def test_an_empty_room_is_not_blank(compositor: Compositor) -> None:
    planes = compositor.compose(Scene("main", ()), "12:00:00")
    assert contrast(planes, Rect(WIDTH // 4, HEIGHT // 3, WIDTH // 2, HEIGHT // 2)) > 150


def test_who_stays_keeps_their_picture_when_somebody_joins_or_leaves(compositor: Compositor) -> None:
    ana, ben = live("p1"), live("p2", "Ben")
    show(ana, flat_vp8(320, 240, RED))
    compositor.compose(scene(ana), "12:00:00")
    both = scene(ana, ben)
    planes = compositor.compose(both, "12:00:00")
    assert mean_yuv(planes, centre(both.tiles[0].rect)) == pytest.approx(RED, abs=3)
    replaced = scene(ana, live("p3", "Eve"))
    assert replaced.tiles[0].rect == both.tiles[0].rect
    planes = compositor.compose(replaced, "12:00:00")
    assert mean_yuv(planes, centre(replaced.tiles[0].rect)) == pytest.approx(RED, abs=3)
    show(ben, flat_vp8(320, 240, GREEN))
    compositor.compose(both, "12:00:00")
    alone = scene(ben)
    planes = compositor.compose(alone, "12:00:00")
    assert mean_yuv(planes, centre(alone.tiles[0].rect)) == pytest.approx(GREEN, abs=3)
    assert set(compositor._frames) == {"p2"}


def test_an_empty_room_again_forgets_everybody(compositor: Compositor) -> None:
    empty = compositor.compose(Scene("main", ()), "12:00:00").copy()
    ana = live()
    show(ana, flat_vp8(320, 240, RED))
    compositor.compose(scene(ana), "12:00:00")
    assert np.array_equal(compositor.compose(Scene("main", ()), "12:00:00"), empty)


@pytest.mark.parametrize("video", [True, False])
@pytest.mark.parametrize("state", [ParticipantState.CONNECTING, ParticipantState.LIVE, ParticipantState.STALE])
def test_no_label_ever_changes_the_clean_grid(video: bool, state: ParticipantState) -> None:
    pictures = []
    for label, reason in [(None, None), *product(Label, Reason)]:
        person = live()
        person.state = state
        if label is not None and reason is not None:
            feel(person, label, 0.3, reason)
        if video:
            show(person, flat_vp8(320, 240, RED))
        pictures.append(Compositor(WIDTH, HEIGHT).compose(scene(person), "12:00:00"))
    assert all(np.array_equal(picture, pictures[0]) for picture in pictures)


def test_no_change_of_mood_changes_a_running_grid(compositor: Compositor) -> None:
    person = live()
    meeting = scene(person)
    show(person, flat_vp8(320, 240, RED))
    before = compositor.compose(meeting, "12:00:00").copy()
    for label in Label:
        feel(person, label)
        assert np.array_equal(compositor.compose(meeting, "12:00:00"), before)


@pytest.mark.parametrize("count", [1, 9, 25])
@pytest.mark.parametrize("size", [(320, 180), (640, 360)])
def test_a_crowd_fits_into_the_smallest_grid(size: tuple[int, int], count: int) -> None:
    people = [live(f"p{number}", "Ana Lima") for number in range(count)]
    for person in people[::2]:
        show(person, flat_vp8(64, 48, RED))
    people[0].state = ParticipantState.STALE
    meeting = scene(*people, width=size[0], height=size[1])
    planes = Compositor(*size).compose(meeting, time.strftime("%H:%M:%S"))
    assert planes.shape == (size[1] * 3 // 2, size[0])


def test_a_tile_of_any_shape_can_be_drawn(compositor: Compositor) -> None:
    for rect in (Rect(8, 44, 2, 2), Rect(8, 44, 400, 2), Rect(8, 44, 2, 300), Rect(8, 44, 24, 24)):
        for state in (ParticipantState.LIVE, ParticipantState.STALE):
            person = live()
            compositor.compose(Scene("main", (Tile(person, rect),)), "12:00:00")
            show(person, flat_vp8(320, 240, RED))
            person.state = state
            compositor.compose(Scene("main", (Tile(person, rect),)), "12:00:00")


def test_what_is_written_on_a_tile_stays_on_it_however_small_it_is() -> None:
    stale = live("p2", "W" * 64)
    stale.state = ParticipantState.STALE
    show(stale, flat_vp8(640, 16, RED))
    plain, written = (
        Compositor(320, 180).compose(scene(live("p1"), someone, live("p3"), width=320, height=180), "12:00:00").copy()
        for someone in (live("p2"), stale)
    )
    tile = scene(live("p1"), stale, live("p3"), width=320, height=180).tiles[1].rect
    for picture in (plain, written):
        picture[tile.y : tile.y + tile.height, tile.x : tile.x + tile.width] = 0
    assert np.array_equal(plain[:180], written[:180])
