"""coturn as a process, with the configuration that we give to users."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from signaling.ice import IceConfig
from signaling.network import routed_address

CONFIGURATION = Path(__file__).parent.parent / "docs" / "deploy" / "turnserver.conf"
TURNSERVER = shutil.which("turnserver")
WHY_NOT = "needs coturn (Debian: apt install coturn), found no turnserver"

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class TurnServer:
    """Relays to `address` and to nobody else."""

    address: str
    port: int
    secret: str

    @property
    def stun(self) -> str:
        return f"stun:{self.address}:{self.port}"

    def turn(self, transport: str = "udp") -> str:
        return f"turn:{self.address}:{self.port}?transport={transport}"

    def config(self, transport: str = "udp") -> IceConfig:
        return IceConfig(turn=(self.turn(transport),), turn_secret=self.secret)


@contextlib.asynccontextmanager
async def turn_server(folder: Path) -> AsyncIterator[TurnServer]:
    """coturn on the address where the host of a test gathers its candidates."""
    assert TURNSERVER is not None, WHY_NOT
    address = routed_address() or LOOPBACK
    server = TurnServer(address, _free_port(address), secrets.token_hex(16))
    lines = [f"static-auth-secret={server.secret}", f"allowed-peer-ip={address}"]
    if address == LOOPBACK:
        lines += ["allow-loopback-peers", "cli-password=coturn-insists-on-one-with-these"]
    configuration = folder / "turnserver.conf"
    configuration.write_text(CONFIGURATION.read_text() + "\n" + "\n".join(lines) + "\n")
    with (folder / "turnserver.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(
            *(TURNSERVER, "-c", str(configuration), "-L", address, "-E", address, "-p", str(server.port)),
            *("--pidfile", str(folder / "turnserver.pid"), "--userdb", str(folder / "turndb")),
            stdout=log,
            stderr=log,
        )
        try:
            await _accepts(server)
            yield server
        finally:
            process.kill()
            await process.wait()


async def _accepts(server: TurnServer) -> None:
    """Wait until something listens: coturn opens its UDP port before its TCP port."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ConnectionError):
                _, writer = await asyncio.open_connection(server.address, server.port)
                writer.close()
                await writer.wait_closed()
                return
            await asyncio.sleep(0.05)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
