"""What `edgeattend doctor` looks at for the server: secret, folder, port, pages, browser inference and certificate."""

from __future__ import annotations

import contextlib
import datetime
import errno
import os
import re
import shutil
import socket
import tempfile
from pathlib import Path

from cryptography import x509

from signaling import ort
from signaling.certificate import MAX_PEM_BYTES, UNREADABLE, self_signed, server_context
from signaling.check import Check, Verdict
from signaling.errors import ConfigInvalid
from signaling.files import read_bounded
from signaling.http import STATIC
from signaling.listener import ListenConfig, addresses
from signaling.network import routed_address
from signaling.tokens import TokenAuthority, load_secret

MODELS = ("attention.onnx", "attention.json", "face.onnx", "face.json")
PAGES = ("meeting.html", "room.html", "host.html", "error.html")
REFERENCE = re.compile(r"""(?:src|href|from|import|Worker|URL)[=( ]*["'](/static/|\.{1,2}/)([\w./-]+\.\w+)["']""")
"""How a page or module names another file of ours: from the root, or from where it lies itself."""

LEAST_FREE_MIB = 10
"""Secret, certificate and who was removed come to a few kilobytes: with less than this a disk is as good as full."""

WARN_BEFORE = datetime.timedelta(days=7)
"""Of a certificate's end: time to get a new one."""


def checks(
    secret_file: Path,
    bind: str,
    port: int,
    tls_cert: Path | None,
    tls_key: Path | None = None,
    *,
    secret: str | None = None,
    own_tls: Path | None = None,
    insecure: bool = False,
) -> list[Check]:
    """Every check of the server's side. `secret`: in place of the file; `own_tls`: the folder of a certificate of our
    own, which is made as at a start; `insecure`: beyond this machine without TLS, too."""
    if own_tls is not None:
        certificate = _own_certificate(own_tls, bind)
    elif tls_cert is None and tls_key is None:
        certificate = _no_certificate(bind, insecure)
    else:
        certificate = _certificate(tls_cert, tls_key)
    return [
        _secret(secret, secret_file),
        _folder(secret_file.parent),
        _port(bind, port),
        _pages(),
        _inference(),
        certificate,
        _network(),
    ]


def _secret(text: str | None, path: Path) -> Check:
    try:
        TokenAuthority(text or load_secret(path))
    except ConfigInvalid as error:
        advice = "give --secret-file a place you may write to" if text is None else "make one: openssl rand -hex 32"
        return Check("secret", Verdict.FAILED, error.message, advice)
    if text is None and os.name == "posix" and path.stat().st_mode & 0o077:
        found = f"others on this machine may read or change {path}: with it anybody makes tokens"
        return Check("secret", Verdict.WARNING, found, f"chmod 600 {path}")
    return Check("secret", Verdict.OK, "tokens can be signed")


def _folder(path: Path) -> Check:
    """Where the secret is, the server also writes down who was removed."""
    place = next(one for one in (path, *path.parents) if one.exists())  # a server makes the rest
    try:
        with tempfile.NamedTemporaryFile(dir=place):
            free_mib = shutil.disk_usage(place).free >> 20
    except OSError as error:
        found = f"{path} cannot be written ({error.strerror}): a restart would let in again who was removed"
        return Check("state folder", Verdict.WARNING, found, "give --secret-file a place you may write to")
    if free_mib < LEAST_FREE_MIB:
        return Check("state folder", Verdict.WARNING, f"{free_mib} MiB are free for {path}", "make room")
    return Check("state folder", Verdict.OK, f"{path} can be written")


def _port(bind: str, port: int) -> Check:
    """On every address that `bind` stands for."""
    try:
        for family, address in addresses(ListenConfig(bind, port, insecure=True)):
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind(address)
    except OSError as error:
        elsewhere = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
        advice = "give --bind an address of this machine" if elsewhere else "choose another one with --port"
        return Check("port", Verdict.FAILED, f"{bind}:{port}: {error.strerror}", advice)
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


def _no_certificate(bind: str, insecure: bool) -> Check:
    advice = "serve with --tls, or with --tls-cert and --tls-key"
    with contextlib.suppress(OSError):  # the port's check tells of that
        try:
            addresses(ListenConfig(bind, 0, insecure=insecure))
        except ConfigInvalid as error:
            return Check("certificate", Verdict.FAILED, error.message, advice)
    found = "none given: browsers give their camera to other machines' pages only over HTTPS"
    return Check("certificate", Verdict.WARNING, found, advice)


def _certificate(path: Path | None, key_file: Path | None) -> Check:
    if path is None or key_file is None:
        found = "expected a TLS certificate and its key together, got only one of them"
        return Check("certificate", Verdict.FAILED, found, "give both --tls-cert and --tls-key")
    advice = "renew it: a server reads it at its start"
    try:
        ends = x509.load_pem_x509_certificate(read_bounded(path, MAX_PEM_BYTES)).not_valid_after_utc
        left = ends - datetime.datetime.now(datetime.UTC)
        if left <= datetime.timedelta():
            return Check("certificate", Verdict.FAILED, f"ended on {ends:%Y-%m-%d}: browsers refuse it", advice)
        server_context(path, key_file)
    except (OSError, *UNREADABLE) as error:
        found = f"expected a PEM certificate in {path}, got: {error}"
        return Check("certificate", Verdict.FAILED, found, "is it the file of --tls-cert, and may you read it?")
    except ConfigInvalid as error:
        return Check("certificate", Verdict.FAILED, error.message, "give --tls-key the key that it was made with")
    verdict = Verdict.OK if left > WARN_BEFORE else Verdict.WARNING
    return Check("certificate", verdict, f"valid until {ends:%Y-%m-%d}", advice)


def _own_certificate(folder: Path, bind: str) -> Check:
    try:
        return _certificate(*self_signed(folder, bind))
    except ConfigInvalid as error:
        return Check("certificate", Verdict.FAILED, error.message, "set XDG_STATE_HOME to a place you may write to")


def _network() -> Check:
    if routed_address() is None:
        return Check("network", Verdict.WARNING, "no route: only this machine can join", "connect to a network")
    return Check("network", Verdict.OK, "there is a route to other machines")
