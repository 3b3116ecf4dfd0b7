"""What a data channel may bring: bounds that aiortc has not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiortc import RTCPeerConnection
from aiortc.rtcsctptransport import DataChunk, SackChunk

from signaling.sctp import MAX_AHEAD, MAX_CHANNELS, MAX_UNFINISHED, bound_channels

LAST = 2**32 - 10
"""The sequence number of the last chunk that came: the next ones wrap."""


class FakeSctp:
    """Takes chunks, and has as much of everything as a test says."""

    def __init__(self) -> None:
        self.taken: list[Any] = []
        self.fails: Exception | None = None
        self._last_received_tsn: int | None = LAST
        self._inbound_streams: dict[int, Any] = {}
        self._data_channels: dict[int, Any] = {}

    async def _receive_chunk(self, chunk: Any) -> None:
        if self.fails is not None:
            raise self.fails
        self.taken.append(chunk)


@pytest.fixture
def sctp() -> Any:
    sctp = FakeSctp()
    connection: Any = SimpleNamespace(sctp=sctp)
    bound_channels(connection)
    return sctp


def chunk(ahead: int) -> DataChunk:
    chunk = DataChunk()
    chunk.tsn = (LAST + ahead) % 2**32
    return chunk


@pytest.mark.parametrize("ahead", [-1, 0, 1, 20, MAX_AHEAD])
async def test_chunks_of_the_window_are_taken(sctp: Any, ahead: int) -> None:
    await sctp._receive_chunk(chunk(ahead))
    assert len(sctp.taken) == 1


@pytest.mark.parametrize("ahead", [MAX_AHEAD + 1, 2**20, 2**30])
async def test_chunks_far_ahead_are_not_kept(sctp: Any, ahead: int) -> None:
    await sctp._receive_chunk(chunk(ahead))
    assert not sctp.taken


async def test_chunks_before_there_is_an_association_are_not_taken(sctp: Any) -> None:
    sctp._last_received_tsn = None
    await sctp._receive_chunk(chunk(1))
    assert not sctp.taken


async def test_acknowledgements_of_what_was_never_sent_are_not_counted_through(sctp: Any) -> None:
    honest, wide, backwards = SackChunk(), SackChunk(), SackChunk()
    honest.gaps = [(2, 3), (5, 9)]
    wide.gaps = [(1, 65535)] * 290
    backwards.gaps = [(1, 65535), (65535, 1)] * 145  # nothing at all, if their widths were added up
    for sack in (honest, wide, backwards):
        await sctp._receive_chunk(sack)
    assert [sack.gaps for sack in sctp.taken] == [[(2, 3), (5, 9)], [], []]


@pytest.mark.parametrize("error", [AssertionError(), KeyError(1), UnicodeDecodeError("utf8", b"", 0, 1, "")])
async def test_what_aiortc_fails_at_ends_the_connection_and_no_more(sctp: Any, error: Exception) -> None:
    sctp.fails = error
    with pytest.raises(ConnectionError):
        await sctp._receive_chunk(chunk(1))


@pytest.mark.parametrize("kind", ["_data_channels", "_inbound_streams"])
async def test_there_is_a_limit_to_the_number_of_channels(sctp: Any, kind: str) -> None:
    setattr(sctp, kind, {number: SimpleNamespace(reassembly=[]) for number in range(MAX_CHANNELS)})
    await sctp._receive_chunk(chunk(1))
    getattr(sctp, kind)[MAX_CHANNELS] = SimpleNamespace(reassembly=[])
    with pytest.raises(ConnectionError):
        await sctp._receive_chunk(chunk(2))


async def test_messages_without_an_end_are_not_kept_for_ever(sctp: Any) -> None:
    sctp._inbound_streams[0] = SimpleNamespace(reassembly=[None] * MAX_UNFINISHED)
    await sctp._receive_chunk(chunk(1))
    sctp._inbound_streams[1] = SimpleNamespace(reassembly=[None])
    with pytest.raises(ConnectionError):
        await sctp._receive_chunk(chunk(2))


async def test_a_connection_without_data_channels_is_left_alone() -> None:
    connection = RTCPeerConnection()
    bound_channels(connection)
    assert connection.sctp is None
    await connection.close()
