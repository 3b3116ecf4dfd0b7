"""Sessions that end in the background."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from host.closing import Closing
from tests.fake_peer import until


class FakeSession:
    """Closes when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.let = asyncio.Event()
        self.closed = False
        self._error = error

    async def close(self) -> None:
        await self.let.wait()
        if self._error is not None:
            raise self._error
        self.closed = True


def begin(closing: Closing, *sessions: Any) -> None:
    for session in sessions:
        closing.begin(session)


async def test_everybody_is_closed_side_by_side_and_forgotten() -> None:
    closing, sessions = Closing(), [FakeSession() for _ in range(3)]
    begin(closing, *sessions)
    assert len(closing) == 3
    for session in reversed(sessions):
        session.let.set()
    await closing.finish()
    assert all(session.closed for session in sessions)
    await until(lambda: len(closing) == 0)


async def test_one_that_does_not_close_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("host.closing.CLOSE_PATIENCE_S", 0.05)
    closing, stuck, other = Closing(), FakeSession(), FakeSession()
    begin(closing, stuck, other)
    other.let.set()
    async with asyncio.timeout(5):
        await closing.finish()
    assert (other.closed, stuck.closed) == (True, False)
    stuck.let.set()
    await until(lambda: stuck.closed)  # it was not cancelled


async def test_one_that_fails_is_logged_and_the_others_close(caplog: pytest.LogCaptureFixture) -> None:
    closing, bad, good = Closing(), FakeSession(RuntimeError("broken")), FakeSession()
    begin(closing, bad, good)
    bad.let.set()
    good.let.set()
    await closing.finish()
    await until(lambda: len(closing) == 0)
    assert good.closed
    assert "could not close a session" in caplog.text


async def test_with_nothing_to_close_it_is_finished_at_once() -> None:
    await Closing().finish()
