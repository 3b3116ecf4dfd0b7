"""Those who only watch the clean grid."""

from __future__ import annotations

import time
from collections.abc import Callable

from host.endpoint import Endpoint
from host.fanout import Fanout
from host.offer import parse_offer, require_watching
from host.places import HalfOpen, who_yields
from host.session import Session
from host.viewer import Viewer
from signaling.errors import Draining, EdgeAttendError

MAX_VIEWERS = 100


class Audience:
    """A room's viewers, by session. `close_session` is given the session of everybody who goes, `check_not_removed`
    raises for participants whom a host sent away."""

    def __init__(
        self,
        endpoint: Endpoint,
        fanout: Fanout,
        close_session: Callable[[Session], None],
        check_not_removed: Callable[[str], None],
    ) -> None:
        self._endpoint = endpoint
        self._fanout = fanout
        self._close_session = close_session
        self._check_not_removed = check_not_removed
        self._viewers: dict[str, Viewer] = {}
        self._closed = False

    def __len__(self) -> int:
        return len(self._viewers)

    async def let_in(
        self, offer_sdp: str, owner: str, address: str = "", participant: str | None = None
    ) -> tuple[str, str]:
        """Let a viewer from `address` in; `participant`, if it is one who also watches.

        Returns session id and SDP answer. Raises `SdpInvalid`, `SdpNoVideo`, `SdpCodecUnsupported` for an offer that
        cannot work, `RoomFull`, `ParticipantRemoved`, and `Draining` at the end.
        """
        self._check_not_removed(participant or "")
        offer = parse_offer(offer_sdp)
        require_watching(offer)
        self._who_yields_to(address)  # if nobody does, there is no need to answer
        viewer = Viewer(owner, address, participant, self._lost)
        session = Session(self._endpoint, self._fanout, viewer)
        answer = await session.answer(offer, publish=False)
        try:
            self._check_not_removed(participant or "")  # much may have changed while we answered
            yielding = self._who_yields_to(address)
        except EdgeAttendError:
            await session.close()
            raise
        if yielding is not None:
            self._lost(yielding)
        viewer.session = session
        self._viewers[session.id] = viewer
        return session.id, answer

    def owner_of(self, session_id: str) -> str | None:
        """The id of the token that may end a session; None if nobody here has it."""
        viewer = self._viewers.get(session_id)
        return None if viewer is None else viewer.owner

    def leave(self, session_id: str) -> bool:
        """End a session; whether it is one of ours."""
        viewer = self._viewers.get(session_id)
        if viewer is None:
            return False
        self._lost(viewer)
        return True

    def remove(self, participant: str) -> None:
        """End every session of somebody whom a host sent away."""
        for viewer in list(self._viewers.values()):
            if viewer.participant == participant:
                self._lost(viewer)

    def give_up(self, now_s: float, timeout_s: float) -> None:
        """End the sessions whose connection has not come about within `timeout_s`."""
        for session in self.sessions():
            if session.overdue(now_s, timeout_s):
                self.leave(session.id)

    def sessions(self) -> list[Session]:
        """Everybody's."""
        return [viewer.session for viewer in self._viewers.values() if viewer.session is not None]

    def close(self) -> None:
        """End every session, and let nobody in any more."""
        self._closed = True
        for session in self.sessions():
            self.leave(session.id)

    def _who_yields_to(self, address: str) -> Viewer | None:
        """Who goes when somebody from `address` comes in; None if there is a place. Raises `RoomFull`, `Draining`."""
        if self._closed:
            raise Draining("expected a server that goes on, got one that is shutting down; another may follow")
        if len(self._viewers) < MAX_VIEWERS:
            return None
        half_open = [
            HalfOpen(viewer, viewer.address, viewer.session.created_s)
            for viewer in self._viewers.values()
            if viewer.session is not None and not viewer.session.ever_connected
        ]
        return who_yields(half_open, address, time.monotonic(), f"{MAX_VIEWERS} viewers")

    def _lost(self, viewer: Viewer) -> None:
        session = viewer.session
        if session is not None and self._viewers.pop(session.id, None) is not None:
            self._close_session(session)
