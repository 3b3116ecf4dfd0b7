"""What `edgeattend doctor` finds out about STUN and TURN servers: whether they answer, and let us in."""

from __future__ import annotations

import asyncio
from typing import Any

from aioice import Connection
from aioice.stun import TransactionError
from aioice.turn import create_turn_endpoint
from aiortc import RTCIceServer
from aiortc.rtcicetransport import connection_kwargs

from signaling.check import Check, Verdict
from signaling.ice import IceConfig, IceServer, IceServers
from signaling.rtc import why_no_relay

PATIENCE_S = 5.0
"""Longer than a join waits: somebody wants to know."""

DATAGRAMS_LOST = "are UDP and TCP let through to it?"


def checks(config: IceConfig) -> list[Check]:
    """One for each server that is configured."""
    return asyncio.run(_check_all(IceServers(config).issue()))


async def _check_all(servers: list[IceServer]) -> list[Check]:
    return [await _check(server) for server in servers]


async def _check(server: IceServer) -> Check:
    name = "turn" if server.relays else "stun"
    try:
        settings = connection_kwargs([RTCIceServer(server.url, server.username, server.credential)])
    except ValueError:
        found = f"only browsers use {server.url}, the Python participant and the host cannot read its address"
        return Check(name, Verdict.WARNING, found, "give it a host name, or an address of IPv4")
    return await (_turn(server, settings) if server.relays else _stun(server, settings))


async def _stun(server: IceServer, settings: dict[str, Any]) -> Check:
    connection = Connection(ice_controlling=True, **settings)
    try:
        await connection.gather_candidates()
        seen = [one.host for one in connection.local_candidates if one.type == "srflx"]
    finally:
        await connection.close()
    if not seen:
        return Check("stun", Verdict.FAILED, f"{server.url} does not answer", DATAGRAMS_LOST)
    return Check("stun", Verdict.OK, f"{server.url} sees this machine as {seen[0]}")


async def _turn(server: IceServer, settings: dict[str, Any]) -> Check:
    """A relay, made and given back."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            transport, released = await create_turn_endpoint(
                _Released,
                server_addr=settings["turn_server"],
                username=settings["turn_username"],
                password=settings["turn_password"],
                ssl=settings["turn_ssl"],
                transport=settings["turn_transport"],
            )
            relayed = transport.get_extra_info("sockname")[0]
            transport.close()
            await released.event.wait()
    except (TransactionError, OSError) as error:  # OSError: TimeoutError, too
        advice = "is the secret the one of its static-auth-secret, and are both clocks right?"
        refused = getattr(error, "response", None) is not None
        found = f"{server.url} {why_no_relay(error)}"
        return Check("turn", Verdict.FAILED, found, advice if refused else DATAGRAMS_LOST)
    return Check("turn", Verdict.OK, f"{server.url} relays from {relayed}")


class _Released(asyncio.DatagramProtocol):
    """Knows when its relay is given back."""

    def __init__(self) -> None:
        self.event = asyncio.Event()

    def connection_lost(self, exc: Exception | None) -> None:
        """As `asyncio` calls it."""
        self.event.set()
