"""Packets to attack with: the ones that once did harm or look as if they could, and mutations of good ones."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from random import Random

from aioice import stun

USERNAME, INTEGRITY, ERROR_CODE, MAPPED, PRIORITY, USE_CANDIDATE = 0x0006, 0x0008, 0x0009, 0x0020, 0x0024, 0x0025
FINGERPRINT, CONTROLLED, CONTROLLING = 0x8028, 0x8029, 0x802A


def mutated(data: bytes, dice: Random) -> bytes:
    """`data` with bytes changed, cut out, doubled or put in."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(out)) if out else 0
        match dice.randrange(6):
            case 0 if out:
                out[at] ^= 1 << dice.randrange(8)
            case 1 if out:
                out[at] = dice.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                del out[at : at + dice.randint(1, 16)]
            case 3:
                out[at:at] = dice.randbytes(dice.randint(1, 16))
            case 4:
                out += out[at : at + 32]
            case 5:
                del out[at:]
    return bytes(out)


def attribute(kind: int, value: bytes = b"", length: int | None = None) -> bytes:
    """A STUN attribute (RFC 8489 14); its `length` may lie."""
    return struct.pack("!HH", kind, len(value) if length is None else length) + value + bytes(-len(value) % 4)


def stun_message(kind: int, *attributes: bytes, transaction: bytes = bytes(12), length: int | None = None) -> bytes:
    """A STUN message (RFC 8489 5)."""
    body = b"".join(attributes)
    return struct.pack("!HHI", kind, len(body) if length is None else length, stun.COOKIE) + transaction + body


def stun_packets(dice: Random, username: str) -> Iterator[bytes]:
    """Requests, responses and errors from somebody without the password, `username` known."""
    name, integrity = attribute(USERNAME, username.encode()), attribute(INTEGRITY, dice.randbytes(20))
    for kind in (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0006, 0x0116, 0x0017, 0x3FFF):
        yield stun_message(kind)
        yield stun_message(kind, name, integrity)
        yield stun_message(kind, transaction=dice.randbytes(12))
    for kind in (0x0001, 0x0101, 0x0111):
        for code in (*range(0x30), 0x8022, *range(0x8028, 0x802D), 0xFFFF):
            for size in (0, 1, 2, 3, 4, 5, 7, 8, 20):
                yield stun_message(kind, name, attribute(code, dice.randbytes(size)))
            yield stun_message(kind, attribute(code, b"\xff" * 8, length=0xFFFF))
        yield stun_message(kind, attribute(MAPPED, b"\x00\x09" + bytes(6)), attribute(ERROR_CODE, b"\x00\x00\x04\x57"))
    conflict = attribute(CONTROLLED, b"\xff" * 8), attribute(CONTROLLING, b"\xff" * 8), attribute(USE_CANDIDATE)
    yield stun_message(0x0001, name, attribute(PRIORITY, b"\xff" * 4), *conflict, integrity)
    yield stun_message(0x0001, name, *conflict, attribute(FINGERPRINT, bytes(4)))
    yield stun_message(0x0001, length=0xFFFC)


def other_packets(dice: Random) -> Iterator[bytes]:
    """What no parser asked for: nothing, too much, DTLS and RTP of nobody."""
    yield b""
    for size in (1, 2, 12, 13, 20, 1499, 1500, 1501, 9000, 65_507):
        for first in (0, 4, 20, 22, 23, 63, 64, 128, 144, 191, 192, 255):
            yield bytes([first]) + dice.randbytes(size - 1)
    hello = b"\x01" + (60).to_bytes(3, "big") + bytes(5) + (60).to_bytes(3, "big") + b"\xfe\xfd" + dice.randbytes(58)
    for version in (b"\xfe\xfd", b"\xfe\xff", b"\x03\x03"):
        for kind in (*range(20, 27), 63):
            for body in (b"", b"\x02\x28", b"\x01\x00", b"\x02\x00", hello, hello[:30]):
                for epoch in (0, 1):
                    head = bytes([kind]) + version + struct.pack("!HHIH", epoch, 0, dice.randrange(2**32), len(body))
                    yield head + body
                    yield head[:11] + b"\xff\xff" + body


def rtp(payload_type: int, number: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False) -> bytes:
    """An RTP packet (RFC 3550 5.1)."""
    second = payload_type | (0x80 if marker else 0)
    return struct.pack("!BBHII", 0x80, second, number & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + payload


def extended(
    packet: bytes, profile: int, value: bytes, *, words: int | None = None, flags: int = 0x10, csrc: int = 0
) -> bytes:
    """`packet` with a header extension, CSRCs, or the padding bit."""
    head = bytes([packet[0] | flags | csrc]) + packet[1:12] + bytes(4 * csrc)
    value += bytes(-len(value) % 4)
    return head + struct.pack("!HH", profile, len(value) // 4 if words is None else words) + value + packet[12:]


def bad_rtp(dice: Random, payload_types: list[int], ssrc: int) -> Iterator[bytes]:
    """Headers, extensions, descriptors and numbers that nobody sends."""
    descriptors = [bytes([first, second]) for first in (0x00, 0x10, 0x80, 0x90, 0xFF) for second in range(0, 256, 16)]
    stap = [b"\x78", b"\x78\x00", b"\x78\xff\xff\x65", b"\x78\x00\x00", b"\x7c", b"\x7c\x85", b"\x7c\x05x", b"\x1f\x00"]
    payloads = [b"", b"\x00", b"\x00\x01", *descriptors, *stap, dice.randbytes(1100)]
    for number, payload in enumerate(payloads):
        for kind in payload_types:
            yield rtp(kind, number, number * 3000, ssrc, payload, marker=bool(number & 1))
    plain = rtp(payload_types[0], 0, 0, ssrc, b"\x10" + bytes(20))
    for profile in (0xBEDE, 0x1000):
        for identity in range(1, 15):
            for size in range(1, 6):
                head = bytes([identity << 4 | (size - 1)]) if profile == 0xBEDE else bytes([identity, size])
                yield extended(plain, profile, head + b"\xff" * size)
        yield extended(plain, profile, b"\x1f\x01")
        yield extended(plain, profile, b"\x00" * 8, words=2000)
    yield extended(plain, 0xBEDE, b"", flags=0x30, csrc=15)
    for padding in (0, 1, 21, 22, 255):
        yield bytes([plain[0] | 0x20]) + plain[1:-1] + bytes([padding])


def jumping_rtp(payload_type: int, ssrc: int) -> Iterator[bytes]:
    """Sequence numbers and timestamps from one end to the other."""
    for number in (1, 32_768, 1, 65_535, 0, 30_000, 60_000, 25_000, 57_767):
        for timestamp in (0, 0xFFFFFFFF, 0x7FFFFFFF):
            yield rtp(payload_type, number, timestamp, ssrc, b"\x10" + bytes(12), marker=True)


def in_order(packets: Iterable[bytes], ssrc: int) -> Iterator[bytes]:
    """RTP with sequence numbers that count up: libsrtp takes none twice."""
    for number, packet in enumerate(packets):
        yield packet[:2] + struct.pack("!H", number & 0xFFFF) + packet[4:8] + struct.pack("!I", ssrc) + packet[12:]


def rtcp(kind: int, count: int, body: bytes, words: int | None = None) -> bytes:
    """An RTCP packet (RFC 3550 6.4)."""
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4 if words is None else words) + body


def bad_rtcp(dice: Random, ours: int, theirs: int) -> Iterator[bytes]:
    """Reports and feedback that lie; `ours` is the attacker's SSRC, `theirs` what the host sends the grid with."""
    heads = struct.pack("!II", ours, theirs)
    everything = b"".join(struct.pack("!HH", number & 0xFFFF, 0xFFFF) for number in range(0, 17 * 300, 17))
    yield from (rtcp(205, 1, heads + everything) for _ in range(20))
    for count in (0, 1, 2, 255):
        for exponent in (0, 63):
            remb = b"REMB" + bytes([count, exponent << 2 | 3, 255, 255]) + struct.pack("!I", theirs)
            yield rtcp(206, 15, struct.pack("!II", ours, 0) + remb)
    for kind in range(192, 209):
        for count in (0, 1, 31):
            for size in (0, 4, 8, 12, 24, 28, 52):
                yield rtcp(kind, count, (heads + dice.randbytes(64))[:size])
        yield rtcp(kind, 1, heads, words=0xFFFF)
        yield rtcp(kind, 1, heads, words=0)
    worst = struct.pack("!IBBBBIIII", theirs, 255, 0x7F, 255, 255, 2**32 - 1, 2**32 - 1, 2**32 - 1, 2**32 - 1)
    yield rtcp(201, 1, struct.pack("!I", ours) + worst)
    yield rtcp(200, 1, struct.pack("!IQIII", ours, 2**64 - 1, 0, 2**32 - 1, 2**32 - 1) + worst)
    yield from (rtcp(206, fmt, heads + bytes(8)) for fmt in (1, 4) for _ in range(100))
    yield rtcp(202, 1, struct.pack("!I", ours) + b"\x01\xff" + bytes(2))
    yield rtcp(203, 1, struct.pack("!I", ours))
    yield rtcp(203, 31, struct.pack("!I", theirs))
