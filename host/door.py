"""Who may come in: nobody at the end, no newcomers while there is too much to do, never whom a host sent away."""

from __future__ import annotations

from host.headroom import Level
from signaling.errors import Draining, Overloaded, ParticipantRemoved
from signaling.removals import Removals


class Door:
    """A room's; `removals` may be other rooms' as well, since ids are nobody else's."""

    def __init__(self, removals: Removals) -> None:
        self._removals = removals
        self.level = Level.NORMAL
        self.draining = False  # from the beginning of the room's end on

    def remove(self, participant_id: str) -> None:
        """They never come in again."""
        self._removals.add(participant_id)

    def check_open(self, *, returning: bool) -> None:
        """Raise `Draining` at the end; `Overloaded` where there is too much to do for more than who is `returning`."""
        if self.draining:
            raise Draining("expected a server that goes on, got one that is shutting down; another may follow")
        if self.level is Level.REFUSING and not returning:
            raise Overloaded("expected a host with room for one more, got one that has too much to do; try again later")

    def check_not_removed(self, participant_id: str) -> None:
        """Raise `ParticipantRemoved` for somebody whom a host sent away."""
        if participant_id in self._removals:
            raise ParticipantRemoved("expected a participant who may be here, got one whom the host has removed")
