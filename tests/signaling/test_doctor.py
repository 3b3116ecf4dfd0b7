"""What `edgeattend doctor` finds out about the server's side."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

import edgeattend
from signaling import doctor
from signaling.check import Check, Verdict
from signaling.errors import ConfigInvalid
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
    checks = doctor.checks(secret, "127.0.0.1", 0, *make_certificate(tmp_path))
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
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "state"):
        check = find("state folder", doctor.checks(folder / "secret", "127.0.0.1", 0, None, secret="s" * 40))
        assert check.verdict is Verdict.WARNING
        assert "Not a directory" in check.found
        assert "removed" in check.found


def test_a_folder_that_a_server_would_make_is_no_warning(tmp_path: Path) -> None:
    place = tmp_path / "not" / "yet"
    check = find("state folder", doctor.checks(place / "secret", "127.0.0.1", 0, None, secret="s" * 40))
    assert check.verdict is Verdict.OK
    assert not place.parent.exists()


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


def test_an_address_of_another_machine_is_a_failure_with_advice(secret: Path) -> None:
    check = find("port", doctor.checks(secret, "192.0.2.1", 0, None, insecure=True))
    assert check.verdict is Verdict.FAILED
    assert "--bind" in check.advice


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_a_port_in_use_is_found_on_any_address_that_a_name_stands_for(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = [(socket.AF_INET, ("127.0.0.1",)), (socket.AF_INET6, ("::1",))]
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        found = [(family, socket.SOCK_STREAM, 0, "", (*host, port)) for family, host in both]
        monkeypatch.setattr("signaling.listener.socket.getaddrinfo", lambda *_, **__: found)
        check = find("port", doctor.checks(secret, "localhost", port, None))
    assert check.verdict is Verdict.FAILED


def test_missing_pages_are_named(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "STATIC", tmp_path)
    check = find("browser files", doctor.checks(secret, "127.0.0.1", 0, None))
    assert check.verdict is Verdict.FAILED
    assert "room.html" in check.found


@pytest.mark.parametrize(
    ("days", "verdict", "found"),
    [
        (30, Verdict.OK, "valid until"),
        (3, Verdict.WARNING, "valid until"),
        (-3, Verdict.FAILED, "ended on .*: browsers refuse it"),
    ],
)
def test_a_certificate_is_judged_by_the_time_it_has_left(
    secret: Path, tmp_path: Path, days: int, verdict: Verdict, found: str
) -> None:
    check = find("certificate", doctor.checks(secret, "127.0.0.1", 0, *make_certificate(tmp_path, days)))
    assert check.verdict is verdict
    assert re.match(found, check.found)
    assert "renew it" in check.advice


def test_no_certificate_is_a_warning_and_a_broken_one_a_failure(secret: Path, tmp_path: Path) -> None:
    assert find("certificate", doctor.checks(secret, "127.0.0.1", 0, None)).verdict is Verdict.WARNING
    _, key = make_certificate(tmp_path)
    (tmp_path / "broken.pem").write_text("no certificate")
    for path in (tmp_path / "broken.pem", tmp_path / "missing.pem"):
        check = find("certificate", doctor.checks(secret, "127.0.0.1", 0, path, key))
        assert check.verdict is Verdict.FAILED
        assert check.advice


def test_a_key_that_is_missing_or_of_another_certificate_is_a_failure(secret: Path, tmp_path: Path) -> None:
    cert, _ = make_certificate(tmp_path)
    (tmp_path / "other").mkdir()
    _, other = make_certificate(tmp_path / "other")
    for key, found in ((other, "the key of another certificate"), (tmp_path / "none.pem", "No such file")):
        check = find("certificate", doctor.checks(secret, "127.0.0.1", 0, cert, key))
        assert check.verdict is Verdict.FAILED
        assert found in check.found
        assert "--tls-key" in check.advice


def test_a_certificate_or_key_alone_is_a_failure(secret: Path, tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path)
    for given in ((cert, None), (None, key)):
        check = find("certificate", doctor.checks(secret, "127.0.0.1", 0, *given))
        assert check.verdict is Verdict.FAILED
        assert "only one of them" in check.found


def test_to_listen_beyond_this_machine_without_tls_is_a_failure_unless_it_is_meant(
    secret: Path, tmp_path: Path
) -> None:
    check = find("certificate", doctor.checks(secret, "0.0.0.0", 0, None))
    assert check.verdict is Verdict.FAILED
    assert "--insecure" in check.found
    assert find("certificate", doctor.checks(secret, "0.0.0.0", 0, None, insecure=True)).verdict is Verdict.WARNING
    with_one = doctor.checks(secret, "0.0.0.0", 0, *make_certificate(tmp_path))
    assert find("certificate", with_one).verdict is Verdict.OK


def test_the_command_refuses_two_certificates_as_serve_does(tmp_path: Path) -> None:
    for command in ("doctor", "serve"):
        arguments = [command, "--tls", "--tls-cert", str(tmp_path / "cert.pem")]
        with pytest.raises(ConfigInvalid, match="got both"):
            CliRunner().invoke(edgeattend.app, arguments, catch_exceptions=False)


def test_the_command_hands_over_what_serve_would_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[object] = []

    def checks(*args: object, **options: object) -> list[Check]:
        given.extend([args, options])
        return [Check("port", Verdict.FAILED, "taken", "choose another one")]

    monkeypatch.setattr("signaling.doctor.checks", checks)
    for module in ("signaling.machinecheck", "signaling.icecheck", "host.doctor", "peer.doctor"):
        monkeypatch.setattr(f"{module}.checks", lambda *_: [])
    arguments = ["--bind", "0.0.0.0", "--tls-cert", "c.pem", "--tls-key", "k.pem", "--insecure", "--secret-file", "s"]
    result = CliRunner().invoke(edgeattend.app, ["doctor", *arguments], env={"EDGEATTEND_SECRET": ""})
    options = {"secret": None, "own_tls": None, "insecure": True}
    assert given == [(Path("s"), "0.0.0.0", 8080, Path("c.pem"), Path("k.pem")), options]
    assert result.exit_code == 1
    assert result.output == "FAILED   port: taken\n         -> choose another one\n"
