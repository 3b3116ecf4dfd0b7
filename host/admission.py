"""Who comes in, as whoever let them in knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host.mode import Mode
from signaling.errors import BadRequest, ModeChanged, ModeFixed


@dataclass(frozen=True, slots=True)
class Admission:
    """`participant` names the tile, `renew` makes a personal token that takes it back, `owner` is the id of the token
    they came with, which may also end the session; `returning` if that is a personal one: they were here before;
    `address` is where they come from, for nothing but to tell a crowd of one from many; `since_s` is when they first
    came (Unix s).

    `waits`: whether they still wait for the answer. An offer that was given up may arrive late, after a cut: it must
    not take the tile from the session that came after it.

    `agreed` is the mode they were told of, if they say; `aggregate`, whether they first came in in that mode, maybe
    before a restart.
    """

    participant: str
    name: str
    renew: Callable[[], str]
    owner: str
    returning: bool = False
    address: str = ""
    waits: Callable[[], bool] = lambda: True
    since_s: float = 0.0
    agreed: str | None = None
    aggregate: bool = False

    def check_waiting(self) -> None:
        """Raise `BadRequest`, which nobody hears, when nobody waits."""
        if not self.waits():
            raise BadRequest("expected somebody who waits for the answer, and nobody does any more")

    def mode_in(self, mode: Mode, *, fixed: bool) -> Mode:
        """The mode of the room, now `mode`, once they are in: nobody's label is shown without their consent.

        Raises `ModeFixed` where it would be another and is `fixed`, `ModeChanged` where it is not what they agreed to.
        """
        wanted = Mode.AGGREGATE if self.aggregate else mode
        if wanted is not mode and fixed:
            raise ModeFixed(f"expected the mode {mode}, in which participants have joined, got {wanted}")
        if self.agreed is not None and self.agreed != wanted:
            raise ModeChanged(f"expected the room's mode, which is {wanted} now, got an offer for another")
        return wanted
