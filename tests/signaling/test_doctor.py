"""What `edgeattend doctor` finds out about the server's side."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from signaling import doctor
from signaling.check import Check, Verdict
from tests.signaling.test_server import make_certificate


def find(name: str, checks: list[Check]) -> Check:
    return next(check for check in checks if check.name == name)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "state" / "secret"


def test_a_machine_that_can_serve_has_no_failure_but_for_what_is_missing(
    secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in doctor.PAGES:
        (tmp_path / name).touch()
    monkeypatch.setattr(doctor, "STATIC", tmp_path)
    checks = doctor.checks(secret, "127.0.0.1", 0, make_certificate(tmp_path)[0])
    failed = [check for check in checks if check.verdict is Verdict.FAILED]
    assert failed == []
    assert all(check.found for check in checks)


def test_a_secret_that_cannot_be_kept_is_a_failure_with_advice(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = find("secret", doctor.checks(tmp_path / "file" / "secret", "127.0.0.1", 0, None))
    assert check.verdict is Verdict.FAILED
    assert "--secret-file" in check.advice


def test_a_port_in_use_is_a_failure_with_advice(secret: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check = find("port", doctor.checks(secret, "127.0.0.1", port, None))
    assert check.verdict is Verdict.FAILED
    assert str(port) in check.found
    assert "--port" in check.advice


def test_missing_pages_are_named(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "STATIC", tmp_path)
    check = find("browser files", doctor.checks(secret, "127.0.0.1", 0, None))
    assert check.verdict is Verdict.FAILED
    assert "room.html" in check.found


@pytest.mark.parametrize(("days", "verdict"), [(30, Verdict.OK), (3, Verdict.WARNING), (-3, Verdict.FAILED)])
def test_a_certificate_is_judged_by_the_time_it_has_left(
    secret: Path, tmp_path: Path, days: int, verdict: Verdict
) -> None:
    cert, _ = make_certificate(tmp_path, days)
    assert find("certificate", doctor.checks(secret, "127.0.0.1", 0, cert)).verdict is verdict


def test_no_certificate_is_a_warning_and_a_broken_one_a_failure(secret: Path, tmp_path: Path) -> None:
    assert find("certificate", doctor.checks(secret, "127.0.0.1", 0, None)).verdict is Verdict.WARNING
    (tmp_path / "broken.pem").write_text("no certificate")
    for path in (tmp_path / "broken.pem", tmp_path / "missing.pem"):
        assert find("certificate", doctor.checks(secret, "127.0.0.1", 0, path)).verdict is Verdict.FAILED
