"""Time that stands still until a test moves it."""

from __future__ import annotations

import time
from typing import Any

import pytest


class FakeClock:
    """Stands in for the module `time` inside the modules of ours it is installed in; nobody else sees it."""

    def __init__(self, now_s: float = 1000.0) -> None:
        self.now_s = now_s

    def install(self, monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
        """Replace the name `time` in each of `modules`."""
        for module in modules:
            monkeypatch.setattr(f"{module}.time", self)

    def monotonic(self) -> float:
        """As `time.monotonic`."""
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self.now_s += seconds

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
