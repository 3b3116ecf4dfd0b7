"""A room: who is in it, what they send, what they are sent. The one place where sessions, tiles and moods meet."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from host.admission import Admission
from host.annotated import AnnotatedView
from host.audience import Audience
from host.closing import Closing
from host.compositor import Scene, Tile
from host.door import Door
from host.endpoint import Endpoint
from host.fanout import Fanout
from host.headroom import EASED_GRID_FPS, Level
from host.layout import layout
from host.member import Member
from host.members import Members
from host.mode import Mode
from host.offer import Offer, parse_offer, require_publishing
from host.participant import Participant
from host.places import HalfOpen, who_yields
from host.record import Event, Record
from host.renderer import GridConfig, Renderer
from host.repeats import Repeats
from host.report import Counters, describe_grid
from host.sendsize import aspect, wanted
from host.session import Session
from host.text import prepare
from signaling.errors import EdgeAttendError, ModeFixed, ParticipantUnknown, SessionUnknown
from signaling.protocol import VERSION, Bye, ByeReason, ParticipantState, Ping, Welcome
from signaling.removals import Removals

logger = logging.getLogger(__name__)

TICK_S = 0.25
CONNECT_TIMEOUT_S = 15.0
"""For ICE and DTLS of a new session; then it is closed."""

MAX_PARTICIPANTS = 25


class Room:
    """Everything of one meeting. Event loop only; `start` before use and `close` at the end."""

    def __init__(
        self,
        name: str,
        grid: GridConfig,
        on_event: Callable[[Event], None] = lambda _: None,
        mode: Mode = Mode.INDIVIDUAL,
        *,
        stun: str | None = None,
        removals: Removals | None = None,
    ) -> None:
        """`removals`: who is not let in again, from before this start and from other rooms."""
        self.name = name
        self.title = name
        self.grid = grid
        self.fanout = Fanout(small=Fanout())
        self.annotated = AnnotatedView()
        self.record = Record(mode, on_event)
        self.counters = Counters()
        self.renderer = Renderer(grid, Scene(name, ()), self.fanout, self.annotated)
        self._started_s = time.monotonic()
        self._endpoint = Endpoint(stun)
        self._members = Members()
        self._closing = Closing()
        self._audience = Audience(self._endpoint, self.fanout, self._closing.begin, self.check_not_removed)
        self._door = Door(removals or Removals())
        self._answering = 0
        self._admitting = asyncio.Lock()  # one at a time, or two offers of one participant would make two tiles
        self._watcher: asyncio.Task[None] | None = None
        self.set_mode(mode)

    def start(self) -> None:
        """Begin to render and to watch over the members."""
        self.renderer.start()
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Say good-bye to everybody and end every session, task and thread; nobody comes in any more."""
        self._door.draining = True
        self._members.say(Bye(ByeReason.SHUTDOWN))
        await asyncio.sleep(0)  # a turn of the loop for the good-byes to leave
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        self.annotated.close()
        for member in self._members:
            self._closing.begin(member.detach())
        self._audience.close()
        await self._closing.finish()
        self.fanout.close()
        await self.renderer.close()

    async def publish(self, offer_sdp: str, admission: Admission) -> tuple[str, str]:
        """Let a participant in, or back in to their tile. Returns session id and SDP answer.

        Raises `SdpInvalid`, `SdpNoVideo`, `SdpCodecUnsupported` for an offer that cannot work, `RoomFull`, `Overloaded`
        and `Draining` when there is no place, `ParticipantRemoved` for somebody whom a host sent away, and `ModeFixed`
        or `ModeChanged` for who came for another mode.
        """
        self._door.check_not_removed(admission.participant)
        self._door.check_open(returning=admission.returning)
        self._mode_with(admission)
        offer = parse_offer(offer_sdp)
        require_publishing(offer)
        self._answering += 1
        try:
            return await self._let_in(offer, admission)
        finally:
            self._answering -= 1

    async def _let_in(self, offer: Offer, admission: Admission) -> tuple[str, str]:
        await asyncio.get_running_loop().run_in_executor(None, prepare, admission.name)
        async with self._admitting:
            admission.check_waiting()
            self._who_yields_to(admission)  # if nobody does, there is no need to answer
            member = self._members.get(admission.participant) or self._new_member(admission)
            member.participant.hear(time.monotonic())  # who knocks is not gone while we answer
            session = Session(self._endpoint, self.fanout, member)
            answer = await session.answer(offer, publish=True)
            try:  # much may have changed while we answered
                self._door.check_open(returning=True)
                self._door.check_not_removed(admission.participant)
                admission.check_waiting()
                yielding = self._who_yields_to(admission)
                self._settle(self._mode_with(admission))
            except EdgeAttendError:
                await session.close()
                raise
            if yielding is not None:
                self._remove(yielding, None)
            if member.participant.state is ParticipantState.GONE:  # they left meanwhile: a newcomer then
                member = self._new_member(admission)
                session.hear_with(member)
            if admission.participant not in self._members:
                self._enter(member)
            else:
                self.counters.add_session(member)
            replaced = member.attach(session, admission.renew, admission.owner)
        if replaced is not None:
            replaced.send(Bye(ByeReason.REPLACED))
            self._closing.begin(replaced)
        self._arrange()
        return session.id, answer

    async def watch(self, offer: str, owner: str, address: str = "", participant: str | None = None) -> tuple[str, str]:
        """Let a viewer from `address` in; `participant`, if it is one who also watches.

        Returns session id and SDP answer; raises as `publish`.
        """
        self._door.check_open(returning=False)
        return await self._audience.let_in(offer, owner, address, participant)

    def name_of(self, participant_id: str) -> str | None:
        """The name on a participant's tile; None if they have none."""
        member = self._members.get(participant_id)
        return None if member is None else member.participant.name

    def owner_of(self, session_id: str) -> tuple[str, str | None] | None:
        """The token id and the participant a session belongs to; None if there is no such session here."""
        viewer = self._audience.owner_of(session_id)
        if viewer is not None:
            return viewer, None
        member = self._members.of_session(session_id)
        return None if member is None else (member.owner, member.participant.id)

    async def leave(self, session_id: str, *, removed: bool = False) -> None:
        """End a session; a participant's tile goes with it, and if they are `removed` by a host, they are told so.

        Raises `SessionUnknown`.
        """
        if self._audience.leave(session_id):
            return
        member = self._members.of_session(session_id)
        if member is None:
            raise SessionUnknown("expected the id of a session that is going on, got one that is not")
        if removed:
            self.remove(member.participant.id)
        else:
            self._remove(member, None)

    def remove(self, participant_id: str) -> None:
        """Send a participant away for good, also one who left a moment ago; `Removals.save` outlives a restart.

        Raises `ParticipantUnknown` for somebody who was never here.
        """
        member = self._members.get(participant_id)
        if member is None and not self._members.knows(participant_id):
            raise ParticipantUnknown("expected the id of a participant who is here, or was, got one who was not")
        self._door.remove(participant_id)
        self._audience.remove(participant_id)
        if member is not None:
            self._remove(member, ByeReason.REMOVED)

    def check_not_removed(self, participant_id: str) -> None:
        """Raise `ParticipantRemoved` for somebody whom a host sent away."""
        self._door.check_not_removed(participant_id)

    def set_mode(self, mode: Mode) -> None:
        """Settle what the host gets to see. Raises `ModeFixed` for a change after the first participant joined."""
        if mode is not self.record.mode and self.mode_fixed:
            raise ModeFixed(f"expected the mode {self.record.mode}, in which participants have joined, got {mode}")
        self._settle(mode)

    async def rename(self, title: str) -> None:
        """Show another title (a clean name) from now on."""
        await asyncio.get_running_loop().run_in_executor(None, prepare, title)
        self.title = title
        self._lay_out()

    def seen_of(self, participant_id: str) -> dict[str, Any]:
        """All that the host sees of one participant. Raises `ParticipantUnknown`, `ParticipantRemoved`."""
        self._door.check_not_removed(participant_id)
        return self.record.seen_of(self._members[participant_id].participant)

    def status(self, *, labels: bool) -> dict[str, Any]:
        """The room as JSON; moods, or in their stead the share, only with `labels`."""
        status: dict[str, Any] = {
            "room": self.name,
            "title": self.title,
            "mode": self.record.mode,
            "uptime_s": round(time.monotonic() - self._started_s, 1),
            "grid": describe_grid(self.grid, self.renderer.fps, self.fanout.viewers),
            "participants": [self.record.entry(m.participant, labels=labels) for m in self._members],
        }
        if labels:
            status["mode_fixed"] = self.mode_fixed
            if self.record.mode is Mode.AGGREGATE:
                status["share"] = self.record.share.describe()
        return status

    @property
    def draining(self) -> bool:
        """Whether its end has begun."""
        return self._door.draining

    @property
    def mode_fixed(self) -> bool:
        """Whether somebody has joined, or is joining, knowing what the host would see."""
        return self.counters.joins > 0 or self._answering > 0

    @property
    def crowd(self) -> int:
        """How many take part or watch."""
        return len(self._members) + len(self._audience)

    def ease(self, level: Level) -> None:
        """Give up what `level` says, and no more."""
        self._door.level = level
        self.fanout.strained = level is not Level.NORMAL
        fps = self.grid.fps
        self.renderer.rate = min(fps, EASED_GRID_FPS) if level >= Level.SLOWER else fps
        self._lay_out()

    def half_open(self) -> int:
        """Sessions that were answered and whose connection has not come about yet."""
        sessions = self._members.sessions() + self._audience.sessions()
        return sum(not session.ever_connected for session in sessions)

    def participants(self) -> list[Participant]:
        """Everybody who has a tile, in the order of the tiles."""
        return [member.participant for member in self._members]

    def totals(self) -> Counters:
        """`counters` with what those who are here now add to them."""
        return self.counters.plus(self._members)

    def _mode_with(self, admission: Admission) -> Mode:
        return admission.mode_in(self.record.mode, fixed=self.counters.joins > 0)

    def _settle(self, mode: Mode) -> None:
        self.record.mode = mode
        self.annotated.share = self.record.share if mode is Mode.AGGREGATE else None

    def _who_yields_to(self, admission: Admission) -> Member | None:
        """Who goes when they come in; None if there is a place. Raises `RoomFull` if there is none to be had."""
        if admission.participant in self._members or len(self._members) < MAX_PARTICIPANTS:
            return None
        connecting = [m for m in self._members if m.participant.state is ParticipantState.CONNECTING]
        half_open = [HalfOpen(m, m.address, m.participant.joined_s) for m in connecting]
        return who_yields(half_open, admission.address, time.monotonic(), f"{MAX_PARTICIPANTS} participants")

    def _enter(self, member: Member) -> None:
        self._members.enter(member)
        self.counters.joins += 1
        self.record.note("joined", member.participant)

    def _new_member(self, admission: Admission) -> Member:
        return Member(
            Participant(admission.participant, admission.name, admission.since_s),
            on_state=self._state_changed,
            on_mood=lambda member: self.record.note("label", member.participant),
            on_channel=self._greet,
            on_misbehaved=self._end_misbehaved,
            discard=self._closing.begin,
            address=admission.address,
        )

    def _greet(self, member: Member) -> None:
        """The channel is open: who they are, who is here, what to send."""
        self._welcome(member)
        member.send(self._members.roster())
        if member.asked is not None:
            member.send(member.asked)

    def _welcome(self, member: Member) -> None:
        member.send(Welcome(VERSION, member.participant.id, self.name, member.renew()))

    def _state_changed(self, member: Member) -> None:
        self.record.note("state", member.participant)
        self._members.say(self._members.roster())

    def _end_misbehaved(self, member: Member) -> None:
        self.counters.misbehaved += 1
        logger.warning("ended a session that kept sending messages we cannot take")
        self._remove(member, ByeReason.MISBEHAVED)

    def _remove(self, member: Member, reason: ByeReason | None) -> None:
        """Take a tile away: they left, fell silent for too long, or misbehaved."""
        if not self._members.remove(member):
            return
        self.counters.add_session(member)
        self.counters.removals += 1
        if reason is not None:
            member.send(Bye(reason))
        self._closing.begin(member.detach())
        member.participant.state = ParticipantState.GONE
        self.record.note("left", member.participant)
        self._arrange()

    def _arrange(self) -> None:
        """Lay the tiles out anew, tell everybody who is here, and each what size their tile needs."""
        self._lay_out()
        self._members.say(self._members.roster())

    def _lay_out(self) -> None:
        members = list(self._members)
        aspects = [aspect(member.participant) for member in members]
        rects = layout(self.grid.width, self.grid.height, aspects)
        tiles = tuple(Tile(member.participant, rect) for member, rect in zip(members, rects, strict=True))
        scene = Scene(self.title, tiles)
        if scene != self.renderer.scene:
            self.renderer.scene = scene
        for member, rect in zip(members, rects, strict=True):
            send = wanted(rect, self.renderer.rate, eased=self._door.level >= Level.SMALLER)
            if send != member.asked:
                member.asked = send
                member.send(send)

    async def _watch(self) -> None:
        """Once a tick: who fell silent, who came back, whose shape changed; pings and repeats when they are due."""
        repeats = Repeats()
        while True:
            await asyncio.sleep(TICK_S)
            try:
                self._tick(repeats, time.monotonic())
            except Exception:  # whatever it is, nobody else may go unwatched because of it
                logger.exception("could not look after the room")

    def _tick(self, repeats: Repeats, now: float) -> None:
        for member in self._members:
            self._look_after(member, now)
        self.record.sample(self.participants())
        self._audience.give_up(now, CONNECT_TIMEOUT_S)
        self._lay_out()
        self._repeat(repeats, now)

    def _look_after(self, member: Member, now: float) -> None:
        try:
            changed = member.tick(now)
            if member.participant.state is ParticipantState.GONE:
                self._remove(member, ByeReason.SILENT)
            elif changed:
                self._state_changed(member)
            if member.forget_old_mood(now):
                self.record.note("label", member.participant)
        except Exception:  # one of them: whoever comes after has to be looked after, too
            logger.exception("could not look after a participant")

    def _repeat(self, repeats: Repeats, now: float) -> None:
        if repeats.ping_due(now):
            self._members.say(Ping(repeats.pings))
        if repeats.repeat_due(now):
            self._members.say(self._members.roster())
            for member in self._members:
                if member.asked is not None:
                    member.send(member.asked)
        if repeats.renew_due(now):
            for member in self._members:
                self._welcome(member)
