"""A room: who is in it, what they send, what they are sent. The one place where sessions, tiles and moods meet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate

from host.admission import Admission
from host.annotated import AnnotatedView
from host.compositor import Scene, Tile
from host.fanout import Fanout
from host.layout import layout
from host.member import Member
from host.mode import Mode
from host.offer import Offer, parse_offer, require_publishing, require_watching
from host.participant import Participant
from host.record import Event, Record
from host.renderer import GridConfig, Renderer
from host.report import Counters
from host.sendsize import aspect, wanted
from host.session import CLOSE_PATIENCE_S, Session, close_all
from host.text import prepare
from host.viewer import Viewer
from signaling import rtc
from signaling.errors import ModeFixed, ParticipantRemoved, ParticipantUnknown, RoomFull, SessionUnknown
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


@dataclass(slots=True)
class _Repeats:
    """When the watch says something again (monotonic s)."""

    ping_s: float = 0.0
    repeat_s: float = field(default_factory=time.monotonic)
    renew_s: float = field(default_factory=time.monotonic)
    pings: int = 0


class Room:
    """Everything of one meeting. Event loop only; `start` before use and `close` at the end."""

    def __init__(
        self,
        name: str,
        grid: GridConfig,
        on_event: Callable[[Event], None] = lambda _: None,
        mode: Mode = Mode.INDIVIDUAL,
    ) -> None:
        self.name = name
        self.title = name
        self.grid = grid
        self.fanout = Fanout()
        self.annotated = AnnotatedView()
        self.record = Record(mode, on_event)
        self.counters = Counters()
        self.renderer = Renderer(grid, Scene(name, ()), self.fanout, self.annotated)
        self._started_s = time.monotonic()
        self._certificate: RTCCertificate = rtc.Certificate.generateCertificate()
        self._members: dict[str, Member] = {}
        self._viewers: dict[str, Viewer] = {}
        self.mode_fixed = False  # somebody has joined, knowing what the host would see
        self._removed: set[str] = set()  # by a host, who is the only one that makes it grow
        self._admitting = asyncio.Lock()  # one at a time, or two offers of one participant would make two tiles
        self._watcher: asyncio.Task[None] | None = None
        self._closing_tasks: set[asyncio.Task[None]] = set()
        self.set_mode(mode)

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

        Raises `SdpInvalid`, `SdpNoVideo`, `SdpCodecUnsupported` for an offer that cannot work, `RoomFull`, and
        `ParticipantRemoved` for somebody whom a host sent away.
        """
        self.check_not_removed(admission.participant)
        offer = parse_offer(offer_sdp)
        require_publishing(offer)
        self.mode_fixed = True  # already while we answer
        await asyncio.get_running_loop().run_in_executor(None, prepare, admission.name)
        async with self._admitting:
            self._check_room_for(admission.participant)
            member = self._members.get(admission.participant) or self._new_member(admission)
            member.participant.hear(time.monotonic())  # who knocks is not gone while we answer
            session = Session(self._certificate, self.fanout, member)
            answer = await session.answer(offer, publish=True)
            if member.participant.state is ParticipantState.GONE:  # removed, or left, meanwhile: a newcomer then
                if admission.participant in self._removed:
                    await session.close()
                    self.check_not_removed(admission.participant)
                member = self._new_member(admission)
                session.hear_with(member)
            if admission.participant not in self._members:
                self._members[admission.participant] = member
                self.counters.joins += 1
                self.record.note("joined", member.participant)
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
                if removed:
                    self.remove(member.participant.id)
                else:
                    self._remove(member, None)
                return
        raise SessionUnknown("expected the id of a session that is going on, got one that is not")

    def remove(self, participant_id: str) -> None:
        """Send a participant away for as long as this room is open. Raises `ParticipantUnknown`."""
        member = self._member(participant_id)
        self._removed.add(participant_id)
        self._remove(member, ByeReason.REMOVED)

    def check_not_removed(self, participant_id: str) -> None:
        """Raise `ParticipantRemoved` for somebody whom a host sent away."""
        if participant_id in self._removed:
            raise ParticipantRemoved("expected a participant who may be here, got one whom the host has removed")

    def set_mode(self, mode: Mode) -> None:
        """Settle what the host gets to see. Raises `ModeFixed` for a change after the first participant joined."""
        if mode is not self.record.mode and self.mode_fixed:
            raise ModeFixed(f"expected the mode {self.record.mode}, in which participants have joined, got {mode}")
        self.record.mode = mode
        self.annotated.share = self.record.share if mode is Mode.AGGREGATE else None

    async def rename(self, title: str) -> None:
        """Show another title (a clean name) from now on."""
        await asyncio.get_running_loop().run_in_executor(None, prepare, title)
        self.title = title
        self._lay_out()

    def seen_of(self, participant_id: str) -> dict[str, Any]:
        """All that the host sees of one participant. Raises `ParticipantUnknown`, `ParticipantRemoved`."""
        self.check_not_removed(participant_id)
        return self.record.seen_of(self._member(participant_id).participant)

    def status(self, *, labels: bool) -> dict[str, Any]:
        """The room as JSON; moods, or in their stead the share, only with `labels`."""
        status: dict[str, Any] = {
            "room": self.name,
            "title": self.title,
            "mode": self.record.mode,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "grid": {
                "width": self.grid.width,
                "height": self.grid.height,
                "fps": round(self.renderer.fps, 1),
                "viewers": self.fanout.viewers,
            },
            "participants": [self.record.entry(m.participant, labels=labels) for m in self._members.values()],
        }
        if labels:
            status["mode_fixed"] = self.mode_fixed
            if self.record.mode is Mode.AGGREGATE:
                status["share"] = self.record.share.describe()
        return status

    def participants(self) -> list[Participant]:
        """Everybody who has a tile, in the order of the tiles."""
        return [member.participant for member in self._members.values()]

    def totals(self) -> Counters:
        """`counters` with what those who are here now add to them."""
        totals = self.counters.copy()
        for member in self._members.values():
            totals.add_session(member)
        return totals

    def _member(self, participant_id: str) -> Member:
        member = self._members.get(participant_id)
        if member is None:
            raise ParticipantUnknown("expected the id of a participant who is here, got one who is not")
        return member

    def _check_room_for(self, participant_id: str) -> None:
        if participant_id not in self._members and len(self._members) >= MAX_PARTICIPANTS:
            raise RoomFull(f"expected at most {MAX_PARTICIPANTS} participants in this room, and they are here")

    def _new_member(self, admission: Admission) -> Member:
        return Member(
            Participant(admission.participant, admission.name),
            on_state=self._state_changed,
            on_mood=lambda member: self.record.note("label", member.participant),
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
        self.record.note("state", member.participant)
        self._say(self._roster())

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
        self.record.note("left", member.participant)
        self._arrange()

    def _arrange(self) -> None:
        """Lay the tiles out anew, tell everybody who is here, and each what size their tile needs."""
        self._lay_out()
        self._say(self._roster())

    def _lay_out(self) -> None:
        members = list(self._members.values())
        aspects = [aspect(member.participant) for member in members]
        rects = layout(self.grid.width, self.grid.height, aspects)
        tiles = tuple(Tile(member.participant, rect) for member, rect in zip(members, rects, strict=True))
        scene = Scene(self.title, tiles)
        if scene != self.renderer.scene:
            self.renderer.scene = scene
        for member, rect in zip(members, rects, strict=True):
            send = wanted(rect, self.grid.fps)
            if send != member.asked:
                member.asked = send
                member.send(send)

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
                self.record.note("label", member.participant)
        self.record.sample(self.participants())
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

    def _close_session(self, session: Session) -> None:
        """Close in the background; never cancelled half way, since aiortc does not survive that."""
        task = asyncio.create_task(session.close())
        self._closing_tasks.add(task)
        task.add_done_callback(self._closing_tasks.discard)
        task.add_done_callback(_log_failure)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("a task of the room failed", exc_info=task.exception())
