"""What `edgeattend doctor` looks at for the server: its secret, port, pages and certificate."""

from __future__ import annotations

import datetime
import socket
from pathlib import Path

from cryptography import x509

from signaling.check import Check, Verdict
from signaling.errors import ConfigInvalid
from signaling.http import STATIC
from signaling.tokens import load_secret

PAGES = ("room.html", "room.js", "host.html", "host.js", "error.html", "style.css")


def checks(secret_file: Path, bind: str, port: int, tls_cert: Path | None) -> list[Check]:
    """Every check of the server's side."""
    return [_secret(secret_file), _port(bind, port), _pages(), _certificate(tls_cert), _network()]


def _secret(path: Path) -> Check:
    try:
        load_secret(path)
    except ConfigInvalid as error:
        return Check("secret", Verdict.FAILED, error.message, "give --secret-file a place you may write to")
    return Check("secret", Verdict.OK, "tokens can be signed")


def _port(bind: str, port: int) -> Check:
    with socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bind, port))
        except OSError as error:
            return Check("port", Verdict.FAILED, f"{bind}:{port}: {error.strerror}", "choose another one with --port")
    return Check("port", Verdict.OK, f"{bind}:{port} is free")


def _pages() -> Check:
    missing = [name for name in PAGES if not (STATIC / name).is_file()]
    if missing:
        return Check("browser files", Verdict.FAILED, f"missing: {', '.join(missing)}", "install EdgeAttend again")
    return Check("browser files", Verdict.OK, f"{len(PAGES)} files")


def _certificate(path: Path | None) -> Check:
    if path is None:
        return Check(
            "certificate",
            Verdict.WARNING,
            "none given: browsers give their camera to other machines' pages only over HTTPS",
            "serve with --tls-cert and --tls-key",
        )
    try:
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return Check("certificate", Verdict.FAILED, f"expected a PEM certificate in {path}, got: {error}", "")
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    verdict = Verdict.OK if left > datetime.timedelta(days=7) else Verdict.WARNING
    if left <= datetime.timedelta():
        verdict = Verdict.FAILED
    return Check("certificate", verdict, f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}", "")


def _network() -> Check:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET (RFC 5737): picks a route, sends nothing
        except OSError:
            return Check("network", Verdict.WARNING, "no route: only this machine can join", "connect to a network")
    return Check("network", Verdict.OK, "there is a route to other machines")
