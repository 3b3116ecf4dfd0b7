"""What `edgeattend doctor` finds out about the server's side."""

from __future__ import annotations

import os
import re
import shutil
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


def test_a_secret_that_is_too_short_is_a_failure_wherever_it_comes_from(secret: Path) -> None:
    secret.parent.mkdir()
    secret.write_text("short\n")
    secret.chmod(0o600)
    for given in (None, "short"):
        check = find("secret", doctor.checks(secret, "127.0.0.1", 0, None, secret=given))
        assert check.verdict is Verdict.FAILED
        assert re.fullmatch("expected a secret of at least 32 characters.*, got 5", check.found)


def test_a_secret_of_the_environment_leaves_no_file(secret: Path) -> None:
    check = find("secret", doctor.checks(secret, "127.0.0.1", 0, None, secret="s" * 40))
    assert check.verdict is Verdict.OK
    assert not secret.exists()


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
def test_a_secret_that_others_may_read_is_a_warning_with_advice(secret: Path) -> None:
    assert find("secret", doctor.checks(secret, "127.0.0.1", 0, None)).verdict is Verdict.OK
    secret.chmod(0o644)
    check = find("secret", doctor.checks(secret, "127.0.0.1", 0, None))
    assert check.verdict is Verdict.WARNING
    assert check.advice == f"chmod 600 {secret}"


def test_a_folder_that_cannot_be_written_is_a_warning_that_says_what_is_lost(tmp_path: Path) -> None:
    check = find("state folder", doctor.checks(tmp_path / "none" / "secret", "127.0.0.1", 0, None, secret="s" * 40))
    assert check.verdict is Verdict.WARNING
    assert "No such file" in check.found
    assert "removed" in check.found


def test_a_full_disk_is_a_warning(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find("state folder", doctor.checks(secret, "127.0.0.1", 0, None)).verdict is Verdict.OK
    usage = shutil.disk_usage(secret.parent)
    monkeypatch.setattr("signaling.doctor.shutil.disk_usage", lambda _: usage._replace(free=5 << 20))
    check = find("state folder", doctor.checks(secret, "127.0.0.1", 0, None))
    assert (check.verdict, check.found) == (Verdict.WARNING, f"5 MiB are free for {secret.parent}")


def test_a_certificate_of_our_own_is_made_as_at_a_start(secret: Path, tmp_path: Path) -> None:
    check = find("certificate", doctor.checks(secret, "127.0.0.1", 0, None, own_tls=tmp_path))
    assert check.verdict is Verdict.OK
    assert (tmp_path / "tls-cert.pem").exists()
    (tmp_path / "file").touch()
    check = find("certificate", doctor.checks(secret, "127.0.0.1", 0, None, own_tls=tmp_path / "file"))
    assert check.verdict is Verdict.FAILED
    assert "expected to write a certificate" in check.found


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
