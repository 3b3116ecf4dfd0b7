"""What `edgeattend doctor` looks at for the server: its secret, port, pages, browser inference and certificate."""

from __future__ import annotations

import datetime
import os
import re
import socket
from pathlib import Path

from cryptography import x509

from signaling import ort
from signaling.check import Check, Verdict
from signaling.errors import ConfigInvalid
from signaling.http import STATIC
from signaling.network import routed_address
from signaling.tokens import load_secret

MODELS = ("attention.onnx", "attention.json", "face.onnx", "face.json")
PAGES = ("meeting.html", "room.html", "host.html", "error.html")
REFERENCE = re.compile(r"""(?:src|href|from|import|Worker|URL)[=( ]*["'](/static/|\.{1,2}/)([\w./-]+\.\w+)["']""")
"""How a page or module names another file of ours: from the root, or from where it lies itself."""


def checks(secret_file: Path, bind: str, port: int, tls_cert: Path | None) -> list[Check]:
    """Every check of the server's side."""
    return [_secret(secret_file), _port(bind, port), _pages(), _inference(), _certificate(tls_cert), _network()]


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
    """Every page, and every file that a page or a module names."""
    wanted, seen = list(PAGES), set[str]()
    missing: list[str] = []
    while wanted:
        name = wanted.pop()
        if name in seen:
            continue
        seen.add(name)
        path = STATIC / name
        if not path.is_file():
            missing.append(name)
        elif path.suffix in (".html", ".js"):
            for base, reference in REFERENCE.findall(path.read_text(encoding="utf-8")):
                start = STATIC if base == "/static/" else path.parent / base
                wanted.append(os.path.relpath(start / reference, STATIC))
    if missing:
        found = f"missing: {', '.join(sorted(missing))}"
        return Check("browser files", Verdict.FAILED, found, "install EdgeAttend again")
    return Check("browser files", Verdict.OK, f"{len(seen)} files")


def _inference() -> Check:
    """What browsers need to work out a label; without it they take part without one."""
    remedy = f"in {ort.ROOT}: {ort.INSTALL} (Debian: apt install npm)"
    lacking = [f"onnxruntime-web's {name}" for name in ort.missing()]
    lacking += [f"models/{name}" for name in MODELS if not (STATIC / "models" / name).is_file()]
    if lacking:
        found = f"browsers join without a label, missing: {', '.join(lacking)}"
        return Check("browser inference", Verdict.WARNING, found, remedy)
    wanted, version = ort.pinned(), ort.installed()
    if wanted is not None and version != wanted:
        return Check("browser inference", Verdict.WARNING, f"onnxruntime-web {version}, {wanted} was tested", remedy)
    return Check("browser inference", Verdict.OK, f"onnxruntime-web {version} and the models")


def _certificate(path: Path | None) -> Check:
    if path is None:
        return Check(
            "certificate",
            Verdict.WARNING,
            "none given: browsers give their camera to other machines' pages only over HTTPS",
            "serve with --tls, or with --tls-cert and --tls-key",
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
    if routed_address() is None:
        return Check("network", Verdict.WARNING, "no route: only this machine can join", "connect to a network")
    return Check("network", Verdict.OK, "there is a route to other machines")
