"""What all fuzz tests have in common."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_strain(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is, the host refuses nobody for it."""
    monkeypatch.setattr("host.headroom.STRAINED_S", float("inf"))
