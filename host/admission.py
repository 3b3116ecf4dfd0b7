"""Who comes in, as whoever let them in knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admission:
    """`participant` names the tile, `renew` makes a personal token that takes it back, `owner` is the id of the token
    they came with, which may also end the session; `returning` if that is a personal one: they were here before;
    `address` is where they come from, for nothing but to tell a crowd of one from many."""

    participant: str
    name: str
    renew: Callable[[], str]
    owner: str
    returning: bool = False
    address: str = ""
