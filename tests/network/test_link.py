"""The instrument itself: a cable is as bad as it was told to be."""

from __future__ import annotations

import asyncio
import socket
import time
from statistics import mean

from tests.network.link import QUEUE_S, Condition
from tests.network.network import Network

SIZE = 1000
"""Bytes of a datagram, without 28 of headers."""


class Probe(asyncio.DatagramProtocol):
    """Notes which numbers arrive, and how long they were on their way (s)."""

    def __init__(self) -> None:
        self.late_s: dict[int, float] = {}

    def datagram_received(self, data: bytes, addr: object) -> None:
        number, sent = data.split(b" ")[:2]
        self.late_s[int(number)] = time.monotonic() - float(sent)


async def send(network: Network, count: int, every_s: float) -> dict[int, float]:
    """`count` datagrams from namespace 1 to namespace 2; how late each was that came."""
    loop = asyncio.get_running_loop()
    receiving = network[2].socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
    receiving.setblocking(False)
    receiving.bind((network[2].address, 5000))
    transport, probe = await loop.create_datagram_endpoint(Probe, sock=receiving)
    with network[1].socket(socket.AF_INET, socket.SOCK_DGRAM, 0) as sending:
        for number in range(count):
            text = f"{number} {time.monotonic()} ".encode()
            sending.sendto(text.ljust(SIZE), (network[2].address, 5000))
            await asyncio.sleep(every_s)
    await asyncio.sleep(0.5)  # for what is still on its way
    transport.close()
    return probe.late_s


async def test_a_good_cable_carries_everything_at_once(net: Network) -> None:
    late_s = await send(net, 100, 0.002)
    assert list(late_s) == list(range(100))
    assert mean(late_s.values()) < 0.05


async def test_loss_is_what_was_asked_for(net: Network) -> None:
    await net.set(2, Condition(loss=0.2))
    assert 120 < len(await send(net, 200, 0.002)) < 190
    counters = await net.set(2, Condition())
    assert counters["down"].passed + counters["down"].lost == 200


async def test_delay_and_jitter_are_what_was_asked_for(net: Network) -> None:
    await net.set(2, Condition(delay_s=0.15, jitter_s=0.03))
    late_s = await send(net, 100, 0.005)
    assert len(late_s) == 100
    assert min(late_s.values()) >= 0.12
    assert 0.14 < mean(late_s.values()) < 0.2
    assert list(late_s) != sorted(late_s)


async def test_a_slow_cable_passes_its_rate_and_drops_what_its_queue_does_not_hold(net: Network) -> None:
    await net.set(2, Condition(kbps=300))
    late_s = await send(net, 120, 0.005)  # 1.6 Mbit/s for at least 0.6 s
    assert 20 < len(late_s) < 60
    one_s = (SIZE + 28) * 8 / 300_000
    assert max(late_s.values()) < QUEUE_S + 2 * one_s + 0.1


async def test_a_cut_lets_nothing_through_in_one_direction_or_both(net: Network) -> None:
    await net.set(2, up=Condition(cut=True), down=Condition())
    assert len(await send(net, 5, 0.001)) == 5
    await net.set(2, Condition(cut=True))
    assert not await send(net, 5, 0.001)
    await net.set(2, Condition())
    assert len(await send(net, 5, 0.001)) == 5


async def test_a_namespace_that_moves_is_found_at_its_new_address_alone(net: Network) -> None:
    before = net[2].address
    net[2].move(2)
    assert net[2].address != before
    assert len(await send(net, 5, 0.001)) == 5
