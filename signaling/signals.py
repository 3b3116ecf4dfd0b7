"""Ctrl-C and SIGTERM: the first one asks for an end in order, the second one is not to be discussed."""

from __future__ import annotations

import asyncio
import signal

NUMBERS = (signal.SIGINT, signal.SIGTERM)


def stop_on_signals() -> asyncio.Event:
    """An event that Ctrl-C or SIGTERM sets; a second one ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask() -> None:
        stop.set()
        for number in NUMBERS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)  # Python's own for Ctrl-C would end in order, too

    for number in NUMBERS:
        try:
            loop.add_signal_handler(number, ask)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    return stop
