"""What `edgeattend doctor` finds out about the machine."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from signaling import machinecheck
from signaling.check import Check, Verdict


def find(name: str) -> Check:
    return next(check for check in machinecheck.checks() if check.name == name)


def test_this_machine_can_serve() -> None:
    assert [check.found for check in machinecheck.checks() if check.verdict is Verdict.FAILED] == []
    assert find("UDP").verdict is Verdict.OK


@pytest.mark.parametrize(
    ("allowed", "verdict"), [(1024, Verdict.WARNING), (3999, Verdict.WARNING), (4000, Verdict.OK), (16384, Verdict.OK)]
)
def test_open_files_are_enough_for_as_many_connections_as_the_listener_takes(
    allowed: int, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machinecheck, "open_files", lambda: allowed)
    check = find("open files")
    assert check.verdict is verdict
    assert str(allowed) in check.found


@pytest.mark.parametrize(
    ("addresses", "verdict"),
    [(["192.0.2.1"], Verdict.FAILED), (["127.0.0.1", "192.0.2.1"], Verdict.WARNING), ([], Verdict.OK)],
)
def test_addresses_where_udp_does_not_arrive_are_named(
    addresses: list[str], verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: addresses)
    check = find("UDP")
    assert check.verdict is verdict
    assert ("192.0.2.1 (" in check.found) == (verdict is not Verdict.OK)


def test_udp_that_is_swallowed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(socket.socket):
        def sendto(self, *_: object) -> int:
            return 0

    monkeypatch.setattr(machinecheck, "UDP_PATIENCE_S", 0.01)
    monkeypatch.setattr("signaling.machinecheck.socket.socket", Deaf)
    assert find("UDP").verdict is Verdict.FAILED


def test_the_ports_that_a_firewall_has_to_open_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinecheck, "PORT_RANGE", tmp_path / "range")
    assert "the ports that the system chooses" in find("UDP").found
    (tmp_path / "range").write_text("40000\t50000\n")
    assert "ports 40000 to 50000" in find("UDP").found


def test_a_clock_that_stands_before_the_program_was_installed_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("clock").verdict is Verdict.OK
    monkeypatch.setattr("signaling.machinecheck.time.time", lambda: 0.0)
    check = find("clock")
    assert check.verdict is Verdict.FAILED
    assert check.found.startswith("1970-01-01 00:00 UTC, before 20")


@pytest.mark.parametrize(("kib", "verdict"), [(300 * 1024, Verdict.WARNING), (2048 * 1024, Verdict.OK)])
def test_a_machine_short_of_memory_is_warned_of(
    kib: int, verdict: Verdict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {kib} kB\n")
    monkeypatch.setattr(machinecheck, "MEMORY", tmp_path / "meminfo")
    check = find("machine")
    assert check.verdict is verdict
    assert f"{kib // 1024} MiB" in check.found


def test_a_system_that_does_not_tell_its_memory_is_not_blamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machinecheck, "MEMORY", tmp_path / "none")
    assert find("machine").verdict is Verdict.OK
