"""Somebody who only watches."""

from __future__ import annotations

from typing import Any

from host.viewer import Viewer
from signaling.rtc import EncodedFrame


def test_a_viewers_session_is_listened_to_for_its_end_alone() -> None:
    lost: list[Viewer] = []
    viewer = Viewer("owner", "192.0.2.1", None, lost.append)
    session: Any = object()
    viewer.session_connected(session)
    viewer.session_channel(session)
    viewer.session_message(session, "hello")
    viewer.session_frame(session, EncodedFrame("VP8", b"x", 0, 0.0, key=True))
    assert lost == []
    viewer.session_lost(session)
    assert lost == [viewer]
