"""What every answer has in common: errors that programs and people can read, and headers that protect."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Any

import aiohttp
import pytest

from signaling.http import MAX_BODY_BYTES, SECURITY_HEADERS
from signaling.protocol import Label, Welcome
from signaling.server import running
from signaling.tokens import Role
from tests.fake_peer import until
from tests.host.offers import CHANNEL, GRID, offer, section
from tests.signaling.conftest import AUTHORITY, CONFIG, Client

SDP = {"Content-Type": "application/sdp"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("hello", (400, "sdp_invalid")),
        ("", (400, "sdp_invalid")),
        ("v=0\r\n", (400, "sdp_invalid")),
        (b"v=0\xff\xfe", (400, "sdp_invalid")),
        (b"\x00" * 1000, (400, "sdp_invalid")),
        (offer(section(without=("fingerprint",))), (400, "sdp_invalid")),
        (offer(section(without=("rtcp-mux",))), (400, "sdp_invalid")),
        (offer(section(), GRID, bundle=""), (400, "sdp_invalid")),
        (offer(CHANNEL.replace("a=mid:2", "a=mid:0")), (422, "sdp_no_video")),
        (offer(section(direction="recvonly")), (422, "sdp_no_video")),
        (offer(section(codecs=("AV1", "VP9"))), (422, "sdp_codec_unsupported")),
        ("v=0\r\n" + "a=x\r\n" * (MAX_BODY_BYTES // 5), (413, "too_large")),
        (b"x" * 1_000_000, (413, "too_large")),
    ],
)
async def test_an_offer_that_cannot_work_gets_the_error_it_is(
    client: Client, body: str | bytes, expected: tuple[int, str]
) -> None:
    assert await client.error("POST", "/whip/main", "participant", data=body, headers=SDP) == expected
    assert client.room.participants() == []


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/sdpx", "multipart/form-data"])
async def test_only_sdp_may_be_posted(client: Client, content_type: str) -> None:
    for path in ("/whip/main", "/whep/main"):
        error = await client.error("POST", path, "host", data="v=0", headers={"Content-Type": content_type})
        assert error == (415, "media_type_unsupported")


@pytest.mark.parametrize(
    "query",
    [
        "?name=",
        "?name=%20%20",
        "?name=" + "a" * 65,
        "?name=" + "a" * 500,
        "?name=A%00na",
        "?name=%E2%80%AEanA",
        "?name=%E2%80%8D",
        "?name=%E3%85%A4",
    ],
)
async def test_a_name_that_cannot_be_shown_is_refused(client: Client, query: str) -> None:
    error = await client.error("POST", f"/whip/main{query}", "participant", data=offer(section()), headers=SDP)
    assert error == (400, "name_invalid")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/whip/main", {"OPTIONS", "POST"}),
        ("PATCH", "/whip/main", {"OPTIONS", "POST"}),
        ("DELETE", "/whep/main", {"OPTIONS", "POST"}),
        ("GET", "/sessions/x", {"DELETE", "OPTIONS"}),
        ("PATCH", "/sessions/x", {"DELETE", "OPTIONS"}),
        ("POST", "/r/main", {"GET", "HEAD"}),
        ("POST", "/r/main/status", {"GET", "HEAD"}),
        ("DELETE", "/metrics", {"GET", "HEAD"}),
        ("PUT", "/healthz", {"GET", "HEAD"}),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(client: Client, method: str, path: str, allowed: set[str]) -> None:
    async with client.request(method, path, "host") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].replace(" ", "").split(",")) == allowed
        assert (await response.json())["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/r", "/r/main/nothing", "/whip", "/static/../pyproject.toml", "/static/%2e%2e/README.md"]
)
async def test_an_address_that_is_not_there_is_not_found(client: Client, path: str) -> None:
    assert await client.error("GET", path, "host") == (404, "not_found")


async def test_a_folder_is_not_listed(client: Client) -> None:
    async with client.request("GET", "/static/") as response:
        assert response.status in (400, 403, 404)
        assert "room.html" not in await response.text()


@pytest.mark.parametrize("path", ["/r/main", "/r/main/host", "/r/main/status", "/nothing"])
async def test_people_get_a_page_for_an_error(client: Client, path: str) -> None:
    async with client.request("GET", path, headers=BROWSER) as response:
        text = await response.text()
        assert response.content_type == "text/html"
        assert response.status == (404 if path == "/nothing" else 401)
        assert f"{response.status}" in text
        assert "{{" not in text


async def test_programs_get_json_for_an_error_even_when_they_post_from_a_page(client: Client) -> None:
    assert await client.error("POST", "/whip/main", headers=BROWSER) == (401, "token_missing")


@pytest.mark.parametrize(
    ("method", "path", "token", "more"),
    [
        ("GET", "/r/main", "viewer", {}),
        ("GET", "/r/main/host", "host", {}),
        ("GET", "/r/main/status", "viewer", {}),
        ("GET", "/r/main/history.csv", "host", {}),
        ("GET", "/r/main/annotated.mjpg", "host", {}),
        ("GET", "/healthz", None, {}),
        ("GET", "/metrics", None, {}),
        ("GET", "/static/error.html", None, {}),
        ("GET", "/static/missing.js", None, {}),
        ("GET", "/nothing", None, {}),
        ("GET", "/nothing", None, {"headers": BROWSER}),
        ("GET", "/r/main", None, {}),
        ("POST", "/r/main", None, {}),
        ("OPTIONS", "/whip/main", None, {}),
        ("POST", "/whip/main", "participant", {"data": "hello", "headers": SDP}),
        ("DELETE", "/sessions/x", "host", {}),
    ],
)
async def test_every_answer_protects_whoever_reads_it(
    client: Client, method: str, path: str, token: str | None, more: dict[str, Any]
) -> None:
    async with client.request(method, path, token, **more) as response:
        for name, value in SECURITY_HEADERS.items():
            assert response.headers[name] == value


@pytest.mark.parametrize(
    ("strict", "host", "told"),
    [(True, "meet.example", True), (True, "localhost", False), (False, "meet.example", False)],
)
async def test_browsers_are_told_to_come_by_https_alone_where_the_certificate_was_given(
    strict: bool, host: str, told: bool
) -> None:
    config = dataclasses.replace(CONFIG, strict_transport=strict)
    async with running(config) as server, aiohttp.ClientSession() as http:
        for path in ("/healthz", "/r/main", "/static/room.js"):
            async with Client(server, http).request("GET", path, headers={"Host": host}) as response:
                assert (response.headers.get("Strict-Transport-Security") == "max-age=31536000") is told


def test_the_policy_allows_no_script_but_our_own() -> None:
    policy = SECURITY_HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy  # WebAssembly, for the model; no eval of text
    assert "unsafe" not in policy.replace("'wasm-unsafe-eval'", "")
    assert "frame-ancestors 'none'" in policy


async def test_a_bug_of_ours_shows_no_internals_and_the_server_goes_on(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**_: bool) -> None:
        raise ZeroDivisionError("a very private detail")

    monkeypatch.setattr(client.room, "status", fail)
    async with client.request("GET", "/r/main/status", "viewer") as response:
        assert response.status == 500
        assert (await response.json())["error"]["code"] == "internal"
        assert "private" not in await response.text()
    assert "a very private detail" in caplog.text
    assert await client.json("/healthz")


async def test_no_token_of_a_whole_meeting_is_logged_told_or_sent_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    events: list[Any] = []
    async with (
        running(CONFIG, lambda room, event: events.append((room, event))) as server,
        aiohttp.ClientSession() as http,
    ):
        client = Client(server, http)
        answers = []
        ana, joined = await client.join()
        await client.watch()
        ana.mood(Label.ATTENTIVE)
        personal = joined.headers["X-EdgeAttend-Resume"]
        welcome = await ana.hear(Welcome)
        tokens = {*client.tokens.values(), personal, welcome.resume, AUTHORITY.issue(Role.HOST, "other")}
        for token in tokens:
            for path in ("/r/main", "/r/main/host", "/r/main/status", "/r/main/me", "/whip/main", "/nothing"):
                for accept in ("text/html", "application/json"):
                    async with client.request("GET", f"{path}?token={token}", headers={"Accept": accept}) as response:
                        answers.append(await response.text())
                    async with client.request("GET", f"{path}?token={token}x", headers={"Accept": accept}) as response:
                        answers.append(await response.text())
            for method, path in (("POST", f"/whip/main?name={token}"), ("DELETE", f"/sessions/{token}")):
                async with client.request(method, path, token, data="no offer", headers=SDP) as response:
                    answers.append(await response.text())
        async with client.request("DELETE", f"/r/main/participants/{welcome.participant}", "host"):
            await until(lambda: not client.room.participants())
        for peer in client.peers:
            await peer.close()
    assert {kind for _, event in events if (kind := event["event"])} >= {"joined", "label", "left"}
    for token in tokens:
        signature = token.rpartition(".")[2]
        assert signature not in "".join(answers)
        assert signature not in caplog.text
        assert signature not in repr(events)


async def test_a_name_is_escaped_in_the_page_of_an_error(client: Client) -> None:
    token = "%3Cscript%3Ealert(1)%3C/script%3E"
    async with client.request("GET", f"/r/%3Cb%3E?token={token}", headers=BROWSER) as response:
        assert "<script>alert" not in await response.text()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /r/main?token=eyJsecret x HTTP/1.1\r\nHost: x",
        b"GET /r/main HTTP/1.1\r\nHost: x\r\nAuthorization Bearer eyJsecret",
        b"GET /r/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer eyJsecret\x00",
        b"GET http://[eyJsecret/ HTTP/1.1\r\nHost: x",
        b"eyJsecret",
        b"POST /whip/main HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: eyJsecret, chunked",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03eyJsecret",
    ],
)
async def test_what_is_no_http_is_refused_and_its_token_neither_logged_nor_sent_back(
    client: Client, caplog: pytest.LogCaptureFixture, head: bytes
) -> None:
    caplog.set_level(logging.DEBUG)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(head + b"\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    await writer.wait_closed()
    assert b" 400 " in answer.splitlines()[0]
    assert b'"code":"bad_request"' in answer
    assert b"nosniff" in answer
    assert b"secret" not in answer
    assert "secret" not in caplog.text


async def test_what_is_wrong_with_an_offer_is_logged_without_its_lines(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="signaling")
    body = offer(section()).replace("VP8/90000", "VP8/secret")
    assert await client.error("POST", "/whip/main", "participant", data=body, headers=SDP) == (400, "sdp_invalid")
    assert "sdp_invalid: ValueError at " in caplog.text
    assert "secret" not in caplog.text


async def test_a_token_in_the_address_of_a_post_is_told_where_it_belongs(client: Client) -> None:
    async with client.request("POST", "/whip/main?token=x") as response:
        assert "in the Authorization header" in (await response.json())["error"]["message"]


@pytest.mark.parametrize("path", ["/healthz", "/nothing", "/static/room.js"])
async def test_what_somebody_expects_is_not_said_back(client: Client, path: str) -> None:
    headers = {"Expect": "eyJsecret"}
    async with client.request("GET", path, headers=headers) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "bad_request"
        assert "secret" not in await response.text()


@pytest.mark.parametrize("host", ["localhost:99999999", "a@b:c", "\xff\xfe", "xn--" + "a" * 300, "["])
async def test_a_host_that_is_none_is_answered_like_any(host: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running(dataclasses.replace(CONFIG, strict_transport=True)) as server:
        answer = await say(server.port, b"GET /healthz HTTP/1.1\r\nHost: %b" % host.encode("latin-1"))
    assert b" 200 " in answer.splitlines()[0]
    assert (b"Strict-Transport-Security" in answer) is not host.startswith("localhost")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("field", ["If-Modified-Since", "If-Unmodified-Since", "If-Range"])
async def test_a_date_in_no_calendar_is_refused(client: Client, field: str, caplog: pytest.LogCaptureFixture) -> None:
    headers = {field: "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Range": "bytes=0-1"}
    assert await client.error("GET", "/static/room.js", headers=headers) == (400, "bad_request")
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "x-unknown"])
async def test_a_body_that_is_encoded_is_refused_and_not_unpacked(
    client: Client, coding: str, caplog: pytest.LogCaptureFixture
) -> None:
    more = {"data": b"no gzip at all", "headers": SDP | {"Content-Encoding": coding}}
    assert await client.error("POST", "/whip/main", "participant", **more) == (415, "media_type_unsupported")
    async with client.request(
        "GET", "/healthz", data=b"no gzip at all", headers={"Content-Encoding": coding}
    ) as response:
        assert response.status == 200
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("body", [b"Content-Length: 300\r\n\r\nv=0", b"Transfer-Encoding: chunked\r\n\r\n5\r\nv=0"])
async def test_who_leaves_in_the_middle_of_a_body_is_no_fault_of_ours(
    client: Client, caplog: pytest.LogCaptureFixture, body: bytes
) -> None:
    head = f"POST /whip/main HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.tokens['host']}\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", client.server.port)
    writer.write(head.encode() + b"Content-Type: application/sdp\r\nExpect: 100-continue\r\n" + body)
    assert b" 100 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(15):
        while 'edgeattend_refusals_total{code="bad_request"} 1.0' not in await metrics(client):
            pass
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def metrics(client: Client) -> str:
    async with client.request("GET", "/metrics") as response:
        text: str = await response.text()
        return text


@pytest.mark.parametrize("path", ["a" * 300, "missing.js", "room.js/x", "%ff%fe", "a%00b", "perception", ""])
async def test_a_file_that_is_not_there_is_an_error_like_any(
    client: Client, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert await client.error("GET", f"/static/{path}") == (404, "not_found")
    assert "Traceback" not in caplog.text


async def test_a_bug_of_ours_is_logged_without_the_ids_in_the_address(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr("signaling.directory.LocalDirectory.room_of_session")
    assert await client.error("DELETE", "/sessions/very-private", "host") == (500, "internal")
    assert "could not answer DELETE /sessions/{session}" in caplog.text
    assert "very-private" not in caplog.text


async def say(port: int, head: bytes) -> bytes:
    """What the server answers to a request that ends the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head + b"\r\nConnection: close\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 15)
    writer.close()
    await writer.wait_closed()
    return answer
