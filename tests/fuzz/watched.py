"""What must not be left behind, whatever was sent: tasks, sockets, failures that nobody was told of."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.fake_peer import until
from tests.fuzz.process import open_sockets

UNTIL_QUIET_S = 10.0


class Faults(logging.Handler):
    """Keeps what was logged as an error, what asyncio had to tell, and tracebacks at any level."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Of logging: one line."""
        text = record.getMessage()
        if record.levelno >= logging.ERROR or "Traceback" in text or record.exc_info:
            self.found.append(f"{record.name}: {text} {record.exc_info!r}")

    def told(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Of asyncio: an exception that nobody waited for."""
        self.found.append(repr(context))


@asynccontextmanager
async def nothing_left_behind() -> AsyncIterator[Faults]:
    """At the end as many tasks and sockets as at the beginning, and no fault in between."""
    faults = Faults()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(faults.told)
    logging.getLogger().addHandler(faults)
    tasks, sockets = asyncio.all_tasks(), open_sockets()

    def new() -> set[asyncio.Task[Any]]:
        return asyncio.all_tasks() - tasks - {asyncio.current_task()}

    try:
        yield faults
        try:
            await until(lambda: not new() and open_sockets() <= sockets, UNTIL_QUIET_S)
        except TimeoutError:
            left = [task.get_coro() for task in new()]
            raise AssertionError(f"{open_sockets() - sockets} sockets and {left} were left; {faults.found}") from None
        gc.collect()  # tasks tell of their exception as they go
        await asyncio.sleep(0)
    finally:
        logging.getLogger().removeHandler(faults)
        loop.set_exception_handler(None)
    assert not faults.found, faults.found
