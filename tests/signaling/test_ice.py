"""STUN and TURN servers: what is taken, credentials, and links."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeattend import ice_config
from signaling.errors import ConfigInvalid
from signaling.ice import (
    CREDENTIAL_TTL_S,
    MAX_SERVERS,
    IceConfig,
    IceServer,
    IceServers,
    from_links,
    load_turn_secret,
    to_link,
)

SECRET = "a secret that is shared with coturn"
TURN = "turn:turn.example.net:3478?transport=udp"
NOW_S = 1_700_000_000.0


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (IceConfig(stun="turn:a:3478"), "expected --stun stun:HOST:3478, got 'turn:a:3478'"),
        (IceConfig(stun="stun:a:3478?transport=udp"), "expected --stun"),
        (IceConfig(stun="stun://a"), "expected --stun"),
        (IceConfig(turn=("stun:a",), turn_secret=SECRET), "expected --turn turn:HOST:3478 or turns:HOST:5349"),
        (IceConfig(turn=("turn:a:0",), turn_secret=SECRET), "expected --turn"),
        (IceConfig(turn=("turn:a:70000",), turn_secret=SECRET), "expected --turn"),
        (IceConfig(turn=("turn:a?transport=sctp",), turn_secret=SECRET), "expected --turn"),
        (IceConfig(turn=("turn:user@a",), turn_secret=SECRET), "expected --turn"),
        (IceConfig(turn=('turn:a"\r\nX: y',), turn_secret=SECRET), "expected --turn"),
        (IceConfig(turn=(TURN,)), "expected the TURN server's secret with --turn"),
        (IceConfig(turn_secret=SECRET), "expected --turn with the secret of a TURN server"),
        (IceConfig(turn=(TURN,), turn_secret="short"), "expected a TURN secret of at least 32 characters, got 5"),
        (IceConfig(turn=(TURN,) * MAX_SERVERS, turn_secret=SECRET), "expected fewer than 8 TURN servers, got 8"),
    ],
)
def test_what_cannot_work_is_refused_with_what_was_expected(config: IceConfig, words: str) -> None:
    with pytest.raises(ConfigInvalid, match=re.escape(words)):
        IceServers(config)


@pytest.mark.parametrize(
    "uri", ["turn:a", "turn:a.b-c.net:1", "turns:a:5349?transport=tcp", "turn:10.0.0.1:3478", "turn:[2001:db8::1]:3478"]
)
def test_addresses_of_every_kind_are_taken(uri: str) -> None:
    assert [server.url for server in IceServers(IceConfig(turn=(uri,), turn_secret=SECRET)).issue()] == [uri]


def test_without_servers_there_is_nothing_to_tell() -> None:
    assert not IceServers(IceConfig())
    assert IceServers(IceConfig()).issue() == []
    assert IceServers(IceConfig(stun="stun:a")).issue() == [IceServer("stun:a")]


def test_credentials_are_made_as_coturn_checks_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW_S)
    stun, turn, other = IceServers(IceConfig("stun:a", (TURN, "turns:a:5349"), SECRET)).issue()
    assert (stun.username, stun.credential) == ("", "")
    assert re.fullmatch(rf"{int(NOW_S + CREDENTIAL_TTL_S)}:[\w-]{{8}}", turn.username)
    expected = base64.b64encode(hmac.new(SECRET.encode(), turn.username.encode(), hashlib.sha1).digest()).decode()
    assert turn.credential == expected
    assert (other.username, other.credential) == (turn.username, turn.credential)


def test_everybody_gets_credentials_of_their_own() -> None:
    servers = IceServers(IceConfig(turn=(TURN,), turn_secret=SECRET))
    assert len({servers.issue()[0].username for _ in range(100)}) == 100


def test_neither_secret_nor_credential_is_in_what_gets_logged() -> None:
    config = IceConfig(turn=(TURN,), turn_secret=SECRET)
    (server,) = IceServers(config).issue()
    assert SECRET not in f"{config} {config!r} {IceServers(config)!r}"
    assert server.credential not in f"{server} {server!r}"


def test_a_link_reads_as_in_the_rfc() -> None:
    assert to_link(IceServer("stun:stun.example.net")) == '<stun:stun.example.net>; rel="ice-server"'
    assert to_link(IceServer("turn:turn.example.net?transport=udp", "user", "myPassword")) == (
        '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="myPassword";'
        ' credential-type="password"'
    )


def test_links_come_back_as_they_were_in_one_header_or_in_many() -> None:
    servers = IceServers(IceConfig("stun:a", (TURN, "turns:[::1]:5349?transport=tcp"), SECRET)).issue()
    links = [to_link(server) for server in servers]
    assert from_links(links) == servers
    assert from_links([", ".join(links)]) == servers


def test_other_links_and_other_ways_to_write_them_are_understood() -> None:
    value = (
        '<https://a/whip>; rel=next, <turn:a>;REL=ice-server ; username=u;credential="p\\"\\\\q;,<x>" '
        ', <stun:b>; rel="other ice-server", <javascript:1>; rel="ice-server", <turn:a b>; rel="ice-server"'
    )
    assert from_links([value]) == [IceServer("turn:a", "u", 'p"\\q;,<x>'), IceServer("stun:b")]


def test_no_host_makes_a_participant_ask_servers_without_end() -> None:
    assert len(from_links([", ".join(['<stun:a>; rel="ice-server"'] * 1000)])) == MAX_SERVERS


@given(st.text(alphabet=' <>";,=\\turn:a-relice-server', max_size=400))
def test_nonsense_is_no_server_and_no_error(value: str) -> None:
    assert all(server.url.startswith(("turn:", "turns:", "stun:", "stuns:")) for server in from_links([value]))


def test_the_command_takes_the_secret_from_a_file_or_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEATTEND_TURN_SECRET", SECRET)
    assert ice_config(None, None, None) == IceConfig()
    assert ice_config("stun:a", [TURN], None) == IceConfig("stun:a", (TURN,), SECRET)
    (tmp_path / "secret").write_text("x" * 32)
    assert ice_config(None, [TURN], tmp_path / "secret").turn_secret == "x" * 32
    monkeypatch.delenv("EDGEATTEND_TURN_SECRET")
    with pytest.raises(ConfigInvalid, match="expected the TURN server's secret"):
        ice_config(None, [TURN], None)


def test_the_secret_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    assert load_turn_secret(tmp_path / "secret") == SECRET
    with pytest.raises(ConfigInvalid, match=r"secret in .*/none, got: No such file"):
        load_turn_secret(tmp_path / "none")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigInvalid, match="as text"):
        load_turn_secret(tmp_path / "bytes")


def test_a_pipe_in_the_place_of_the_secret_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "secret")
    with pytest.raises(ConfigInvalid, match=r"secret in .*/secret, got: a pipe or a device"):
        load_turn_secret(tmp_path / "secret")
