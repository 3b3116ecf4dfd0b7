"""Made-up looks at a person, and a person who does things over time."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from peer.perception import limits
from peer.perception.reader import Reader
from peer.perception.signals import Reading, Signals
from peer.perception.verdict import Verdict

Doing = Reading | None | Callable[[float], Reading | None]
"""A look, none for no face, or what is seen so many seconds after it began."""


def signals(
    yaw: float = 0.0, pitch: float = 0.0, lid: float = 1.0, gaze_yaw: float = 0.0, gaze_pitch: float = 0.0
) -> Signals:
    """A face straight ahead with open eyes, but for what is given."""
    return Signals(yaw, pitch, lid, lid, gaze_yaw, gaze_pitch, 0.0, closed=0.02 if lid >= limits.MIN_LID else 0.98)


def seen(yaw: float = 0.0, pitch: float = 0.0, lid: float = 1.0, **more: float) -> Reading:
    """A look by a model that knows why."""
    found = signals(yaw, pitch, lid, **more)
    return Reading(limits.score(found), found)


LOOKING, SHUT, TURNED, DOWN = seen(), seen(lid=0.0), seen(yaw=48.0), seen(pitch=-33.0)
GOOD, BAD = Reading(0.95), Reading(0.03)
"""Looks by a model that does not."""


def follow(
    reader: Reader, doings: Iterable[tuple[float, Doing]], *, every_s: float = 0.2, phase_s: float = 0.0
) -> list[tuple[float, Verdict | None]]:
    """What `reader` says, look by look, of somebody who does each of `doings` for so many seconds.

    The first look is `phase_s` after the start, the others `every_s` apart.
    """
    said: list[tuple[float, Verdict | None]] = []
    began_s, now_s = 0.0, phase_s
    for length_s, doing in doings:
        while now_s < began_s + length_s - 1e-9:
            reading = doing(now_s - began_s) if callable(doing) else doing
            said.append((now_s, reader.push(now_s, reading)))
            now_s += every_s
        began_s += length_s
    return said


def changes(said: list[tuple[float, Verdict | None]]) -> list[tuple[float, str, str]]:
    """(when, label, reason) wherever either changed, from the first verdict on."""
    found: list[tuple[float, str, str]] = []
    for time_s, verdict in said:
        if verdict is not None and (not found or found[-1][1:] != (verdict.label, verdict.reason)):
            found.append((time_s, str(verdict.label), str(verdict.reason)))
    return found


def kinds(said: list[tuple[float, Verdict | None]]) -> list[str]:
    """The reasons in the order in which they were said; `face` with `not_attentive` is `unclear`."""
    return ["unclear" if (label, reason) == ("not_attentive", "face") else reason for _, label, reason in changes(said)]
