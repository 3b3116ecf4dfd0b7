"""A server's certificate: one of our own making for a local network, since browsers give their camera to HTTPS pages
alone, or one from a file."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import logging
import os
import socket
import ssl
from pathlib import Path

import aioice.ice
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from signaling.errors import ConfigInvalid
from signaling.files import read_bounded

logger = logging.getLogger(__name__)

VALID_DAYS = 365
RENEW_DAYS = 30
"""A certificate that ends sooner is made anew."""

MAX_PEM_BYTES = 1 << 20
"""A chain has some 10 kB."""

UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion, x509.DuplicateExtension)
"""What `cryptography` raises for files that are damaged or of another kind."""


def self_signed(folder: Path, bind: str) -> tuple[Path, Path]:
    """Certificate and key (PEM) in `folder` that name this machine as others reach it; made when they do not yet.

    `bind` is named too. Raises `ConfigInvalid` if `folder` cannot be written.
    """
    cert_file, key_file = folder / "tls-cert.pem", folder / "tls-key.pem"
    names = _names(bind)
    try:
        if not _serves(cert_file, key_file, names):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _make(cert_file, key_file, names)
    except OSError as error:
        raise ConfigInvalid(f"expected to write a certificate into {folder}, got: {error.strerror or error}") from error
    return cert_file, key_file


def server_context(cert_file: Path, key_file: Path) -> ssl.SSLContext:
    """For a server with this certificate chain and key (PEM). One that has expired serves, with a warning in the log:
    some clients don't mind. Raises `ConfigInvalid`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        chain = read_bounded(cert_file, MAX_PEM_BYTES)
        key = read_bounded(key_file, MAX_PEM_BYTES)
        # OpenSSL would ask for a password on the terminal, and wait.
        context.load_cert_chain(cert_file, key_file, password=_no_password)
    except _KeyEncryptedError:
        raise _unfit(cert_file, key_file, "a key with a password: take it off with openssl pkey") from None
    except ssl.SSLError as error:
        raise _unfit(cert_file, key_file, _fault(chain, key)) from error
    except OSError as error:
        raise _unfit(cert_file, key_file, error.strerror or str(error)) from error
    with contextlib.suppress(*UNREADABLE):  # OpenSSL takes more than `cryptography`
        ended = x509.load_pem_x509_certificate(chain).not_valid_after_utc
        if ended <= datetime.datetime.now(datetime.UTC):
            logger.warning("the certificate in %s ended on %s: browsers will refuse it", cert_file, ended.date())
    return context


class _KeyEncryptedError(Exception):
    """The key needs a password."""


def _no_password() -> str:
    raise _KeyEncryptedError


def _unfit(cert_file: Path, key_file: Path, found: str) -> ConfigInvalid:
    return ConfigInvalid(f"expected a PEM certificate and its key in {cert_file} and {key_file}, got: {found}")


def _fault(chain: bytes, key: bytes) -> str:
    """What is wrong with a chain and a key that OpenSSL refused, which itself says "PEM lib" of most faults."""
    try:
        certificate = x509.load_pem_x509_certificate(chain)
    except UNREADABLE:
        return "no certificate in the first"
    try:
        fits = serialization.load_pem_private_key(key, password=None).public_key() == certificate.public_key()
    except (TypeError, *UNREADABLE):
        return "no private key in the second"
    return "a chain that is damaged" if fits else "the key of another certificate"


def _names(bind: str) -> frozenset[str]:
    """Host names and addresses, as text."""
    hostname = socket.gethostname()
    addresses = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True)
    names = {"localhost", hostname, f"{hostname}.local", "127.0.0.1", "::1", *addresses}
    if not _is_unspecified(bind):
        names.add(bind)
    return frozenset(names)


def _is_unspecified(bind: str) -> bool:
    try:
        return ipaddress.ip_address(bind).is_unspecified
    except ValueError:
        return False


def _general_names(names: frozenset[str]) -> list[x509.GeneralName]:
    """Addresses and names as a certificate has them (RFC 5280 4.2.1.6); a name that DNS cannot have is left out."""
    general: list[x509.GeneralName] = []
    for name in sorted(names):
        try:
            general.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            with contextlib.suppress(UnicodeError):
                general.append(x509.DNSName(name.encode("idna").decode()))
    return general


def _serves(cert_file: Path, key_file: Path, names: frozenset[str]) -> bool:
    """Whether the files are there, valid for a while, and hold every name."""
    if not (cert_file.exists() and key_file.exists()):
        return False
    try:
        certificate = x509.load_pem_x509_certificate(read_bounded(cert_file, MAX_PEM_BYTES))
        key = serialization.load_pem_private_key(read_bounded(key_file, MAX_PEM_BYTES), password=None)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fits = key.public_key() == certificate.public_key()
    except (*UNREADABLE, TypeError, x509.ExtensionNotFound):  # TypeError: the key has a password
        return False
    if not fits:
        return False
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    return left > datetime.timedelta(days=RENEW_DAYS) and all(name in found for name in _general_names(names))


def _make(cert_file: Path, key_file: Path, names: frozenset[str]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "EdgeAttend on this machine")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(_general_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(key.private_bytes(*form))
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
