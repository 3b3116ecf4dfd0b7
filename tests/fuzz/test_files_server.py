"""The server's own files, secrets and certificates: a sentence that ends the command, never a question or a wait."""

from __future__ import annotations

import datetime
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from signaling.certificate import self_signed, server_context
from signaling.doctor import checks
from signaling.errors import ConfigInvalid
from signaling.ice import load_turn_secret
from signaling.tokens import MIN_SECRET_CHARS, TokenAuthority, load_secret
from tests.fuzz.budget import count, dice
from tests.fuzz.damage import ODDITIES, each_damage, in_time, make_odd

SECRET = b"k" * 43 + b"\n"
PEM = serialization.Encoding.PEM
PRIVATE = serialization.PrivateFormat.PKCS8
Loader = Callable[[Path], str]


def pair(folder: Path, *, ended: bool = False, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30 if ended else 36_500))
        .sign(key, hashes.SHA256())
    )
    folder.mkdir(exist_ok=True)
    (folder / "cert.pem").write_bytes(certificate.public_bytes(PEM))
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(PEM, PRIVATE, how))
    return folder / "cert.pem", folder / "key.pem"


@pytest.mark.parametrize("load", [load_secret, load_turn_secret])
@pytest.mark.parametrize("kind", ODDITIES)
def test_a_secret_that_is_no_file_is_refused_or_made(tmp_path: Path, load: Loader, kind: str) -> None:
    path = make_odd(tmp_path / "secret", kind)
    if load is load_secret and kind == "missing":
        assert len(in_time(lambda: load(path))) >= MIN_SECRET_CHARS
        return
    try:
        secret = in_time(lambda: load(path))
    except ConfigInvalid as error:
        assert error.message.startswith("expected ") and str(path) in error.message
        assert "Dear reader" not in error.message
    else:  # any text will do, and how long a TURN server's has to be is checked with its option
        assert kind == "text" or (load is load_turn_secret and kind == "empty")
        assert len(secret) <= 4096


def test_a_damaged_secret_is_refused_or_signs(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    for _ in each_damage(path, SECRET, count(150), dice(6)):
        try:
            assert len(load_secret(path)) >= MIN_SECRET_CHARS
            TokenAuthority(load_secret(path))
        except ConfigInvalid as error:
            assert str(path) in error.message and "kkkk" not in error.message


@pytest.mark.parametrize("kind", ODDITIES)
@pytest.mark.parametrize("which", [0, 1])
def test_a_certificate_or_key_that_is_no_file_is_refused(tmp_path: Path, kind: str, which: int) -> None:
    files = pair(tmp_path)
    make_odd(files[which], kind)
    with pytest.raises(ConfigInvalid, match=r"expected a PEM certificate and its key in .*cert.pem and .*key.pem, got"):
        in_time(lambda: server_context(*files))


def test_a_damaged_certificate_or_key_is_refused_or_serves(tmp_path: Path) -> None:
    files, random = pair(tmp_path), dice(7)
    for which in (0, 1):
        whole = files[which].read_bytes()
        for _ in each_damage(files[which], whole, count(60), random):
            try:
                context = in_time(lambda: server_context(*files))
                assert isinstance(context, ssl.SSLContext)
            except ConfigInvalid as error:
                assert "got: " in error.message and "PRIVATE KEY" not in error.message
        files[which].write_bytes(whole)


def test_what_is_wrong_with_a_pair_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cert, key = pair(tmp_path / "a")
    other = pair(tmp_path / "b")[1]
    locked = pair(tmp_path / "c", password=b"secret")
    for files, words in (
        ((key, cert), "no certificate in the first"),
        ((cert, cert), "no private key in the second"),
        ((cert, other), "the key of another certificate"),
        (locked, "a key with a password"),
        ((cert, tmp_path / "none.pem"), "No such file"),
    ):
        with pytest.raises(ConfigInvalid, match=words):
            in_time(lambda files=files: server_context(*files))  # type: ignore[misc]
    with caplog.at_level(logging.WARNING):
        server_context(*pair(tmp_path / "d", ended=True))
    assert "ended on 2020-01-31" in caplog.text


@pytest.mark.parametrize("name", ["tls-cert.pem", "tls-key.pem"])
def test_our_own_damaged_certificate_is_made_anew(tmp_path: Path, name: str) -> None:
    self_signed(tmp_path, "127.0.0.1")
    whole = (tmp_path / name).read_bytes()
    for _ in each_damage(tmp_path / name, whole, count(12), dice(8)):
        server_context(*self_signed(tmp_path, "127.0.0.1"))
    for kind in ("empty", "text", "zeros"):
        make_odd(tmp_path / name, kind)
        server_context(*self_signed(tmp_path, "127.0.0.1"))


@pytest.mark.parametrize("kind", ["pipe", "sparse", "loop", "device"])
@pytest.mark.parametrize("name", ["tls-cert.pem", "tls-key.pem"])
def test_a_place_of_our_own_certificate_that_is_taken_is_named(tmp_path: Path, name: str, kind: str) -> None:
    self_signed(tmp_path, "127.0.0.1")
    make_odd(tmp_path / name, kind)
    try:
        files = in_time(lambda: self_signed(tmp_path, "127.0.0.1"))
    except ConfigInvalid as error:
        assert str(tmp_path) in error.message
    else:
        server_context(*files)


@pytest.mark.parametrize("kind", ODDITIES)
def test_the_doctor_finds_it_too(tmp_path: Path, kind: str) -> None:
    cert, secret = make_odd(tmp_path / "cert.pem", kind), make_odd(tmp_path / "secret", kind)
    found = {check.name: check for check in in_time(lambda: checks(secret, "127.0.0.1", 0, cert))}
    assert found["certificate"].verdict == "failed"
    assert (found["secret"].verdict == "failed") == (kind not in ("missing", "text"))
