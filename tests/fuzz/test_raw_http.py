"""Bytes at the HTTP port: no request, half of one, several in one, and real ones with faults."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from signaling.certificate import self_signed
from signaling.http import STATIC
from signaling.tokens import Role
from tests.fuzz.budget import count, dice
from tests.fuzz.http_meeting import going_on, statuses, throw
from tests.host.offers import offer, section
from tests.signaling.conftest import AUTHORITY, Client

PATIENCE_S = 0.5
"""In place of `HEAD_TIMEOUT_S` and `BODY_TIMEOUT_S`: most of what is thrown is never complete."""

AT_ONCE = 40
SECRET = "zebra-crossing"
"""In every request, and nowhere in an answer or a log."""

HOST, VIEWER = (AUTHORITY.issue(role, "main") for role in (Role.HOST, Role.VIEWER))
NO_ICE = offer(section(without=("ice-ufrag",))).encode()
"""An offer that is read to its end, and refused: sessions are for others to test."""

CANARY = "a canary outside of what is served"
OUTSIDE = (CANARY.encode(), b"[build-system]", b"root:x:0:0")
"""Of the canary, of pyproject.toml, of /etc/passwd."""


def request(method: str, target: str, *lines: str | bytes, body: bytes = b"", token: str = HOST) -> bytes:
    head = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}", f"X-Note: {SECRET}"]
    raw = [line if isinstance(line, bytes) else line.encode() for line in (*head, *lines)]
    return b"\r\n".join(raw) + b"\r\n\r\n" + body


def posted(method: str, target: str, kind: str, body: bytes) -> bytes:
    return request(method, target, f"Content-Type: {kind}", f"Content-Length: {len(body)}", body=body)


def chunked(*chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    return request("POST", "/whip/main", "Content-Type: application/sdp", "Transfer-Encoding: chunked", body=body)


REAL = [
    request("GET", "/healthz"),
    request("GET", "/metrics"),
    request("GET", f"/r/main?watch={SECRET}", "Accept: text/html"),
    request("GET", f"/r/main/status?token={VIEWER}&x={SECRET}"),
    request("GET", "/r/main/history.csv", token=VIEWER),
    request("GET", "/r/main/annotated.mjpg"),
    request("HEAD", "/r/main/timeline"),
    request("OPTIONS", "/whip/main", "Origin: https://elsewhere.example"),
    request("DELETE", f"/sessions/{SECRET}"),
    request("DELETE", f"/r/main/participants/{SECRET}"),
    posted("POST", f"/whip/main?name={SECRET}", "application/sdp", NO_ICE),
    posted("POST", "/whep/main", "application/sdp; charset=utf-8", NO_ICE),
    posted("PATCH", "/r/main/settings", "application/json", b'{"title": "Physics", "mode": "individual"}'),
    chunked(NO_ICE[:100], NO_ICE[100:]),
    request("GET", "/static/room.js", "Range: bytes=10-20", 'If-None-Match: "x"', "Accept-Encoding: gzip"),
    request("GET", "/ort/ort.wasm.min.mjs", "If-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT"),
    request("GET", "/healthz") + request("GET", "/r/main/status") + request("GET", "/nothing"),
    request("GET", "/r/main/status", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
]
ENDS = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"

WORDS = [
    *(b"\r\n", b"\n", b"\r", b"\0", b"\xff\xfe", b"\xed\xa0\x80", b" ", b"\t", b":", b"%", b"%00", b"%2e%2e/", b"\\"),
    *(
        b"-1",
        b"99999999999999999999",
        b"0x10",
        b"chunked",
        b"gzip, chunked",
        b"A" * 9000,
        b"../" * 20,
        b"[",
        b"@",
        b"*",
    ),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding : x\r\n", b" folded\r\n"),
    *(b"Expect: 100-continue\r\n", b"Expect: " + SECRET.encode() + b"\r\n", b"Content-Encoding: gzip\r\n"),
    *(b"X-Forwarded-For: fe80::1%eth0\r\n", b"X-Forwarded-For: \xff, ::ffff:1.2.3.4, [\r\n"),
    *(b"Host: [\r\n", b"Range: bytes=-\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n", b"X: y\r\n" * 200),
    *(b"If-Range: Mon, 01 Jan 99999999999999999999 00:00:00 GMT\r\n", b"HTTP/0.9", b"HTTP/2.0", b"TRACE ", b"CONNECT "),
]

TLS_ALERT, TLS_HANDSHAKE = b"\x15\3", b"\x16\3"
CLIENT_HELLO = bytes.fromhex("16030100f1010000ed0303") + bytes(range(200))
HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    for name in (
        "signaling.server.HEAD_TIMEOUT_S",
        "signaling.listener.HEAD_TIMEOUT_S",
        "signaling.http.BODY_TIMEOUT_S",
    ):
        monkeypatch.setattr(name, PATIENCE_S)
    for name in ("aiohttp", "asyncio", "signaling", "host"):  # others tell of every packet of media
        caplog.set_level(logging.DEBUG, logger=name)


async def throw_all(client: Client, cases: Iterable[list[bytes]]) -> list[list[int]]:
    """The statuses that are answered to each of `cases`, a connection with its packets."""
    waiting = enumerate(cases)
    answered: dict[int, list[int]] = {}

    async def some() -> None:
        for number, parts in waiting:
            answer = await throw(client.server.port, *parts)
            check(answer, parts)
            answered[number] = statuses(answer)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(some())
    return [answered[number] for number in sorted(answered)]


def check(answer: bytes, parts: Any) -> None:
    """No answer tells of an inside, or says what it was told."""
    assert answer == b"" or answer.startswith((b"HTTP/", TLS_ALERT, TLS_HANDSHAKE)), (parts, answer)
    assert all(status < 500 or status == 503 for status in statuses(answer)), (parts, answer)
    for word in (
        SECRET.encode(),
        b"Traceback",
        *(token.rpartition(".")[2].encode() for token in (HOST, VIEWER)),
        *OUTSIDE,
    ):
        assert word not in answer, (parts, answer)


def check_log(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing went wrong, and nothing of a request is told."""
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    for word in (SECRET, "Traceback", *(token.rpartition(".")[2] for token in (HOST, VIEWER))):
        assert [record for record in caplog.records if word in caplog.handler.format(record)] == []


REFUSED = {
    "no HTTP": b"hello\r\n\r\n",
    "a client's hello of TLS": CLIENT_HELLO,
    "the preface of HTTP/2": HTTP_2,
    "no version": ENDS.replace(b"HTTP/1.1", b"HTTP"),
    "a method in lower case": ENDS.replace(b"GET", b"get"),
    "a method of nobody": ENDS.replace(b"GET", b"G\0T"),
    "lines that end in LF alone": ENDS.replace(b"\r\n", b"\n"),
    "CR within a line": ENDS.replace(b"Host: x", b"Host: x\rX: y"),
    "NUL in a line": ENDS.replace(b"Host: x", b"Host: x\r\nX: \0"),
    "a field without a name": ENDS.replace(b"Host: x", b"Host: x\r\n: y"),
    "a space before the colon": ENDS.replace(b"Host: x", b"Host : x"),
    "a folded line": ENDS.replace(b"Host: x", b"Host: x\r\n folded"),
    "a target with a space": ENDS.replace(b"/healthz", b"/health z"),
    "a target of other bytes": ENDS.replace(b"/healthz", b"/\xff\xfe"),
    "a target with a port beyond all": ENDS.replace(b"/healthz", b"http://x:99999/healthz"),
    "a target whose host is none": ENDS.replace(b"/healthz", b"http://[::1/healthz"),
    "a long target": ENDS.replace(b"/healthz", b"/healthz?" + b"a" * 9000),
    "a long field": ENDS.replace(b"Host: x", b"Host: x\r\nX: " + b"a" * 9000),
    "many fields": ENDS.replace(b"Host: x", b"Host: x\r\n" + b"X: y\r\n" * 500 + b"X: y"),
    "no Host": ENDS.replace(b"Host: x\r\n", b""),
    "two lengths": request("POST", "/whip/main", "Content-Length: 3", "Content-Length: 4", body=b"v=0"),
    "a length and chunks": request(
        "POST", "/whip/main", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "a length below 0": request("POST", "/whip/main", "Content-Length: -1"),
    "a length with a sign": request("POST", "/whip/main", "Content-Length: +3", body=b"v=0"),
    "a length beyond all": request("POST", "/whip/main", "Content-Length: " + "9" * 40),
    "chunks of an unknown kind": request("POST", "/whip/main", "Transfer-Encoding: chunked, x", body=b"0\r\n\r\n"),
    "a chunk whose size is none": request("POST", "/whip/main", "Transfer-Encoding: chunked", body=b"zz\r\nv=0\r\n"),
    "a chunk of more than there is": request(
        "POST", "/whip/main", "Transfer-Encoding: chunked", body=b"fffffffffffffffff\r\nv=0\r\n0\r\n\r\n"
    ),
    "a chunk below 0": request("POST", "/whip/main", "Transfer-Encoding: chunked", body=b"-1\r\nv=0\r\n0\r\n\r\n"),
    "an offer of too many bytes": posted("POST", "/whip/main", "application/sdp", b"a" * 70_000),
    "an expectation": ENDS.replace(b"Host: x", b"Host: x\r\nExpect: " + SECRET.encode()),
    "TRACE": ENDS.replace(b"GET", b"TRACE"),
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "OPTIONS of everything": b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "a token that is no text": ENDS.replace(b"/healthz", b"/r/main").replace(
        b"Host: x", b"Host: x\r\nAuthorization: Bearer " + SECRET.encode() + b"\xff"
    ),
}
MET = {
    "no Host's name": ENDS.replace(b"Host: x", b"Host:"),
    "a Host that is none": ENDS.replace(b"Host: x", b"Host: a@b:c"),
    "a Host with a port beyond all": ENDS.replace(b"Host: x", b"Host: x:99999999"),
    "a Host of other bytes": ENDS.replace(b"Host: x", b"Host: \xff\xfe"),
    "a Host that breaks off": ENDS.replace(b"Host: x", b"Host: ["),
    "another's address": ENDS.replace(b"/healthz", b"http://elsewhere.example/healthz"),
    "a long path with a query": ENDS.replace(b"/healthz", b"/healthz?" + b"a=b&" * 1500),
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/2.0 in name": ENDS.replace(b"HTTP/1.1", b"HTTP/2.0"),
    "HTTP/1.0": ENDS.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "an upgrade": ENDS.replace(b"Connection: close", b"Connection: upgrade\r\nUpgrade: websocket") + ENDS,
    "a body to GET": ENDS.replace(b"Host: x", b"Host: x\r\nContent-Length: 3") + b"v=0",
    "a compressed body to GET": ENDS.replace(b"Host: x", b"Host: x\r\nContent-Encoding: gzip\r\nContent-Length: 3")
    + b"v=0",
}


async def test_what_is_no_request_is_refused_and_what_is_odd_is_met(caplog: pytest.LogCaptureFixture) -> None:
    async with going_on() as client:
        for name, told in zip(REFUSED, await throw_all(client, ([data] for data in REFUSED.values())), strict=True):
            assert {status // 100 for status in told} == {4}, name
        for name, told in zip(MET, await throw_all(client, ([data] for data in MET.values())), strict=True):
            assert set(told) == {200}, name
    check_log(caplog)


async def test_who_asks_a_thousand_times_at_once_or_asks_before_they_go_on_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    head, _, body = posted("PATCH", "/r/main/settings", "application/json", b"{}").partition(b"\r\n\r\n")
    thousand = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 999 + ENDS
    async with going_on() as client:
        assert statuses(await throw(client.server.port, thousand, most=10**7)) == [200] * 1000
        assert statuses(await throw(client.server.port, head + b"\r\nExpect: 100-continue\r\n\r\n", body)) == [100, 200]
    check_log(caplog)


async def test_nothing_is_served_from_outside(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "canary.txt").write_text(CANARY)
    ways = ["/".join([".."] * len(STATIC.parts)) + str(tmp_path / "canary.txt"), str(tmp_path / "canary.txt")]
    ways += ["../pyproject.toml", "perception/../../pyproject.toml", "/etc/passwd", "../static/../pyproject.toml"]
    spellings: list[Callable[[str], str]] = [
        lambda way: way,
        lambda way: way.replace("/", "%2f"),
        lambda way: way.replace("/", "%2F").replace(".", "%2E"),
        lambda way: way.replace("..", "%2e%2e"),
        lambda way: way.replace("..", ".%2e"),
        lambda way: way.replace("..", "%252e%252e").replace("/", "%252f"),
        lambda way: way.replace("/", "\\"),
        lambda way: way.replace("/", "%5c"),
        lambda way: way.replace("..", "..;"),
        lambda way: way.replace("..", "%c0%ae%c0%ae"),
        lambda way: way.replace("/", "//"),
        lambda way: way + "%00.js",
        lambda way: "room.js%00" + way,
        lambda way: "room.js/" + way,
    ]
    targets = [
        f"{root}{spell(way)}" for root in ("/static/", "/ort/", "/", "//") for way in ways for spell in spellings
    ]
    lot = dice(3)
    pieces = ["..", ".", "%2e", "/", "%2f", "\\", "%00", "static", "ort", "room.js", "~", "%", "a" * 300, str(tmp_path)]
    targets += ["/static/" + "".join(lot.choices(pieces, k=lot.randint(1, 20))) for _ in range(count(100))]
    async with going_on() as client:
        cases = [[ENDS.replace(b"/healthz", target.encode())] for target in targets]
        for target, told in zip(targets, await throw_all(client, cases), strict=True):
            assert told and set(told) <= {200, 400, 404}, target
    check_log(caplog)


async def test_requests_with_faults_and_random_bytes_harm_nobody(caplog: pytest.LogCaptureFixture) -> None:
    lot = dice(1)
    async with going_on() as client:
        await throw_all(client, (with_faults(lot) for _ in range(count(200))))
        await throw_all(client, ([lot.randbytes(2 ** lot.randint(0, 14))] for _ in range(count(40))))
    check_log(caplog)


async def test_what_is_no_tls_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lot = dice(4)
    cert, key = self_signed(tmp_path, "127.0.0.1")
    hello = real_hello()
    cases = [[hello[: lot.randint(0, len(hello))] + lot.randbytes(lot.randint(0, 300))] for _ in range(count(20))]
    async with going_on(tls_cert=cert, tls_key=key) as client:
        await throw_all(client, [[ENDS], [CLIENT_HELLO], *cases])
    check_log(caplog)


def with_faults(lot: Random) -> list[bytes]:
    """A real request after some faults, in one packet or several."""
    data = lot.choice(REAL)
    for _ in range(lot.randint(1, 4)):
        data = with_fault(data, lot)
    if lot.random() < 0.5:
        data += ENDS
    cuts = sorted(lot.randint(0, len(data)) for _ in range(lot.choice((0, 0, 1, 3))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def with_fault(data: bytes, lot: Random) -> bytes:
    """One byte, word, piece or line of `data` changed."""
    at = lot.randint(0, len(data))
    end = min(len(data), at + lot.randint(1, 40))
    lines = data.split(b"\r\n")
    line = lot.randrange(len(lines))
    return lot.choice(
        [
            lambda: data[:at] + bytes([lot.randrange(256)]) + data[at + 1 :],
            lambda: data[:at] + data[end:],
            lambda: data[:at] + data[at:end] * lot.randint(2, 50) + data[end:],
            lambda: data[:at] + lot.choice(WORDS) + data[at:],
            lambda: b"\r\n".join([*lines[:line], lot.choice(WORDS).removesuffix(b"\r\n"), *lines[line:]]),
            lambda: b"\r\n".join([*lines[:line], *lines[line + 1 :]]),
            lambda: b"\r\n".join([*lines[:line], lines[line], *lines[line:]]),
            lambda: data[:at],
            lambda: data[:at] + lot.choice(REAL),
            lambda: data[:at] + lot.randbytes(lot.randint(1, 64)) + data[at:],
        ]
    )()


def real_hello() -> bytes:
    """What a client of TLS says first."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()
