"""Network namespaces: machines of their own, as far as the network goes, whose only cable ends in this process.

They have no name and no file: what holds them are descriptors of this process and of the processes in them, so that
the kernel removes them with all their devices when these end, however they end.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

TUN_DEVICE = Path("/dev/net/tun")
DEVICE = "net0"
"""The end of the cable in the namespace."""

CLONE_NEWNET = 0x40000000  # <linux/sched.h>
TUNSETIFF = 0x400454CA  # <linux/if_tun.h>
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000

PREFIX_BITS = 16
"""All namespaces are on one network, 10.77.0.0/16, and each has a 10.77.N.0/24 of it."""

_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """Why there can be no namespaces here, for a person; None if there can."""
    if not hasattr(socket, "AF_PACKET"):
        return "needs Linux: network namespaces"
    missing = [command for command in ("ip", "nsenter", "setpriv") if shutil.which(command) is None]
    if missing:
        return f"needs {' and '.join(missing)} (Debian: apt install iproute2 util-linux), not found"
    if not os.access(TUN_DEVICE, os.R_OK | os.W_OK):
        return f"needs {TUN_DEVICE}, which is not there or not ours"
    try:
        Namespace(0).close()
    except (OSError, subprocess.CalledProcessError) as error:
        return f"needs root: a network namespace with a TUN device cannot be made here ({error})"
    return None


class Namespace:
    """One namespace with the addresses 10.77.`number`.x; `tun` gives and takes its IP packets, and does not block."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.address = ""
        with _kept():
            _call(_libc.unshare(CLONE_NEWNET))
            self._fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
            try:
                self.tun = _open_tun()
            except OSError:
                os.close(self._fd)
                raise
        self._ip("link", "set", "lo", "up")
        self._ip("link", "set", DEVICE, "up")
        self.move(1)

    @property
    def prefix(self) -> tuple[str, ...]:
        """In front of a command line: runs it in here, as the same process, and no longer than its parent."""
        enter = ("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._fd}", "--")
        return (*enter, "setpriv", "--pdeathsig", "KILL", "--")

    def socket(self, family: int, kind: int, protocol: int) -> socket.socket:
        """A socket of this process in there."""
        with _kept():
            _call(_libc.setns(self._fd, CLONE_NEWNET))
            return socket.socket(family, kind, protocol)

    def move(self, last: int) -> None:
        """Have the address 10.77.N.`last` from now on, and no other."""
        if self.address:
            self._ip("address", "del", f"{self.address}/{PREFIX_BITS}", "dev", DEVICE)
        self.address = f"10.77.{self.number}.{last}"
        self._ip("address", "add", f"{self.address}/{PREFIX_BITS}", "dev", DEVICE)

    def close(self) -> None:
        """Let go; the namespace ends with the last process in it."""
        os.close(self.tun)
        os.close(self._fd)

    def _ip(self, *arguments: str) -> None:
        subprocess.run([*self.prefix, "ip", *arguments], check=True)


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Come back to the namespace that this thread is in; nothing may be awaited meanwhile."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        yield
    finally:
        _call(_libc.setns(home, CLONE_NEWNET))
        os.close(home)


def _call(result: int) -> None:
    """Raise `OSError` for a call to the kernel that failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _open_tun() -> int:
    """A TUN device in this thread's namespace, there as long as the descriptor is."""
    tun = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    except OSError:
        os.close(tun)
        raise
    return tun
