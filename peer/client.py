"""Stays in the meeting: opens a session, and another one whenever it is lost, for as long as it runs."""

from __future__ import annotations

import logging
import random
from asyncio import sleep
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import aiohttp

from peer import whip
from peer.link import Link
from peer.mood import MoodBoard
from peer.session import MeetingSession, SessionConfig, SessionEnd, SessionEvents
from peer.source import Source
from signaling.protocol import ByeReason
from signaling.rtc import EncodedFrame

logger = logging.getLogger(__name__)

FINAL_BYES = (ByeReason.REMOVED, ByeReason.MISBEHAVED, ByeReason.REPLACED)
"""Coming back after one of these would be against somebody's will."""
FINAL_CODES = ("removed", "mode_changed", "mode_fixed")
"""The same, as an answer: or the host sees something else of us now than when we came."""


@dataclass(frozen=True)
class ClientConfig:
    """When to try again, in seconds, and the patience of each session."""

    retry_first_s: float = 0.5
    retry_most_s: float = 2.0
    """Everybody shall be back 5 s after a cut: this, a try that just missed its end, and a second to connect."""
    session: SessionConfig = field(default_factory=SessionConfig)


class ClientListener(Protocol):
    """Hears of the meeting's course, on the event loop."""

    def connected(self, participant: str) -> None:
        """We are in the meeting, with this id ("": the host did not say)."""

    def disconnected(self, reason: str) -> None:
        """We are not in the meeting any more."""

    def error(self, code: str, message: str) -> None:
        """The host, or the network, does not let us in."""


class MeetingClient:
    """Runs sessions one after the other. A personal token, once given, keeps identity and tile across them."""

    def __init__(
        self,
        link: Link,
        name: str,
        *,
        source: Source,
        moods: MoodBoard | None,
        listener: ClientListener,
        on_grid_frame: Callable[[EncodedFrame], None],
        config: ClientConfig | None = None,
    ) -> None:
        self._link, self._name, self._source, self._moods = link, name, source, moods
        self._listener, self._on_grid_frame = listener, on_grid_frame
        self._config = config or ClientConfig()
        self._resume = ""
        self._session: MeetingSession | None = None
        self._connected = False
        self._ever_connected = False
        self._failures = 0
        self._asked_s = 0.0
        self._told: tuple[str, str] | None = None

    @property
    def ever_connected(self) -> bool:
        """Whether there was a session that worked."""
        return self._ever_connected

    def need_key_frame(self) -> None:
        """Whoever decodes the grid lost the thread."""
        if self._session is not None:
            self._session.need_key_frame()

    async def run(self) -> None:
        """Take part until cancelled, which leaves politely, or until coming back makes no sense any more."""
        # A connection kept from before a cut, or from an address that is gone, would swallow the next offer.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as http:
            while await self._attend(http):  # noqa: ASYNC110  it is the meeting that is waited for
                await sleep(self._delay_s())

    def _delay_s(self) -> float:
        """Exponential back-off with full jitter: a hundred participants of a restarted host must not come at once.

        It comes on top of what the host asked for, which told all of them the same.
        """
        asked_s, self._asked_s = self._asked_s, 0.0
        most = min(self._config.retry_most_s, self._config.retry_first_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return asked_s + random.uniform(0.0, most)  # noqa: S311  not a secret

    async def _attend(self, http: aiohttp.ClientSession) -> bool:
        """One session from offer to end; whether to try again."""
        events = SessionEvents(self._on_connected, self._on_grid_frame, self._on_resume)
        session = MeetingSession(http, self._source, self._moods, events, self._config.session)
        self._session = session
        ended: SessionEnd | None = None
        try:
            await session.open(self._link.whip(self._name), self._resume or self._link.token)
            ended = await session.run()
        except whip.Refused as refused:
            self._asked_s = refused.retry_after_s
            if refused.code in FINAL_CODES:
                self._on_failure(refused.code, refused.message, final=True)
                return False
            if self._resume and refused.status in whip.TOKEN_REFUSED:
                self._resume = ""  # the host may have a new secret: ask once more as a newcomer
                return True
            return self._on_failure(refused.code, refused.message, final=refused.lasting)
        except whip.Unreachable as unreachable:
            return self._on_failure("host_unreachable", unreachable.message, final=unreachable.lasting)
        finally:
            self._session = None
            # After the host's own bye or a lost connection there is nothing to leave, and the tile shall wait for us.
            await session.close(leave=ended is None)
        return self._on_end(ended)

    def _on_failure(self, code: str, message: str, *, final: bool) -> bool:
        if self._told != (code, message):
            self._told = (code, message)
            self._listener.error(code, message)
        return self._ever_connected or not final

    def _on_end(self, end: SessionEnd) -> bool:
        if self._connected:
            self._connected = False
            self._listener.disconnected(end.reason)
        elif not end.by_host:
            self._on_failure("no_connection", f"expected a connection for media, got: {end.reason}", final=False)
        return not (end.by_host and end.reason in FINAL_BYES)

    def _on_connected(self, participant: str) -> None:
        self._connected = self._ever_connected = True
        self._failures = 0
        self._told = None
        self._listener.connected(participant)

    def _on_resume(self, token: str) -> None:
        self._resume = token
