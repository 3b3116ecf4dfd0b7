"""A room: who is in it, what they send, what they are sent. The one place where sessions, tiles and moods meet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from host.annotated import AnnotatedView
from host.compositor import Scene, Tile
from host.fanout import Fanout
from host.history import History, Row
from host.layout import DEFAULT_ASPECT, Rect, layout
from host.member import Member
from host.offer import Offer, parse_offer, require_publishing, require_watching
from host.participant import Participant
from host.renderer import GridConfig, Renderer
from host.report import Counters, describe
from host.session import CLOSE_PATIENCE_S, Session, close_all
from host.text import prepare
from host.viewer import Viewer
from signaling import rtc
from signaling.errors import RoomFull, SessionUnknown
from signaling.protocol import (
    PING_EVERY_S,
    REPEAT_S,
    VERSION,
    Bye,
    ByeReason,
    FromHost,
    ParticipantState,
    Ping,
    Roster,
    Send,
    Welcome,
)

logger = logging.getLogger(__name__)

TICK_S = 0.25
CONNECT_TIMEOUT_S = 15.0
"""For ICE and DTLS of a new session; then it is closed."""

RENEW_EVERY_S = 3600.0
"""How often a participant gets a fresh personal token, so that it never expires while they are here."""

MAX_PARTICIPANTS = 25
MAX_VIEWERS = 100

BITS_PER_PIXEL = 0.13
"""Of a talking head in VP8: 0.6 Mbit/s at 640x480 and 15 frames/s."""
MIN_KBPS, MAX_KBPS = 120, 1500

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Admission:
    """Who comes in: `participant` names the tile, `renew` makes a personal token that takes it back, `owner` is the id
    of the token they came with, which may also end the session."""

    participant: str
    name: str
    renew: Callable[[], str]
    owner: str


@dataclass(slots=True)
class _Repeats:
    """When the watch says something again (monotonic s)."""

    ping_s: float = 0.0
    repeat_s: float = field(default_factory=time.monotonic)
    renew_s: float = field(default_factory=time.monotonic)
    pings: int = 0


class Room:
    """Everything of one meeting. Event loop only; `start` before use and `close` at the end."""

    def __init__(self, name: str, grid: GridConfig, on_event: Callable[[Event], None] = lambda _: None) -> None:
        self.name = name
        self.grid = grid
        self.fanout = Fanout()
        self.annotated = AnnotatedView()
        self.history = History()
        self.counters = Counters()
        self.renderer = Renderer(grid, Scene(name, ()), self.fanout, self.annotated)
        self._on_event = on_event
        self._started_s = time.monotonic()
        self._certificate: RTCCertificate = rtc.Certificate.generateCertificate()
        self._members: dict[str, Member] = {}
        self._viewers: dict[str, Viewer] = {}
        self._admitting = asyncio.Lock()  # one at a time, or two offers of one participant would make two tiles
        self._watcher: asyncio.Task[None] | None = None
        self._closing_tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to render and to watch over the members."""
        self.renderer.start()
        self._watcher = asyncio.create_task(self._watch())
        self._watcher.add_done_callback(_log_failure)

    async def close(self) -> None:
        """Say good-bye to everybody and end every session, task and thread."""
        self._say(Bye(ByeReason.SHUTDOWN))
        await asyncio.sleep(0)  # a turn of the loop for the good-byes to leave
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        self.annotated.close()
        sessions = [m.detach() for m in self._members.values()] + [v.session for v in self._viewers.values()]
        await close_all([session for session in sessions if session is not None])
        if self._closing_tasks:
            await asyncio.wait(self._closing_tasks, timeout=CLOSE_PATIENCE_S)
        self.fanout.close()
        await self.renderer.close()

    async def publish(self, offer_sdp: str, admission: Admission) -> tuple[str, str]:
        """Let a participant in, or back in to their tile. Returns session id and SDP answer.

        Raises `SdpInvalid`, `SdpNoVideo`, `SdpCodecUnsupported` for an offer that cannot work, `RoomFull`.
        """
        offer = parse_offer(offer_sdp)
        require_publishing(offer)
        await asyncio.get_running_loop().run_in_executor(None, prepare, admission.name)
        async with self._admitting:
            self._check_room_for(admission.participant)
            member = self._members.get(admission.participant) or self._new_member(admission)
            member.participant.hear(time.monotonic())  # who knocks is not gone while we answer
            session = Session(self._certificate, self.fanout, member)
            answer = await session.answer(offer, publish=True)
            if member.participant.state is ParticipantState.GONE:  # removed, or left, meanwhile: a newcomer then
                member = self._new_member(admission)
                session.hear_with(member)
            if admission.participant not in self._members:
                self._members[admission.participant] = member
                self.counters.joins += 1
                self._emit("joined", member)
            else:
                self.counters.add_session(member)
            replaced = member.attach(session, admission.renew, admission.owner)
        if replaced is not None:
            replaced.send(Bye(ByeReason.REPLACED))
            self._close_session(replaced)
        self._arrange()
        return session.id, answer

    async def watch(self, offer_sdp: str, owner: str) -> tuple[str, str]:
        """Let a viewer in. Returns session id and SDP answer; raises as `publish`."""
        offer: Offer = parse_offer(offer_sdp)
        require_watching(offer)
        if len(self._viewers) >= MAX_VIEWERS:
            raise RoomFull(f"expected at most {MAX_VIEWERS} viewers in this room, and they are here")
        viewer = Viewer(owner, self._viewer_lost)
        session = Session(self._certificate, self.fanout, viewer)
        answer = await session.answer(offer, publish=False)
        if len(self._viewers) >= MAX_VIEWERS:  # others came while we answered
            await session.close()
            raise RoomFull(f"expected at most {MAX_VIEWERS} viewers in this room, and they are here")
        viewer.session = session
        self._viewers[session.id] = viewer
        return session.id, answer

    def name_of(self, participant_id: str) -> str | None:
        """The name on a participant's tile; None if they have none."""
        member = self._members.get(participant_id)
        return None if member is None else member.participant.name

    def owner_of(self, session_id: str) -> tuple[str, str | None] | None:
        """The token id and the participant a session belongs to; None if there is no such session here."""
        if session_id in self._viewers:
            return self._viewers[session_id].owner, None
        for member in self._members.values():
            if member.session_id == session_id:
                return member.owner, member.participant.id
        return None

    async def leave(self, session_id: str, *, removed: bool = False) -> None:
        """End a session; a participant's tile goes with it, and if they are `removed` by a host, they are told so.

        Raises `SessionUnknown`.
        """
        viewer = self._viewers.get(session_id)
        if viewer is not None:
            self._viewer_lost(viewer)
            return
        for member in list(self._members.values()):
            if member.session_id == session_id:
                self._remove(member, ByeReason.REMOVED if removed else None)
                return
        raise SessionUnknown("expected the id of a session that is going on, got one that is not")

    def status(self, *, labels: bool) -> dict[str, Any]:
        """The room as JSON; moods only with `labels`."""
        now = time.monotonic()
        return {
            "room": self.name,
            "uptime_s": round(now - self._started_s, 1),
            "grid": {
                "width": self.grid.width,
                "height": self.grid.height,
                "fps": round(self.renderer.fps, 1),
                "viewers": self.fanout.viewers,
            },
            "participants": [describe(m.participant, now, labels=labels) for m in self._members.values()],
        }

    def participants(self) -> list[Participant]:
        """Everybody who has a tile, in the order of the tiles."""
        return [member.participant for member in self._members.values()]

    def totals(self) -> Counters:
        """`counters` with what those who are here now add to them."""
        totals = self.counters.copy()
        for member in self._members.values():
            totals.add_session(member)
        return totals

    def _check_room_for(self, participant_id: str) -> None:
        if participant_id not in self._members and len(self._members) >= MAX_PARTICIPANTS:
            raise RoomFull(f"expected at most {MAX_PARTICIPANTS} participants in this room, and they are here")

    def _new_member(self, admission: Admission) -> Member:
        return Member(
            Participant(admission.participant, admission.name),
            on_state=self._state_changed,
            on_mood=self._mood_came,
            on_channel=self._greet,
            on_misbehaved=self._end_misbehaved,
            discard=self._close_session,
        )

    def _greet(self, member: Member) -> None:
        """The channel is open: who they are, who is here, what to send."""
        self._welcome(member)
        member.send(self._roster())
        if member.asked is not None:
            member.send(member.asked)

    def _welcome(self, member: Member) -> None:
        member.send(Welcome(VERSION, member.participant.id, self.name, member.renew()))

    def _state_changed(self, member: Member) -> None:
        self._emit("state", member)
        self._say(self._roster())

    def _mood_came(self, member: Member) -> None:
        self._emit("label", member)

    def _end_misbehaved(self, member: Member) -> None:
        self.counters.misbehaved += 1
        logger.warning("ended a session that kept sending messages we cannot take")
        self._remove(member, ByeReason.MISBEHAVED)

    def _viewer_lost(self, viewer: Viewer) -> None:
        session = viewer.session
        if session is not None and self._viewers.pop(session.id, None) is not None:
            self._close_session(session)

    def _remove(self, member: Member, reason: ByeReason | None) -> None:
        """Take a tile away: they left, fell silent for too long, or misbehaved."""
        if self._members.pop(member.participant.id, None) is None:
            return
        self.counters.add_session(member)
        self.counters.removals += 1
        session = member.detach()
        if session is not None:
            if reason is not None:
                session.send(Bye(reason))
            self._close_session(session)
        member.participant.state = ParticipantState.GONE
        self._emit("left", member)
        self._arrange()

    def _arrange(self) -> None:
        """Lay the tiles out anew, tell everybody who is here, and each what size their tile needs."""
        self._lay_out()
        self._say(self._roster())

    def _lay_out(self) -> None:
        members = list(self._members.values())
        aspects = [_aspect(member.participant) for member in members]
        rects = layout(self.grid.width, self.grid.height, aspects)
        tiles = tuple(Tile(member.participant, rect) for member, rect in zip(members, rects, strict=True))
        if tiles != self.renderer.scene.tiles:
            self.renderer.scene = Scene(self.name, tiles)
        for member, rect in zip(members, rects, strict=True):
            wanted = self._wanted(rect)
            if wanted != member.asked:
                member.asked = wanted
                member.send(wanted)

    def _wanted(self, rect: Rect) -> Send:
        bits = rect.width * rect.height * self.grid.fps * BITS_PER_PIXEL
        kbps = max(MIN_KBPS, min(MAX_KBPS, round(bits / 1000)))
        return Send(width=rect.width, height=rect.height, fps=self.grid.fps, kbps=kbps)

    def _roster(self) -> Roster:
        return Roster([member.participant.roster_entry() for member in self._members.values()])

    def _say(self, message: FromHost) -> None:
        for member in self._members.values():
            member.send(message)

    async def _watch(self) -> None:
        """Once a tick: who fell silent, who came back, whose shape changed; pings and repeats when they are due."""
        repeats = _Repeats()
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._tick(repeats, time.monotonic())
            except Exception:  # whatever it is, nobody else may go unwatched because of it
                logger.exception("could not look after the room")

    def _tick(self, repeats: _Repeats, now: float) -> None:
        for member in list(self._members.values()):
            changed = member.tick(now)
            if member.participant.state is ParticipantState.GONE:
                self._remove(member, ByeReason.SILENT)
            elif changed:
                self._state_changed(member)
            if member.forget_old_mood(now):
                self._emit("label", member)
        for viewer in list(self._viewers.values()):
            if viewer.session is not None and viewer.session.overdue(now, CONNECT_TIMEOUT_S):
                self._viewer_lost(viewer)
        self._lay_out()
        self._repeat(repeats, now)

    def _repeat(self, repeats: _Repeats, now: float) -> None:
        if now - repeats.ping_s >= PING_EVERY_S:
            repeats.ping_s = now
            repeats.pings += 1
            self._say(Ping(repeats.pings))
        if now - repeats.repeat_s >= REPEAT_S:
            repeats.repeat_s = now
            self._say(self._roster())
            for member in self._members.values():
                if member.asked is not None:
                    member.send(member.asked)
        if now - repeats.renew_s >= RENEW_EVERY_S:
            repeats.renew_s = now
            for member in self._members.values():
                self._welcome(member)

    def _emit(self, kind: str, member: Member) -> None:
        participant = member.participant
        mood = participant.mood.mood if participant.mood is not None else None
        event: Event = {"event": kind, "participant": participant.id, "name": participant.name}
        if kind == "state":
            event["state"] = str(participant.state)
        if kind == "label":
            event["label"] = "not_shared" if mood is None else str(mood.label)
            if mood is not None:
                event |= {"score": round(mood.score, 3), "reason": str(mood.reason)}
        changed = self.history.add(
            Row(
                time.time(),
                participant.id,
                participant.name,
                str(participant.state),
                str(mood.label) if mood is not None else "not_shared",
                mood.score if mood is not None else None,
                str(mood.reason) if mood is not None else "",
            )
        )
        if kind != "label" or changed:
            try:
                self._on_event(event)
            except Exception:  # a listener's trouble is not the meeting's
                logger.exception("could not tell of an event")

    def _close_session(self, session: Session) -> None:
        """Close in the background; never cancelled half way, since aiortc does not survive that."""
        task = asyncio.create_task(session.close())
        self._closing_tasks.add(task)
        task.add_done_callback(self._closing_tasks.discard)
        task.add_done_callback(_log_failure)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("a task of the room failed", exc_info=task.exception())


def _aspect(participant: Participant) -> float:
    """The shape of a participant's video, to a twentieth, so that a few pixels do not move everybody's tile."""
    size = participant.slot.size if participant.slot is not None else None
    return DEFAULT_ASPECT if size is None else max(0.5, min(2.5, round(size[0] / size[1] * 20) / 20))
