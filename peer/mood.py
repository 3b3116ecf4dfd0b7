"""The latest word of perception, for whoever on the event loop passes it on."""

from __future__ import annotations

import asyncio
import contextlib

from peer.perception.worker import Decision


class MoodBoard:
    """Holds the newest decision, and wakes tasks when the label or its reason changes. Lives on the event loop."""

    def __init__(self) -> None:
        self.decision: Decision | None = None
        self.changes = 0
        self._changed = asyncio.Event()

    def put(self, decision: Decision) -> None:
        """Take the newest decision."""
        before, self.decision = self.decision, decision
        old = before.verdict if before is not None else None
        if old is None or (old.label, old.reason) != (decision.verdict.label, decision.verdict.reason):
            self.changes += 1
            self._changed.set()
            self._changed = asyncio.Event()

    async def wait_change(self, seen: int, timeout_s: float) -> int:
        """Wait until `changes` is not `seen` any more, for at most `timeout_s`; returns `changes`."""
        if self.changes == seen:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait()
        return self.changes
