"""Those who have a tile, in the order in which they first came: which is the order of the tiles."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

from host.member import Member
from host.session import Session
from signaling.errors import ParticipantUnknown
from signaling.protocol import FromHost, Roster

MAX_KNOWN = 10_000
"""People who were here, the last ones."""


class Members:
    """A room's, by participant id. Walking over them is safe against who comes and goes meanwhile."""

    def __init__(self) -> None:
        self._by_id: dict[str, Member] = {}
        self._known: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Member]:
        return iter(list(self._by_id.values()))

    def __contains__(self, participant_id: str) -> bool:
        return participant_id in self._by_id

    def __getitem__(self, participant_id: str) -> Member:
        """Who has this tile. Raises `ParticipantUnknown`."""
        member = self._by_id.get(participant_id)
        if member is None:
            raise ParticipantUnknown("expected the id of a participant who is here, got one who is not")
        return member

    def get(self, participant_id: str) -> Member | None:
        """Who has this tile; None if nobody does."""
        return self._by_id.get(participant_id)

    def knows(self, participant_id: str) -> bool:
        """Whether they are here or were, among the last `MAX_KNOWN`."""
        return participant_id in self._known

    def of_session(self, session_id: str) -> Member | None:
        """Whose session it is; None if it is nobody's."""
        return next((member for member in self if member.session_id == session_id), None)

    def sessions(self) -> list[Session]:
        """Everybody's who has one now."""
        return [member.session for member in self if member.session is not None]

    def enter(self, member: Member) -> None:
        """They have a tile from now on: where they had it before, if they were here."""
        self._by_id[member.participant.id] = member
        self._known[member.participant.id] = None
        self._known.move_to_end(member.participant.id)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
        self._by_id = dict(sorted(self._by_id.items(), key=lambda entry: entry[1].participant.since_s))

    def remove(self, member: Member) -> bool:
        """Take their tile away; whether they had one."""
        return self._by_id.pop(member.participant.id, None) is not None

    def roster(self) -> Roster:
        """Who is here, as everybody may know."""
        return Roster([member.participant.roster_entry() for member in self])

    def say(self, message: FromHost) -> None:
        """Send one message to everybody."""
        for member in self:
            member.send(message)
