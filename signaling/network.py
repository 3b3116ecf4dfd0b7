"""How other machines reach this one."""

from __future__ import annotations

import errno
import socket


def routed_address() -> str | None:
    """The IPv4 address that this machine has on its way to others; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET (RFC 5737): picks a route, sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def is_ours(address: str) -> bool:
    """Whether this machine has the IP `address` now: it goes when a cable, or another network, comes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            return error.errno != errno.EADDRNOTAVAIL
    return True
