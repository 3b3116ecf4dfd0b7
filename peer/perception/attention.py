"""Reads a person over time: a label that follows within a second, and neither blinks nor flickers.

Looks come in, about five a second, fewer on a slow machine: all times are seconds, never frames. Every change of
state is decided in one function, `following`, from what the last second showed (`Evidence`).
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from statistics import median

from peer.perception import limits
from peer.perception.signals import Reading, Signals
from peer.perception.verdict import Verdict
from signaling.protocol import Label, Reason


class State(enum.Enum):
    """What a person is doing. Any of them may follow any other but the first two, which nothing leads back to."""

    STARTING = enum.auto()
    """Too little was seen yet."""
    NOBODY = enum.auto()
    """No face since the start."""
    ATTENTIVE = enum.auto()
    UNCLEAR = enum.auto()
    """There, not attentive, and the model doesn't say why."""
    TURNED = enum.auto()
    DOWN = enum.auto()
    EYES_CLOSED = enum.auto()
    LOOKING_OFF = enum.auto()
    AWAY = enum.auto()
    """Was there, and is gone."""


REASONS = {
    State.NOBODY: Reason.NO_FACE,
    State.ATTENTIVE: Reason.FACE,
    State.UNCLEAR: Reason.FACE,
    State.TURNED: Reason.TURNED,
    State.DOWN: Reason.DOWN,
    State.EYES_CLOSED: Reason.EYES_CLOSED,
    State.LOOKING_OFF: Reason.LOOKING_OFF,
    State.AWAY: Reason.AWAY,
}
FAULTS = {REASONS[state]: state for state in (State.TURNED, State.DOWN, State.EYES_CLOSED, State.LOOKING_OFF)}
ABSENT = (State.STARTING, State.NOBODY, State.AWAY)

WINDOW_S = 0.9
"""What counts as now: five looks at five a second. A glance of half a second, three looks, leaves the label alone;
a change is seen at the fourth, 0.6 to 0.8 s after it happened."""
MIN_LOOKS = 2
"""On a machine that looks less than twice in `WINDOW_S`: one look alone never changes a label."""
REASON_LOOKS = 3
"""A reason is read off the median of this many looks: newer than the label, and no single look decides."""

LEAVE_SHARE, ENTER_SHARE = 0.65, 0.25
"""Hysteresis: attentive ends below this share of the threshold, and begins above the threshold by this share of what
is left to 1. At 0.5: below 0.32 and above 0.62."""

SHUT_S = 0.55
"""Eyes seen shut over this long are closed: longer than a blink (0.1 to 0.4 s), and noticed within a second."""
OPEN_MARGIN = 0.5
"""Eyes that were shut are open again only when they clearly are, in soft steps of `limits`."""

PRESENT_SHARE, PRESENT_S = 0.6, 0.35
"""Somebody is back, or there at first, with a face in this share of the looks over at least this long."""
AWAY_S = 0.7
"""Without a face for this long: away. The detector misses single faces."""
HIDDEN_S = 2.0
"""The detector can lose a head that is turned or lowered far: of somebody last seen on the way there we go on saying
so for this long. It finds most such heads, and people turn when they leave: who stays lost for longer is away."""
NEAR_MARGIN = 1.0
"""On the way there: within this many soft steps of a head's limit, or beyond it."""
NOBODY_S = 1.2
"""After the start without a face: a camera's first pictures are often dark."""

HOLD_S = 0.6
"""What was said once stands at least this long."""
REASON_HOLD_S = 1.0
"""A reason stands this long against another one; having none gives way sooner."""
REASON_LEAD = 1.0
"""Another reason takes over when it is beyond its limit by this many soft steps more."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the last `WINDOW_S` showed."""

    watched_s: float
    """Since the start."""
    lost_s: float
    """Since the last face, or the start; 0 while a face was in one of the last `MIN_LOOKS` looks."""
    present: bool
    """A face in most of the looks."""
    hidden: State | None
    """Where the last face was heading when it was lost; None for nowhere, and where there is a face."""
    score: float | None
    """The mean; None with too little to go by."""
    margins: Mapping[State, float]
    """Of each fault, see `limits.margins`; empty without signals."""

    @property
    def fault(self) -> State:
        """The worst thing that is near its limit or beyond it."""
        if self.hidden is not None:
            return self.hidden
        worst = min(self.margins, key=lambda state: self.margins[state], default=State.UNCLEAR)
        return worst if self.margins.get(worst, NEAR_MARGIN) < NEAR_MARGIN else State.UNCLEAR


def following(state: State, held_s: float, seen: Evidence, threshold: float) -> State:  # noqa: PLR0911  on purpose
    """The state that follows `state`, in which the person has been for `held_s`: all transitions there are."""
    if state is not State.STARTING and held_s < HOLD_S:
        return state
    if state in ABSENT and not seen.present:
        return State.NOBODY if state is State.STARTING and seen.watched_s >= NOBODY_S else state
    if seen.lost_s >= (AWAY_S if seen.hidden is None else HIDDEN_S):
        return State.AWAY
    if seen.score is None:
        return state
    if state in ABSENT:
        return State.ATTENTIVE if seen.score >= threshold else seen.fault
    if state is State.ATTENTIVE:
        return state if seen.score >= threshold * LEAVE_SHARE else seen.fault
    back = seen.score >= threshold + (1.0 - threshold) * ENTER_SHARE
    return State.ATTENTIVE if back else _other_fault(state, held_s, seen)


def _other_fault(state: State, held_s: float, seen: Evidence) -> State:
    """Of somebody who stays inattentive: the reason stands unless another one is clearly better."""
    fault = seen.fault
    if state is State.UNCLEAR or fault is State.UNCLEAR:
        return fault if state is State.UNCLEAR else state
    if held_s < REASON_HOLD_S or seen.hidden is not None:
        return state
    return fault if seen.margins[state] - seen.margins[fault] >= REASON_LEAD else state


@dataclass(frozen=True, slots=True)
class _Look:
    time_s: float
    reading: Reading | None
    blink: bool = False
    """Shut eyes in a head that faces the screen, not for long yet."""
    hidden: bool = False
    """No face, since the head turned too far."""

    @property
    def score(self) -> float | None:
        """None where this look says nothing of attention."""
        if self.reading is None:
            return 0.0 if self.hidden else None
        return None if self.blink else self.reading.score


class SteadyReader:
    """Follows one person; knows no clock but the times it is given."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.clear()

    def clear(self) -> None:
        """See `peer.perception.reader.Reader`."""
        self._looks: deque[_Look] = deque()
        self._state = State.STARTING
        self._since_s = 0.0
        self._started_s: float | None = None
        self._face: tuple[float, Reading] | None = None
        self._shut_since_s: float | None = None
        self._score = 0.0

    def push(self, time_s: float, reading: Reading | None) -> Verdict | None:
        """See `peer.perception.reader.Reader`."""
        if self._started_s is None:
            self._started_s = self._since_s = time_s
        self._add(time_s, reading)
        seen = self._evidence(time_s, self._started_s)
        if seen.score is not None:
            self._score = seen.score
        state = following(self._state, time_s - self._since_s, seen, self._threshold)
        if state is not self._state:
            self._state, self._since_s = state, time_s
            if state in ABSENT:
                self._shut_since_s = None  # of somebody who was here before, or blinked on leaving
        return self._verdict()

    def _add(self, time_s: float, reading: Reading | None) -> None:
        shut = self._follow_lids(time_s, reading)
        if reading is not None:
            self._face = (time_s, reading)
        if shut:  # for too long to be a blink, all along
            for index, look in enumerate(self._looks):
                self._looks[index] = replace(look, blink=False)
        blink = not shut and self._shut_since_s is not None and reading is not None
        self._looks.append(_Look(time_s, reading, blink, reading is None and self._heading() is not None))
        while len(self._looks) > MIN_LOOKS and self._looks[0].time_s < time_s - WINDOW_S:
            self._looks.popleft()

    def _follow_lids(self, time_s: float, reading: Reading | None) -> bool:
        """Whether the eyes have been shut for longer than a blink, which only a look that sees them can tell."""
        if reading is None:
            return False
        if reading.signals is not None:
            eyes = limits.eyes_margin(reading.signals)
            if limits.head_margin(reading.signals) < 0 or eyes > OPEN_MARGIN:
                self._shut_since_s = None
            elif eyes < 0 and self._shut_since_s is None:
                self._shut_since_s = time_s
        return self._shut_since_s is not None and time_s - self._shut_since_s >= SHUT_S

    def _heading(self) -> State | None:
        """Where the head was turning when it was last seen."""
        if self._face is None or self._face[1].signals is None:
            return None
        found = limits.margins(self._face[1].signals)
        reason = min((Reason.TURNED, Reason.DOWN), key=lambda one: found[one])
        return FAULTS[reason] if found[reason] < NEAR_MARGIN else None

    def _evidence(self, time_s: float, started_s: float) -> Evidence:
        looks = list(self._looks)
        faces = sum(look.reading is not None for look in looks)
        scores = [look.score for look in looks if look.score is not None]
        signals = self._signals()
        just_seen = any(look.reading is not None for look in looks[-MIN_LOOKS:])
        return Evidence(
            watched_s=time_s - started_s,
            lost_s=0.0 if just_seen else time_s - (started_s if self._face is None else self._face[0]),
            present=faces >= max(MIN_LOOKS, PRESENT_SHARE * len(looks)) and time_s - looks[0].time_s >= PRESENT_S,
            hidden=self._heading() if looks[-1].hidden else None,
            score=sum(scores) / len(scores) if len(scores) >= MIN_LOOKS else None,
            margins=_faults(signals),
        )

    def _signals(self) -> Signals | None:
        """What the newest looks say, single ones of which err."""
        found = [look.reading.signals for look in self._looks if look.reading and look.reading.signals]
        newest = found[-REASON_LOOKS:]
        if not newest:
            return None
        return Signals(*(median(getattr(one, field.name) for one in newest) for field in fields(Signals)))

    def _verdict(self) -> Verdict | None:
        if self._state is State.STARTING:
            return None
        reason = REASONS[self._state]
        if self._state is State.ATTENTIVE:
            return Verdict(Label.ATTENTIVE, self._score, reason)
        if self._state in ABSENT:
            return Verdict(Label.NOT_ATTENTIVE, 0.0, reason)
        signals = self._signals() if self._looks[-1].reading is not None else None
        # On the way back an angle would contradict the reason, which still stands.
        beyond = signals is not None and _faults(signals).get(self._state, NEAR_MARGIN) < NEAR_MARGIN
        detail = limits.describe(reason, signals) if signals is not None and beyond else ""
        return Verdict(Label.NOT_ATTENTIVE, self._score, reason, detail)


def _faults(signals: Signals | None) -> dict[State, float]:
    if signals is None:
        return {}
    return {FAULTS[reason]: margin for reason, margin in limits.margins(signals).items()}
