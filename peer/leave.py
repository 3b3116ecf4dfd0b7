"""The wish to leave the meeting: from a signal, a window or a broken pipe, in whatever thread."""

from __future__ import annotations

import asyncio
import threading


class Leave:
    """Asked for in any thread, awaited on one event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked = False
        self._waiting: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None

    def ask(self) -> None:
        """Leave now; any number of times."""
        with self._lock:
            self._asked = True
            if self._waiting is not None:
                loop, event = self._waiting
                loop.call_soon_threadsafe(event.set)

    async def wait(self) -> None:
        """Return when somebody asked."""
        event = asyncio.Event()
        with self._lock:
            if self._asked:
                return
            self._waiting = (asyncio.get_running_loop(), event)
        try:
            await event.wait()
        finally:
            with self._lock:
                self._waiting = None
