"""`edgeattend`, and when what arrived: python -m benchmarks.observed serve|join ...

The command as it is, but for more lines of `--json`: each with `at` (monotonic s, one clock on one machine), and `who`
where the host says it.

    frame   one whole frame came: at the host from `who`, at a participant of the grid
    mood    the host took a mood of `who`
    decided the participant's own label changed
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import edgeattend
from host.member import Member
from host.session import Session
from peer.grid import GridMeter
from peer.mood import MoodBoard
from peer.perception.worker import Decision
from signaling.protocol import Label
from signaling.rtc import EncodedFrame


def say(event: str, **more: Any) -> None:
    """One line, in one piece, whatever else the command writes."""
    line = json.dumps({"event": event, "at": time.monotonic()} | more)
    os.write(sys.stdout.fileno(), line.encode() + b"\n")


def observe_host() -> None:
    """Tell of frames and moods of participants."""
    take_frame, take_message = Member.session_frame, Member.session_message

    def session_frame(member: Member, session: Session, frame: EncodedFrame) -> None:
        say("frame", who=member.participant.name)
        take_frame(member, session, frame)

    def session_message(member: Member, session: Session, data: str | bytes) -> None:
        before = member.participant.mood
        take_message(member, session, data)
        timed = member.participant.mood
        if timed is not None and timed is not before:
            say("mood", who=member.participant.name, label=timed.mood.label)

    Member.session_frame = session_frame  # type: ignore[assignment,method-assign]
    Member.session_message = session_message  # type: ignore[assignment,method-assign]


def observe_peer() -> None:
    """Tell of frames of the grid, and of labels as they are decided."""
    take_frame, take_decision = GridMeter.add, MoodBoard.put
    label: Label | None = None

    def add(meter: GridMeter, frame: EncodedFrame) -> None:
        say("frame")
        take_frame(meter, frame)

    def put(board: MoodBoard, decision: Decision) -> None:
        nonlocal label
        if decision.verdict.label is not label:
            label = decision.verdict.label
            say("decided", label=label)
        take_decision(board, decision)

    GridMeter.add = add  # type: ignore[assignment,method-assign]
    MoodBoard.put = put  # type: ignore[assignment,method-assign]


if __name__ == "__main__":
    observe_host()
    observe_peer()
    edgeattend.main()
