"""The certificate of our own making."""

from __future__ import annotations

import base64
import ipaddress
import os
import ssl
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from signaling.certificate import self_signed, server_context
from signaling.errors import ConfigInvalid
from signaling.server import ServeConfig, running


def test_it_names_this_machine_and_its_addresses(tmp_path: Path) -> None:
    cert_file, key_file = self_signed(tmp_path, "192.0.2.77")
    certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("192.0.2.77")} <= set(
        names.get_values_for_type(x509.IPAddress)
    )
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_it_is_kept_until_it_does_not_serve_any_more(tmp_path: Path) -> None:
    first = self_signed(tmp_path, "127.0.0.1")[0].read_bytes()
    assert self_signed(tmp_path, "0.0.0.0")[0].read_bytes() == first
    assert self_signed(tmp_path, "192.0.2.77")[0].read_bytes() != first


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigInvalid, match="expected to write a certificate into"):
        self_signed(file / "folder", "127.0.0.1")


async def test_a_client_that_trusts_it_gets_in_over_https(tmp_path: Path) -> None:
    cert_file, key_file = self_signed(tmp_path, "127.0.0.1")
    config = ServeConfig(secret="s" * 40, port=0, tls_cert=cert_file, tls_key=key_file)
    context = ssl.create_default_context(cafile=str(cert_file))
    async with running(config) as server, aiohttp.ClientSession() as http:
        assert server.links[0].participant_url.startswith("https://127.0.0.1:")
        async with http.get(f"https://127.0.0.1:{server.port}/healthz", ssl=context) as response:
            assert response.status == 200


def test_a_key_of_another_certificate_is_noticed(tmp_path: Path) -> None:
    self_signed(tmp_path / "other", "127.0.0.1")
    cert_file, key_file = self_signed(tmp_path, "127.0.0.1")
    key_file.write_bytes((tmp_path / "other" / "tls-key.pem").read_bytes())
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self_signed(tmp_path, "127.0.0.1"))
    key_file.write_text("no key")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*self_signed(tmp_path, "127.0.0.1"))
    assert cert_file.exists()


def test_a_host_name_in_any_script_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "häns-laptop")
    certificate = x509.load_pem_x509_certificate(self_signed(tmp_path, "127.0.0.1")[0].read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "xn--hns-laptop-q5a" in names.get_values_for_type(x509.DNSName)


def test_a_key_with_a_password_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    cert_file, key_file = self_signed(tmp_path, "127.0.0.1")
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    locked = serialization.BestAvailableEncryption(b"secret")
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(ConfigInvalid, match="got: a key with a password: take it off"):
        server_context(cert_file, key_file)


def test_what_is_wrong_with_a_certificate_and_its_key_is_said(tmp_path: Path) -> None:
    cert_file, key_file = self_signed(tmp_path, "127.0.0.1")
    other = self_signed(tmp_path / "other", "127.0.0.1")[1]
    os.mkfifo(tmp_path / "pipe")
    for cert, key, words in (
        (key_file, cert_file, "no certificate in the first"),
        (cert_file, cert_file, "no private key in the second"),
        (cert_file, other, "the key of another certificate"),
        (tmp_path / "pipe", key_file, "a pipe or a device"),
        (cert_file, tmp_path / "pipe", "a pipe or a device"),
    ):
        with pytest.raises(ConfigInvalid, match=f"expected a PEM certificate and its key in .*, got: {words}"):
            server_context(cert, key)
    assert isinstance(server_context(cert_file, key_file), ssl.SSLContext)


def test_a_certificate_that_has_ended_serves_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("signaling.certificate.VALID_DAYS", 0)
    server_context(*self_signed(tmp_path, "127.0.0.1"))
    assert "browsers will refuse it" in caplog.text


def test_a_pipe_in_the_place_of_our_own_certificate_is_not_waited_for(tmp_path: Path) -> None:
    cert_file, _ = self_signed(tmp_path, "127.0.0.1")
    cert_file.unlink()
    os.mkfifo(cert_file)
    with pytest.raises(ConfigInvalid, match=r"expected to write a certificate into .*, got: a pipe"):
        self_signed(tmp_path, "127.0.0.1")


def test_a_certificate_of_ours_on_an_unknown_curve_is_made_anew(tmp_path: Path) -> None:
    cert_file, key_file = self_signed(tmp_path, "127.0.0.1")
    der = x509.load_pem_x509_certificate(cert_file.read_bytes()).public_bytes(serialization.Encoding.DER)
    curve = bytes.fromhex("06082a8648ce3d030107")
    assert curve in der
    odd = base64.encodebytes(der.replace(curve, curve[:-1] + b"\x77")).decode()
    cert_file.write_text(f"-----BEGIN CERTIFICATE-----\n{odd}-----END CERTIFICATE-----\n")
    with pytest.raises(ConfigInvalid, match="expected a PEM certificate"):
        server_context(cert_file, key_file)
    server_context(*self_signed(tmp_path, "127.0.0.1"))
