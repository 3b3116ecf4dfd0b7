"""What is left of a meeting when it is over: nothing of anybody in a log, and no frame on any disk."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import aioice.ice
import pytest

from signaling.protocol import Label, Reason, Welcome
from signaling.tokens import Role
from tests.fake_peer import FakePeer, closing, until
from tests.meeting.processes import CLIPS, ROOT, Command, Meeting

pytestmark = pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs Linux: prlimit and /proc")

FOLDERS = {
    "HOME": "home",
    "XDG_STATE_HOME": "state",
    "XDG_CONFIG_HOME": "config",
    "XDG_CACHE_HOME": "cache",
    "XDG_DATA_HOME": "data",
    "XDG_RUNTIME_DIR": "run",
    "TMPDIR": "tmp",
}
WORKING_FOLDER = "work"

MAX_WRITTEN_BYTES = 64 * 1024
"""By a process to disks, in blocks of 4 KiB, the folders' own among them. The meeting's frames are some megabytes."""

JPEG_START = b"\xff\xd8\xff"
NAMES = ("Anamaria", "Benedetto", "Wilhelmina")
TITLE = "Quarterly closing"
REFUSED = "Ignatius"
"""Somebody who is not let in."""

HTTP_WORDS = re.compile(r"\b(?:GET|POST|PATCH|DELETE|OPTIONS|HTTP/\d)\b")
SDP_WORDS = re.compile(r"\ba=\w|\bv=0|candidate|ufrag|fingerprint|\btyp \w|setup:", re.IGNORECASE)
TOKEN_WORDS = re.compile(r"eyJ[\w-]+|token=|Bearer")
LABEL_WORDS = re.compile(r"\b(?:" + "|".join([*Label, *Reason]) + r")\b")


@dataclass(frozen=True)
class Kind:
    """One way to hold the meeting. `file_bytes`: how large any file of any process may become."""

    log_format: str
    bind: str
    options: tuple[str, ...]
    file_bytes: int
    files: frozenset[str]


def ipv6_loopback() -> str | None:
    """Where this machine has IPv6."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return "::1"
    return None


SECRETS = frozenset({"state/edgeattend/secret", "state/edgeattend/secret-removed"})
CERTIFICATE = frozenset({"state/edgeattend/tls-cert.pem", "state/edgeattend/tls-key.pem"})
KINDS = {
    "text": Kind("text", "127.0.0.1", (), 256, SECRETS),
    "json": Kind("json", ipv6_loopback() or "127.0.0.1", ("--tls", "--aggregate"), 2048, SECRETS | CERTIFICATE),
}


@dataclass
class Left:
    """What a meeting of `kind` left: logs by process, files, bytes written, and the words that no log may hold."""

    kind: Kind
    folder: Path
    known: set[str] = field(default_factory=set)
    logs: dict[str, str] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    open_for_writing: dict[str, list[str]] = field(default_factory=dict)

    @property
    def files(self) -> set[str]:
        return {str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module", params=KINDS)
def left(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Left:
    """Of one meeting of this kind, held once for all tests."""
    meeting = Left(KINDS[request.param], tmp_path_factory.mktemp(request.param))
    asyncio.run(hold(meeting))
    return meeting


async def hold(left: Left) -> None:
    """Server, two devices, a client of WHIP, a viewer, and the host's pictures; somebody refused, somebody removed."""
    kind = left.kind
    for name in (*FOLDERS.values(), WORKING_FOLDER):
        (left.folder / name).mkdir()
    state = left.folder / "state" / "edgeattend"
    environment = {variable: str(left.folder / name) for variable, name in FOLDERS.items()}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "SSL_CERT_FILE": str(state / "tls-cert.pem")}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as http:
        room = Meeting(
            state / "secret",
            http,
            bind=kind.bind,
            within=("prlimit", f"--fsize={kind.file_bytes}", "--"),
            options=("--log-format", kind.log_format, *kind.options),
            environment=environment,
            cwd=left.folder / WORKING_FOLDER,
            strict=False,  # all that a user's log would have, and no more
        )
        try:
            await room.open()
            await attend(room, http, left)
        finally:
            await room.close()


async def attend(room: Meeting, http: aiohttp.ClientSession, left: Left) -> None:
    """All of it, and what the processes said of it."""
    tokens, log = room.ready["tokens"], ("--log-format", left.kind.log_format)
    client, viewer = FakePeer(), FakePeer(None)
    people = {name: await room.join(name, str(CLIPS / f"{name[:3].lower()}.mp4"), *log) for name in NAMES[:2]}
    async with closing(client, viewer), watching(http, room) as pictures:
        offers = [await offer(http, room.ready["whip_url"] + f"?name={NAMES[2]}", tokens["participant"], client)]
        offers += [await offer(http, room.ready["whep_url"], tokens["viewer"], viewer)]
        for person in people.values():
            await person.event("label", lambda event: event["label"] == "attentive")
            await person.event("grid", lambda event: event["fps"] > 0)
        await until(lambda: viewer.grid and sum(pictures) > 2)
        await rename(http, room)
        await be_refused(http, room)
        ids = {name: (await room.person(name, lambda entry: entry["id"]))["id"] for name in NAMES}
        async with http.delete(f"{room.origin}/r/main/participants/{ids['Benedetto']}", headers=bearer(tokens["host"])):
            assert await people["Benedetto"].exit_code() == 1
        resumes = {message.resume for message in client.heard(Welcome)}
        await misbehave(room, client)
        look_at_processes({"server": room.server, "Anamaria": people["Anamaria"]}, left)
        assert await room.server.end(signal.SIGTERM) == 0
        await people["Anamaria"].event("disconnected")
        assert await people["Anamaria"].end() == 0
    left.logs = {"server": room.server.stderr} | {name: person.stderr for name, person in people.items()}
    left.known = {*NAMES, TITLE, REFUSED, *tokens.values(), *ids.values(), *resumes, *offers, f":{room.port}"}
    left.known |= {"localhost", socket.gethostname(), *aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)}
    for text in (client.answer, viewer.answer, client.connection.localDescription.sdp):
        left.known |= set(re.findall(r"a=(?:ice-ufrag|ice-pwd|fingerprint):(.+)", text))


@contextlib.asynccontextmanager
async def watching(http: aiohttp.ClientSession, room: Meeting) -> AsyncIterator[list[int]]:
    """The host looks at the pictures of labels, as long as there are some: how many began in each part that came."""
    begun: list[int] = []

    async def watch() -> None:
        with contextlib.suppress(aiohttp.ClientError):  # the server has gone
            async with http.get(room.ready["annotated_url"]) as response:
                async for part in response.content.iter_any():
                    begun.append(part.count(JPEG_START))

    task = asyncio.create_task(watch())
    try:
        yield begun
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def offer(http: aiohttp.ClientSession, url: str, token: str, peer: FakePeer) -> str:
    """Connect `peer`; the id of its session."""
    headers = bearer(token) | {"Content-Type": "application/sdp"}
    async with http.post(url, data=await peer.offer(), headers=headers) as response:
        peer.answer = await response.text()
        assert response.status == 201, peer.answer
        await peer.accept(peer.answer)
        return response.headers["Location"].rsplit("/", 1)[1]


async def rename(http: aiohttp.ClientSession, room: Meeting) -> None:
    """The room has a title."""
    url, headers = f"{room.origin}/r/main/settings", bearer(room.ready["tokens"]["host"])
    async with http.patch(url, json={"title": TITLE}, headers=headers) as response:
        assert response.status == 200


async def be_refused(http: aiohttp.ClientSession, room: Meeting) -> None:
    """A token of nobody, an offer that is none, an address that is none, and what is not even HTTP."""
    token = room.ready["tokens"][Role.PARTICIPANT]
    headers = bearer(token) | {"Content-Type": "application/sdp"}
    async with http.get(room.ready["status_url"], headers=bearer(token + "x")) as response:
        assert response.status == 401
    url = f"{room.ready['whip_url']}?name={REFUSED}"
    async with http.post(url, data=f"v=0\r\ns={REFUSED}\r\n", headers=headers) as response:
        assert response.status == 400
    async with http.get(f"{room.origin}/{REFUSED}?token={token}") as response:
        assert response.status == 404
    insecure = ssl._create_unverified_context() if room.origin.startswith("https") else None
    host = room.origin.split("//")[1].rsplit(":", 1)[0].strip("[]")
    reader, writer = await asyncio.open_connection(host, room.port, ssl=insecure)
    writer.write(f"GET /r/main?token={token} HTTP/{REFUSED}\r\nCookie: {token}\r\n\r\n".encode())
    assert b" 400 " in await reader.readline()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def misbehave(room: Meeting, client: FakePeer) -> None:
    """Messages that are none, until the host ends the session."""
    for _ in range(80):
        client.send(f"{NAMES[2]} is attentive at {room.origin}")
    await room.nobody(NAMES[2])


def look_at_processes(commands: dict[str, Command], left: Left) -> None:
    """What they have written to disks, and could still be writing to in files without a name."""
    for name, command in commands.items():
        process = Path(f"/proc/{command.process.pid}")
        counters = dict(line.split(": ") for line in (process / "io").read_text().splitlines())
        left.written[name] = int(counters["write_bytes"])
        left.open_for_writing[name] = list(files_open_for_writing(process))


def files_open_for_writing(process: Path) -> Iterator[str]:
    for link in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            flags = re.search(r"^flags:\s+(\d+)", (process / "fdinfo" / link.name).read_text(), re.MULTILINE)
            assert flags is not None
            if link.is_file() and int(flags[1], 8) & (os.O_WRONLY | os.O_RDWR):
                yield str(link.readlink())


def told(log: str, known: set[str]) -> list[str]:
    """What `log` says of people and their devices."""
    found = [word for word in known if word in log]
    for words in (HTTP_WORDS, SDP_WORDS, TOKEN_WORDS, LABEL_WORDS):
        found += words.findall(log)
    for text in re.split(r"[^0-9A-Fa-f.:]+", log):
        for part in (text, text.rstrip(".:"), text.rpartition(":")[0]):
            with contextlib.suppress(ValueError):
                found.append(str(ipaddress.ip_address(part)))
    return found


def test_nothing_of_anybody_is_logged(left: Left) -> None:
    assert "ended a session that kept sending messages we cannot take" in left.logs["server"]
    for name, log in left.logs.items():
        assert told(log, left.known) == [], f"{name}:\n{log}"


def test_a_log_is_text_or_json_throughout(left: Left) -> None:
    for line in "".join(left.logs.values()).splitlines():
        if left.kind.log_format == "text":
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ [a-z.]+: ", line), line
        else:
            entry: dict[str, Any] = json.loads(line)
            assert set(entry) == {"time", "level", "logger", "event"}


def test_a_meeting_writes_no_file_but_those_that_the_privacy_page_names(left: Left) -> None:
    assert left.files == left.kind.files
    page = (ROOT / "docs" / "privacy.md").read_text(encoding="utf-8")
    for file in left.files:
        assert f"`{Path(file).name}`" in page
        assert (left.folder / file).stat().st_mode & 0o077 == 0 or file.endswith("cert.pem")


def test_no_process_of_a_meeting_writes_its_frames_anywhere(left: Left) -> None:
    assert set(left.written) == {"server", "Anamaria"}
    assert max(left.written.values()) <= MAX_WRITTEN_BYTES
    assert left.open_for_writing == {"server": [], "Anamaria": []}


@pytest.mark.parametrize(
    "line",
    [
        "Anamaria joined",
        "label attentive",
        "host 10.1.2.3:4567",
        "host [fe80::1]:4567",
        "from ::ffff:10.1.2.3",
        "GET /r/main",
        "a=setup:active",
        "eyJhbGciOiJIUzI1NiJ9",
        "?token=x",
    ],
)
def test_the_search_finds_what_it_is_for(line: str) -> None:
    assert told(f"2026-11-23 17:10:22,123 INFO host.room: {line}", {"Anamaria"}) != []
    assert told("2026-11-23 17:10:22,123 INFO host.room: the meeting is over", {"Anamaria"}) == []
