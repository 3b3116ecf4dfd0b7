"""Sessions on their way out: closed in the background, never cancelled half way: aiortc does not survive that."""

from __future__ import annotations

import asyncio
import logging

from host.session import Session

logger = logging.getLogger(__name__)

CLOSE_PATIENCE_S = 2.0
"""aiortc waits for tasks of its own when it closes, without limit."""


class Closing:
    """Owns the tasks that close sessions. Event loop only."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, session: Session | None) -> None:
        """Close `session`, if there is one, without waiting for it."""
        if session is None:
            return
        task = asyncio.create_task(session.close(), name="close session")
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def finish(self) -> None:
        """Wait for all; one that hangs does not keep the others open for longer than `CLOSE_PATIENCE_S`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_PATIENCE_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("could not close a session", exc_info=task.exception())
