"""A restart forgets nobody: who was removed stays out, in memory, in the file, and at a real server; others keep their
place."""

from __future__ import annotations

import errno
import logging
import os
import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from signaling.errors import ConfigInvalid
from signaling.protocol import RESUME_HEADER as RESUME
from signaling.removals import Removals, removals_file
from signaling.server import ServeConfig, running
from signaling.tokens import RESUME_TTL_S
from tests.host.offers import real_offer


async def test_who_was_removed_is_remembered_by_whoever_reads_the_file(tmp_path: Path) -> None:
    path = removals_file(tmp_path / "state" / "secret")
    removals = Removals(path)
    removals.add("ana")
    assert "ana" in removals
    assert "ben" not in removals
    await removals.save()
    assert path.name == "secret-removed"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "ana" in Removals(path)


async def test_removals_are_forgotten_when_no_token_can_be_valid_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "removed"
    removals = Removals(path)
    removals.add("ana")
    await removals.save()
    late_s = time.time() + RESUME_TTL_S + 1
    monkeypatch.setattr("signaling.removals.time.time", lambda: late_s)
    assert "ana" not in removals
    assert "ana" not in Removals(path)
    assert path.read_text() == ""


async def test_two_servers_share_a_file(tmp_path: Path) -> None:
    one, other = Removals(tmp_path / "removed"), Removals(tmp_path / "removed")
    for removals, who in ((one, "ana"), (other, "ben"), (one, "zuri")):
        removals.add(who)
        await removals.save()
    found = Removals(tmp_path / "removed")
    assert all(who in found for who in ("ana", "ben", "zuri"))


def test_a_line_that_broke_off_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "removed"
    until_s = int(time.time()) + 100
    path.write_bytes(b"%d ana\n\xff\x00 x\n99999999999999999999 eve\n-1 eve\n%d ben\n%d" % (until_s, until_s, until_s))
    removals = Removals(path)
    assert "ana" in removals
    assert "ben" in removals
    assert "eve" not in removals
    assert path.read_text() == f"{until_s} ana\n{until_s} ben\n"


async def test_a_write_that_broke_off_spoils_not_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "removed"
    removals = Removals(path)
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[: len(data) // 2]))
    removals.add("ana")
    await removals.save()
    monkeypatch.undo()
    removals.add("ben")
    await removals.save()
    assert "ben" in Removals(path)
    assert "ana" in Removals(path)  # written again with the next one


async def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    removals = Removals(tmp_path / "removed")
    os.mkfifo(tmp_path / "removed")
    removals.add("ana")
    await removals.save()
    reader = os.open(tmp_path / "removed", os.O_RDONLY | os.O_NONBLOCK)
    removals.add("ben")
    await removals.save()
    os.close(reader)
    assert caplog.text.count("could not write down who was removed") == 2


def test_a_disk_without_room_to_shorten_the_file_keeps_no_server_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "removed"
    path.write_text(f"1 old\n{int(time.time()) + 100} ana\n")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert "ana" in Removals(path)
    assert [one.name for one in tmp_path.iterdir()] == ["removed"]


def test_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("signaling.removals.MAX_REMOVED", 2)
    removals = Removals()
    for who in ("ana", "ben", "ana", "zuri"):
        removals.add(who)
    assert [who for who in ("ana", "ben", "zuri") if who in removals] == ["ana", "zuri"]


async def test_a_disk_that_takes_nothing_is_told_and_the_removal_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    removals = Removals(tmp_path / "file" / "removed")
    (tmp_path / "file").touch()
    removals.add("ana")
    with caplog.at_level(logging.WARNING):
        await removals.save()
    assert "ana" in removals
    assert "could not write down who was removed" in caplog.text
    assert "ana" not in caplog.text


def test_a_file_that_is_none_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=f"who was removed from {tmp_path}, got: a folder"):
        Removals(tmp_path)


@pytest.mark.parametrize("way", ["participants", "sessions"])
async def test_a_restarted_server_does_not_let_in_whom_the_host_removed(tmp_path: Path, way: str) -> None:
    config = ServeConfig("s" * 32, port=0, removals_file=tmp_path / "removed")
    offer = await real_offer("sendonly", "recvonly")
    async with aiohttp.ClientSession() as http:
        async with running(config) as server:
            links = server.links[0]
            removed = await _join(http, links.whip_url, links.tokens["participant"], offer)
            stays = await _join(http, links.whip_url, links.tokens["participant"], offer)
            origin = links.whip_url.split("/whip/")[0]
            (participant, _) = [one.id for one in server.directory.room("main").participants()]
            paths = {"participants": f"/r/main/participants/{participant}", "sessions": removed.headers["Location"]}
            async with http.delete(origin + paths[way], headers=_bearer(links.tokens["host"])) as response:
                assert response.status == 200
        async with running(replace(config)) as server:
            whip_url = server.links[0].whip_url
            answers = [await _join(http, whip_url, who.headers[RESUME], offer) for who in (removed, stays)]
            assert [answer.status for answer in answers] == [403, 201]
            assert (await _join(http, whip_url, server.links[0].tokens["participant"], offer)).status == 201


async def test_tiles_keep_their_order_over_a_restart_whoever_is_back_first() -> None:
    config = ServeConfig("s" * 32, port=0)
    offer = await real_offer("sendonly", "recvonly")
    async with aiohttp.ClientSession() as http:
        async with running(config) as server:
            links = server.links[0]
            personal = [
                (await _join(http, f"{links.whip_url}?name={name}", links.tokens["participant"], offer)).headers[RESUME]
                for name in ("Ana", "Ben", "Zuri")
            ]
        async with running(config) as server:
            links = server.links[0]
            await _join(http, f"{links.whip_url}?name=New", links.tokens["participant"], offer)
            for token in reversed(personal):
                await _join(http, links.whip_url, token, offer)
            names = [tile.participant.name for tile in server.directory.room("main").renderer.scene.tiles]
            assert names == ["Ana", "Ben", "Zuri", "New"]


async def _join(http: aiohttp.ClientSession, url: str, token: str, offer: str) -> aiohttp.ClientResponse:
    headers = {"Content-Type": "application/sdp"} | _bearer(token)
    async with http.post(url, data=offer, headers=headers) as response:
        await response.read()
        return response


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
