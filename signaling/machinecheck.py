"""What `edgeattend doctor` finds out about the machine: open files, UDP, clock, processors and memory."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import time
from pathlib import Path

import aioice.ice

from signaling.check import Check, Verdict
from signaling.listener import MAX_CONNECTIONS, open_files

UDP_PATIENCE_S = 1.0
"""For a datagram from this machine to itself."""

LEAST_FREE_MIB = 400
"""A server with eight participants takes 190 MiB, and as much again is soon taken by more rooms and people."""

PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
MEMORY = Path("/proc/meminfo")


def checks() -> list[Check]:
    """Every check of the machine; sends a datagram to itself."""
    return [_open_files(), _udp(), _clock(), _size()]


def _open_files() -> Check:
    """Whether the listener may have as many connections as it would take: half the open files, the rest is media."""
    allowed = open_files()
    if allowed // 2 < MAX_CONNECTIONS:
        return Check(
            "open files",
            Verdict.WARNING,
            f"{allowed}: at most {allowed // 2} connections, and each participant and viewer takes a few more",
            "raise the limit: ulimit -Hn, LimitNOFILE= in a unit, ulimits in a compose file",
        )
    return Check("open files", Verdict.OK, f"{allowed} allowed")


def _udp() -> Check:
    """Media needs it, on the addresses that the host names in its answers."""
    addresses = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=True) or ["127.0.0.1"]
    deaf = [f"{address} ({fault})" for address in addresses if (fault := _udp_fault(address)) is not None]
    if deaf:
        return Check(
            "UDP",
            Verdict.FAILED if len(deaf) == len(addresses) else Verdict.WARNING,
            f"datagrams to this machine itself do not arrive at {', '.join(deaf)}",
            "let UDP through: a firewall on this machine, or RestrictAddressFamilies= in a unit",
        )
    ports = "the ports that the system chooses"
    with contextlib.suppress(OSError, ValueError):
        first, last = PORT_RANGE.read_text().split()
        ports = f"ports {first} to {last}"
    return Check("UDP", Verdict.OK, f"arrives at every address of this machine; firewalls have to let {ports} through")


def _udp_fault(address: str) -> str | None:
    """Why a datagram from `address` to itself does not arrive; None if it does."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(UDP_PATIENCE_S)
            probe.bind((address, 0))
            probe.sendto(b"EdgeAttend", probe.getsockname())
            probe.recv(64)
    except OSError as error:
        return error.strerror or "nothing came"
    return None


def _clock() -> Check:
    """A machine without a battery starts in 1970, and then no certificate is valid and no link expires in time."""
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
    installed = datetime.datetime.fromtimestamp(Path(__file__).stat().st_mtime, datetime.UTC)
    found = f"{now:%Y-%m-%d %H:%M} UTC"
    if now < installed:
        found += f", before {installed:%Y-%m-%d}, when EdgeAttend was installed"
        return Check("clock", Verdict.FAILED, found, "set it: certificates, links and TURN credentials end by it")
    return Check("clock", Verdict.OK, found)


def _size() -> Check:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    found = f"{cores} core{'s' if cores > 1 else ''}"
    free_mib = _free_mib()
    if free_mib is None:
        return Check("machine", Verdict.OK, found)
    found += f", {free_mib} MiB of memory to spare"
    if free_mib < LEAST_FREE_MIB:
        advice = f"{LEAST_FREE_MIB} MiB are a beginning: docs/operations.md, Sizing"
        return Check("machine", Verdict.WARNING, found, advice)
    return Check("machine", Verdict.OK, found)


def _free_mib() -> int | None:
    """Memory that could be had without swapping; None where the system does not tell (anything but Linux)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in MEMORY.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) // 1024
    return None
