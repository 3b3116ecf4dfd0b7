"""What `edgeattend doctor` looks at for the server: secret, folder, port, pages, browser inference and certificate."""

from __future__ import annotations

import datetime
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

from cryptography import x509

from signaling import ort
from signaling.certificate import MAX_PEM_BYTES, self_signed
from signaling.check import Check, Verdict
from signaling.errors import ConfigInvalid
from signaling.files import read_bounded
from signaling.http import STATIC
from signaling.network import routed_address
from signaling.tokens import TokenAuthority, load_secret

MODELS = ("attention.onnx", "attention.json", "face.onnx", "face.json")
PAGES = ("meeting.html", "room.html", "host.html", "error.html")
REFERENCE = re.compile(r"""(?:src|href|from|import|Worker|URL)[=( ]*["'](/static/|\.{1,2}/)([\w./-]+\.\w+)["']""")
"""How a page or module names another file of ours: from the root, or from where it lies itself."""

LEAST_FREE_MIB = 10
"""Secret, certificate and who was removed come to a few kilobytes: with less than this a disk is as good as full."""


def checks(
    secret_file: Path,
    bind: str,
    port: int,
    tls_cert: Path | None,
    *,
    secret: str | None = None,
    own_tls: Path | None = None,
) -> list[Check]:
    """Every check of the server's side. `secret`: in place of the file; `own_tls`: the folder of a certificate of our
    own, which is made as at a start."""
    return [
        _secret(secret, secret_file),
        _folder(secret_file.parent),
        _port(bind, port),
        _pages(),
        _inference(),
        _certificate(tls_cert) if own_tls is None else _own_certificate(own_tls, bind),
        _network(),
    ]


def _secret(text: str | None, path: Path) -> Check:
    try:
        TokenAuthority(text or load_secret(path))
    except ConfigInvalid as error:
        return Check("secret", Verdict.FAILED, error.message, "give --secret-file a place you may write to")
    if text is None and os.name == "posix" and path.stat().st_mode & 0o077:
        found = f"others on this machine may read or change {path}: with it anybody makes tokens"
        return Check("secret", Verdict.WARNING, found, f"chmod 600 {path}")
    return Check("secret", Verdict.OK, "tokens can be signed")


def _folder(path: Path) -> Check:
    """Where the secret is, the server also writes down who was removed."""
    try:
        with tempfile.NamedTemporaryFile(dir=path):
            free_mib = shutil.disk_usage(path).free >> 20
    except OSError as error:
        found = f"{path} cannot be written ({error.strerror}): a restart would let in again who was removed"
        return Check("state folder", Verdict.WARNING, found, "give --secret-file a place you may write to")
    if free_mib < LEAST_FREE_MIB:
        return Check("state folder", Verdict.WARNING, f"{free_mib} MiB are free for {path}", "make room")
    return Check("state folder", Verdict.OK, f"{path} can be written")


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
        certificate = x509.load_pem_x509_certificate(read_bounded(path, MAX_PEM_BYTES))
    except (OSError, ValueError, x509.InvalidVersion) as error:
        return Check("certificate", Verdict.FAILED, f"expected a PEM certificate in {path}, got: {error}", "")
    left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.UTC)
    verdict = Verdict.OK if left > datetime.timedelta(days=7) else Verdict.WARNING
    if left <= datetime.timedelta():
        verdict = Verdict.FAILED
    return Check("certificate", verdict, f"valid until {certificate.not_valid_after_utc:%Y-%m-%d}", "")


def _own_certificate(folder: Path, bind: str) -> Check:
    try:
        path, _ = self_signed(folder, bind)
    except ConfigInvalid as error:
        return Check("certificate", Verdict.FAILED, error.message, "set XDG_STATE_HOME to a place you may write to")
    return _certificate(path)


def _network() -> Check:
    if routed_address() is None:
        return Check("network", Verdict.WARNING, "no route: only this machine can join", "connect to a network")
    return Check("network", Verdict.OK, "there is a route to other machines")
