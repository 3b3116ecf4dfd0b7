"""What a room remembers of its people and tells of them: no more than its mode allows."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from host.history import History, Row
from host.mode import Mode
from host.participant import Participant
from host.report import describe
from host.share import ShareMeter
from host.summary import summarise, summarise_shares
from host.timeline import WINDOW_S, share_timeline, timeline_of, timelines
from signaling.protocol import Label, Mood, ParticipantState

logger = logging.getLogger(__name__)

NOT_SHARED = "not_shared"

FORGET_AFTER_S = 1800.0
"""Once the room is empty: the meeting is over, and its host has had half an hour to save what they want to keep."""

Event = dict[str, Any]


class Record:
    """The one way out for moods, to listeners, files and pages. In aggregate mode none comes in but for its share.

    What may be long is worked out in another thread: a day's history takes a fifth of a second.
    """

    def __init__(self, mode: Mode, on_event: Callable[[Event], None]) -> None:
        self.mode = mode
        self.history = History()
        self.share = ShareMeter()
        self._on_event = on_event
        self._empty_since_s: float | None = None

    def note(self, kind: str, participant: Participant) -> None:
        """Remember and tell that `participant` joined, left, or changed `state` or `label`."""
        event: Event = {"event": kind, "participant": participant.id, "name": participant.name}
        if kind == "state":
            event["state"] = str(participant.state)
        if self.mode is Mode.AGGREGATE:
            if kind != "label":  # when somebody's label changes is theirs, too
                self._tell(event)
            return
        mood = _mood(participant)
        if kind == "label":
            event["label"] = NOT_SHARED if mood is None else str(mood.label)
            if mood is not None:
                event |= {"score": round(mood.score, 3), "reason": str(mood.reason)}
        changed = self.history.add(
            Row(
                self.history.now(),
                participant.id,
                participant.name,
                str(participant.state),
                str(mood.label) if mood is not None else NOT_SHARED,
                mood.score if mood is not None else None,
                str(mood.reason) if mood is not None else "",
            )
        )
        if kind != "label" or changed:
            self._tell(event)

    def sample(self, participants: Sequence[Participant]) -> None:
        """Several times a second: forget a meeting that is over, and in aggregate mode take everybody's mood into the
        room's share."""
        self._forget_what_is_over(empty=not participants)
        if self.mode is Mode.AGGREGATE:
            moods = {p.id: mood for p in participants if p.state is ParticipantState.LIVE and (mood := _mood(p))}
            attentive = {
                key: mood.label is Label.ATTENTIVE for key, mood in moods.items() if mood.label is not Label.UNKNOWN
            }
            self.share.sample(attentive, self.history.now())

    def _forget_what_is_over(self, *, empty: bool) -> None:
        now_s = time.monotonic()
        if not empty:
            self._empty_since_s = None
        elif self._empty_since_s is None:
            self._empty_since_s = now_s
        elif now_s - self._empty_since_s >= FORGET_AFTER_S:
            self._empty_since_s = now_s
            self.history, self.share = History(), ShareMeter()

    def entry(self, participant: Participant, *, labels: bool) -> dict[str, Any]:
        """An entry of `participants` in the status."""
        return describe(participant, time.monotonic(), labels=labels and self.mode is Mode.INDIVIDUAL)

    def oldest_label_s(self, participants: Iterable[Participant]) -> float | None:
        """When the oldest label that a host sees came (monotonic s); None if they see none, as in aggregate mode."""
        if self.mode is Mode.AGGREGATE:
            return None
        return min((timed.received_s for p in participants if (timed := p.mood) is not None), default=None)

    def seen_of(self, participant: Participant) -> dict[str, Any]:
        """All that a host token shows of one participant alone."""
        individual = self.mode is Mode.INDIVIDUAL
        timeline = timeline_of(self.history, participant.id, self.history.now()) if individual else None
        return {
            "mode": self.mode,
            "participant": {"mood": None} | self.entry(participant, labels=True),
            "timeline": timeline,
        }

    async def csv(self) -> str:
        """The history as a file."""
        return await asyncio.to_thread(self.share.csv if self.mode is Mode.AGGREGATE else self.history.csv)

    async def timeline(self) -> dict[str, Any]:
        """The last minutes, as the dashboard draws them."""
        now_s = self.history.now()
        if self.mode is Mode.AGGREGATE:
            return {"mode": self.mode} | share_timeline(self.share, now_s)
        return {"mode": self.mode} | await asyncio.to_thread(timelines, self.history.snapshot(now_s - WINDOW_S), now_s)

    async def summary(self) -> dict[str, Any]:
        """The whole meeting so far."""
        now_s = self.history.now()
        if self.mode is Mode.AGGREGATE:
            return {"mode": self.mode} | summarise_shares(self.share, now_s)
        return {"mode": self.mode} | await asyncio.to_thread(summarise, self.history.snapshot(), now_s)

    def _tell(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception:  # a listener's trouble is not the meeting's
            logger.exception("could not tell of an event")


def _mood(participant: Participant) -> Mood | None:
    return participant.mood.mood if participant.mood is not None else None
