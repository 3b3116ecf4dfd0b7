"""A source that shows what a test tells it to, when it tells it to."""

from __future__ import annotations

import numpy as np

from peer.source import Pixels, Source, SourceState


class FakeSource(Source):
    """Never starts a thread; `show` publishes."""

    def _run(self) -> None:
        self._stopping.wait()

    def show(self, bgr: Pixels | None = None) -> None:
        """Publish one frame, (48, 64, 3) mid-grey unless given."""
        self._publish(np.full((48, 64, 3), 128, np.uint8) if bgr is None else bgr)

    def lose(self, reason: str = "unplugged") -> None:
        """As when a camera goes away."""
        self._set_state(SourceState.LOST, reason)
