"""How people read: words, icon and colour, never colour alone."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from host.labels import GREEN, GREY, NOT_SHARED, ORANGE, Icon, draw_icon, reading_of
from signaling.protocol import Label, ParticipantState, Reason
from tests.host.people import feel, live, show
from tests.media import flat_vp8


@pytest.mark.parametrize(("state", "label", "reason"), list(product(ParticipantState, [None, *Label], Reason)))
def test_every_state_label_and_reason_reads_as_words_with_an_icon(
    state: ParticipantState, label: Label | None, reason: Reason
) -> None:
    participant = live()
    participant.state = state
    if label is not None:
        feel(participant, label, 0.5, reason)
    reading = reading_of(participant)
    assert reading.text
    assert isinstance(reading.icon, Icon)
    assert reading.colour in (GREEN, ORANGE, GREY)


@pytest.mark.parametrize(
    ("label", "reason", "expected"),
    [
        (Label.ATTENTIVE, Reason.FACE, ("Attentive", Icon.CHECK, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.FACE, ("Not attentive", Icon.EXCLAMATION, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.NO_FACE, ("No face", Icon.ABSENT, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.AWAY, ("Away", Icon.ABSENT, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.TURNED, ("Turned away", Icon.EXCLAMATION, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.DOWN, ("Looking down", Icon.EXCLAMATION, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.EYES_CLOSED, ("Eyes closed", Icon.EXCLAMATION, 0.75)),
        (Label.NOT_ATTENTIVE, Reason.LOOKING_OFF, ("Looking off", Icon.EXCLAMATION, 0.75)),
        (Label.UNKNOWN, Reason.FACE, ("Unknown", Icon.QUESTION, None)),
        (Label.UNKNOWN, Reason.PAUSED, ("No picture", Icon.PAUSE, None)),
        (Label.UNKNOWN, Reason.NO_MODEL, ("No model", Icon.QUESTION, None)),
    ],
)
def test_a_mood_reads_as_what_it_says(label: Label, reason: Reason, expected: tuple[str, Icon, float | None]) -> None:
    reading = reading_of(feel(live(), label, 0.75, reason))
    assert (reading.text, reading.icon, reading.score) == expected


def test_whoever_shares_no_mood_reads_as_not_shared() -> None:
    assert reading_of(live()) is NOT_SHARED


@pytest.mark.parametrize("state", [ParticipantState.CONNECTING, ParticipantState.STALE, ParticipantState.GONE])
def test_an_old_mood_says_nothing_of_who_is_not_live(state: ParticipantState) -> None:
    participant = feel(live(), Label.ATTENTIVE)
    participant.state = state
    reading = reading_of(participant)
    assert reading.text != "Attentive"
    assert reading.score is None


def test_readings_of_one_colour_differ_in_words_and_those_of_moods_in_icons_too() -> None:
    moods = [(Label.ATTENTIVE, Reason.FACE), (Label.NOT_ATTENTIVE, Reason.FACE), (Label.NOT_ATTENTIVE, Reason.NO_FACE)]
    readings = [reading_of(feel(live(), label, 0.5, reason)) for label, reason in moods]
    assert len({reading.icon for reading in readings}) == len({reading.text for reading in readings}) == 3


def test_every_reason_of_a_face_that_is_not_attentive_reads_differently() -> None:
    reasons = [Reason.FACE, Reason.NO_FACE, *list(Reason)[4:]]
    assert Reason.LOOKING_OFF in reasons
    texts = {reading_of(feel(live(), Label.NOT_ATTENTIVE, 0.5, reason)).text for reason in reasons}
    assert len(texts) == len(reasons)


def test_icons_can_be_told_apart_without_their_colour() -> None:
    pictures = [draw_icon(icon, GREY, 22) for icon in Icon]
    for number, one in enumerate(pictures):
        for other in pictures[:number]:
            assert (np.abs(one[:, :, :3].astype(int) - other[:, :, :3]).max(axis=2) > 60).sum() > 8


@pytest.mark.parametrize("icon", list(Icon))
@pytest.mark.parametrize("size", [12, 18, 22])
def test_an_icon_is_a_disc_of_its_colour_with_a_mark_in_it(icon: Icon, size: int) -> None:
    picture = draw_icon(icon, ORANGE, size)
    assert picture.shape == (size, size, 4)
    assert picture[0, 0, 3] == 0
    assert picture[size // 2, 1, 3] > 128
    assert (np.abs(picture[:, :, :3].astype(int) - ORANGE).max(axis=2) > 100).sum() >= size // 3


def test_a_pause_without_a_picture_is_the_cameras() -> None:
    ana = feel(live(), Label.UNKNOWN, 0.0, Reason.PAUSED)
    assert reading_of(ana).text == "No picture"
    show(ana, flat_vp8(64, 48, (90, 128, 128)))
    assert reading_of(ana).text == "Paused"
