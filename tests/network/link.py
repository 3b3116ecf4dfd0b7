"""The cables between namespaces, as bad as a test wants them: loss, delay, jitter, a rate, a cut.

A process of its own reads every IP packet from one namespace's TUN device and writes it to another's, when and if it
gets through. `tc netem` could do much of this, but not every kernel has it, and this one way works on all of them.

    python -m tests.network.link 1=FD 2=FD ...

gets a TUN descriptor for each namespace's number, then on standard input one JSON object per change: `Change`. It
answers each with a line of counters (`Counters`) on standard output, and ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
import time
from collections.abc import Callable

import msgspec

MTU = 1500
IPV4_HEADER = 20
READS_PER_TURN = 64
"""Packets taken from one device before others and the clock have their turn."""

MAX_ON_THE_WAY = 2000
"""Packets in one direction of a cable: more than ten seconds of what a participant sends or gets."""

QUEUE_S = 0.25
"""What waits in front of a slow cable, in seconds of its rate; then the newest is dropped, as routers do."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One direction of a cable. Delays are seconds; every packet is lost, or late, independently of the others, so
    that jitter also changes their order (as with netem)."""

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """More or less than the delay, evenly distributed."""
    kbps: float | None = None
    cut: bool = False
    """Nothing gets through, nor does what was on its way."""


GOOD = Condition()


class Change(msgspec.Struct, frozen=True):
    """The cable of namespace `number` from now on: what it sends (`up`) and what it gets (`down`)."""

    number: int
    up: Condition = GOOD
    down: Condition = GOOD


class Counters(msgspec.Struct):
    """Packets so far, in one direction of a cable."""

    passed: int = 0
    lost: int = 0
    """At random, in a cut, and where a queue was full."""


class Pipe:
    """One direction of a cable; `deliver` gets each packet that makes it, on the event loop."""

    def __init__(self, deliver: Callable[[bytes], None], seed: int) -> None:
        self.counters = Counters()
        self._deliver = deliver
        self._random = random.Random(seed)  # a test that fails shall fail again
        self._condition = GOOD
        self._free_s = 0.0
        self._on_the_way = 0
        self._cuts = 0

    def change(self, condition: Condition) -> None:
        """Be like this from now on."""
        self._cuts += condition.cut
        self._free_s = 0.0
        self._condition = condition

    def send(self, packet: bytes) -> None:
        """One packet enters."""
        condition = self._condition
        late_s = self._queue_s(len(packet), condition)
        if late_s is None or condition.cut or self._random.random() < condition.loss:
            self.counters.lost += 1
            return
        late_s += condition.delay_s + self._random.uniform(-condition.jitter_s, condition.jitter_s)
        if late_s <= 0:
            self._arrive(packet, self._cuts)
        elif self._on_the_way >= MAX_ON_THE_WAY:
            self.counters.lost += 1
        else:
            self._on_the_way += 1
            asyncio.get_running_loop().call_later(late_s, self._arrive_late, packet, self._cuts)

    def _queue_s(self, size: int, condition: Condition) -> float | None:
        """How long a packet of `size` bytes takes to be sent, after those before it; None if the queue is full."""
        if condition.kbps is None:
            return 0.0
        now = time.monotonic()
        if self._free_s - now > QUEUE_S:
            return None
        self._free_s = max(self._free_s, now) + size * 8 / (condition.kbps * 1000)
        return self._free_s - now

    def _arrive_late(self, packet: bytes, cuts: int) -> None:
        self._on_the_way -= 1
        self._arrive(packet, cuts)

    def _arrive(self, packet: bytes, cuts: int) -> None:
        if cuts != self._cuts:
            self.counters.lost += 1
            return
        self.counters.passed += 1
        self._deliver(packet)


class Switch:
    """Takes packets from every device, through the sender's pipe up and the receiver's pipe down."""

    def __init__(self, devices: dict[int, int]) -> None:
        """`devices`: number of a namespace -> descriptor of its TUN device."""
        self._devices = devices
        self._up = {number: Pipe(self._pass_on, 2 * number) for number in devices}
        self._down = {number: Pipe(self._writer(tun), 2 * number + 1) for number, tun in devices.items()}

    def start(self) -> None:
        """Begin, on the running loop."""
        loop = asyncio.get_running_loop()
        for number, tun in self._devices.items():
            loop.add_reader(tun, self._read, tun, self._up[number])

    def change(self, change: Change) -> dict[str, Counters]:
        """Take up `change`; the counters of that cable until now."""
        up, down = self._up[change.number], self._down[change.number]
        up.change(change.up)
        down.change(change.down)
        return {"up": up.counters, "down": down.counters}

    def _read(self, tun: int, up: Pipe) -> None:
        for _ in range(READS_PER_TURN):
            try:
                packet = os.read(tun, MTU)
            except BlockingIOError:
                return
            if len(packet) >= IPV4_HEADER and packet[0] >> 4 == 4:  # IPv6 has no addresses here but its own
                up.send(packet)

    def _pass_on(self, packet: bytes) -> None:
        """To the namespace that has 10.77.N.0/24 (IPv4: the destination is in bytes 16 to 19)."""
        down = self._down.get(packet[18])
        if down is not None and packet[16:18] == b"\x0a\x4d":
            down.send(packet)

    def _writer(self, tun: int) -> Callable[[bytes], None]:
        def write(packet: bytes) -> None:
            with contextlib.suppress(OSError):  # full, or down for a moment: lost, as it would be
                os.write(tun, packet)

        return write


async def run(devices: dict[int, int]) -> None:
    """Until standard input ends."""
    switch = Switch(devices)
    switch.start()
    changes = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(changes), sys.stdin)
    async for line in changes:
        counters = switch.change(msgspec.json.decode(line, type=Change))
        os.write(sys.stdout.fileno(), msgspec.json.encode(counters) + b"\n")


if __name__ == "__main__":
    asyncio.run(run({int(number): int(fd) for number, fd in (word.split("=") for word in sys.argv[1:])}))
