"""Somebody who only watches the clean grid."""

from __future__ import annotations

from collections.abc import Callable

from host.session import Session
from signaling.rtc import EncodedFrame


class Viewer:
    """Listens to a viewer's session for one thing: its end."""

    def __init__(self, owner: str, address: str, participant: str | None, on_lost: Callable[[Viewer], None]) -> None:
        """`owner`: the id of the token that may end this session; `address`: where it was opened from; `participant`:
        who watches, if the token says so."""
        self.owner, self.address, self.participant = owner, address, participant
        self.session: Session | None = None
        self._on_lost = on_lost

    def session_connected(self, session: Session) -> None:
        """See `SessionListener`."""

    def session_lost(self, session: Session) -> None:
        """See `SessionListener`."""
        self._on_lost(self)

    def session_channel(self, session: Session) -> None:
        """See `SessionListener`."""

    def session_message(self, session: Session, data: str | bytes) -> None:
        """See `SessionListener`; viewers have nothing to say."""

    def session_frame(self, session: Session, frame: EncodedFrame) -> None:
        """See `SessionListener`; viewers send no video."""
