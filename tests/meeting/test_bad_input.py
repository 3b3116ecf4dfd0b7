"""What a user gets wrong: one clear sentence, the right exit code, and the meeting of the others goes on."""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from signaling.process import LINK_VARIABLE
from tests.meeting.processes import CLIPS, Command, Meeting, meeting


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Meeting]:
    async with meeting(tmp_path / "secret") as current:
        yield current


async def run(*arguments: str) -> Command:
    command = Command(*arguments)
    await command.start()
    await command.exit_code()
    return command


def sentence(command: Command) -> str:
    """What the command said: an error event or a line on standard error, and never a traceback."""
    assert "Traceback" not in command.stderr, command.stderr
    return command.stderr + " ".join(e.get("message", "") for e in command.events)


async def test_port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = await run("serve", "--port", str(port))
    assert command.process.returncode == 1
    assert f"expected port {port} to be free" in sentence(command)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--grid", "big"), "expected --grid WIDTHxHEIGHT"),
        (("--grid", "4000x3000"), "expected a grid from 320x180 to 1280x720, got 4000x3000"),
        (("--room", "a b"), "expected a room name"),
        (("--ttl", "soon"), "expected a duration"),
        (("--tls-cert", "x.pem"), "expected a TLS certificate and its key together"),
        (("--secret", "short"), "expected a secret of at least 32 characters, got 5"),
        (("--bind", "203.0.113.7", "--insecure"), "expected an address of this machine"),
        (("--bind", "0.0.0.0"), "expected serve --tls, serve --tls-cert with --tls-key, or --insecure"),
    ],
)
async def test_option_of_serve_that_cannot_work(options: tuple[str, ...], words: str) -> None:
    command = await run("serve", "--port", "0", *options)
    assert command.process.returncode == 2
    assert words in sentence(command)


async def test_unknown_option_is_wrong_usage() -> None:
    command = await run("serve", "--nonsense")
    assert command.process.returncode == 2
    assert "--nonsense" in command.stderr


async def test_video_file_that_is_missing(room: Meeting) -> None:
    command = await room.join("Ana", "nowhere.mp4")
    assert await command.exit_code() == 1
    assert "nowhere.mp4" in sentence(command)


async def test_video_file_that_is_corrupt(room: Meeting, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is not a film" * 1000)
    command = await room.join("Ana", str(broken))
    assert await command.exit_code() == 1
    assert "broken.mp4" in sentence(command)


@pytest.mark.parametrize("content", [None, b"not a model"])
async def test_model_that_is_missing_or_broken_lets_the_meeting_go_on(
    room: Meeting, tmp_path: Path, content: bytes | None
) -> None:
    model = tmp_path / "model.onnx"
    if content is not None:
        model.write_bytes(content)
        card = {"crop_scale": 1.25, "threshold": 0.5, "sha256": hashlib.sha256(content).hexdigest()}
        model.with_suffix(".json").write_text(json.dumps(card))
    command = await room.join("Ana", str(CLIPS / "ana.mp4"), "--model", str(model))
    person = await room.person("Ana", lambda p: p["mood"] is not None and p["video"] is not None)
    assert (person["mood"]["label"], person["mood"]["reason"]) == ("unknown", "no_model")
    assert await command.end() == 0
    assert "model.onnx" in sentence(command)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda url: url.replace("token=", "token=x"), "token_invalid"),
        (lambda url: url.split("?")[0], "token_missing"),
        (lambda url: url.replace("/r/main", "/r/other"), "room_forbidden"),
    ],
)
async def test_participant_link_that_is_wrong(room: Meeting, change: Any, code: str) -> None:
    link = {LINK_VARIABLE: change(room.ready["participant_url"])}
    command = await room.run("join", "--name", "Ana", "--source", "test", "--json", environment=link)
    assert await command.exit_code() in (1, 2)
    assert "expected" in sentence(command)


async def test_viewer_link_does_not_let_one_take_part(room: Meeting) -> None:
    link = {LINK_VARIABLE: room.ready["viewer_url"]}
    command = await room.run("join", "--name", "Ana", "--source", "test", "--json", environment=link)
    assert await command.exit_code() == 1
    assert "expected a participant token, got a viewer token" in sentence(command)


@pytest.mark.parametrize("name", ["", "   ", "x" * 500, "a\u202eb", "tab\x07"])
async def test_name_that_cannot_be_shown(room: Meeting, name: str) -> None:
    command = await room.join(name, "test")
    assert await command.exit_code() in (1, 2)
    assert "expected a name" in sentence(command)


@pytest.mark.parametrize("name", ["<b>Ana</b>", "עברית", "👩‍💻 Zoë", "محمد"])
async def test_name_in_any_script_is_taken_as_it_is(room: Meeting, name: str) -> None:
    await room.join(name, "test")
    await room.person(name, lambda p: p["video"] is not None)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["-X", "POST", "{origin}/whip/main"], 401, "token_missing"),
        (["-X", "POST", "-H", "Authorization: Bearer x.y.z", "{origin}/whip/main"], 401, "token_invalid"),
        (["-X", "POST", "-H", "Authorization: Bearer {viewer}", "{origin}/whip/main"], 403, "role_forbidden"),
        (["-X", "POST", "-H", "Authorization: Bearer {host}", "{origin}/whip/lost"], 403, "room_forbidden"),
        (
            [
                "-H",
                "Authorization: Bearer {participant}",
                "-H",
                "Content-Type: application/sdp",
                "-d",
                "hello",
                "{origin}/whip/main",
            ],
            400,
            "sdp_invalid",
        ),
        (
            ["-H", "Authorization: Bearer {participant}", "-d", "hello", "{origin}/whip/main"],
            415,
            "media_type_unsupported",
        ),
        (["-X", "DELETE", "-H", "Authorization: Bearer {host}", "{origin}/sessions/none"], 404, "session_unknown"),
        (["{origin}/nothing/here"], 404, "not_found"),
        (["-X", "PUT", "{origin}/whip/main"], 405, "method_not_allowed"),
    ],
)
async def test_curl_gets_the_documented_error(room: Meeting, arguments: list[str], status: int, code: str) -> None:
    words = {"origin": room.origin, **room.ready["tokens"]}
    process = await asyncio.create_subprocess_exec(
        *("curl", "-s", "-w", "\n%{http_code}", *(a.format(**words) for a in arguments)), stdout=asyncio.subprocess.PIPE
    )
    body, _, answered = (await process.communicate())[0].decode().rpartition("\n")
    assert int(answered) == status
    assert json.loads(body)["error"]["code"] == code
    assert "expected" in json.loads(body)["error"]["message"]
