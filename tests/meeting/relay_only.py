"""`edgeattend` on a machine whose own addresses reach nobody: media gets out over a relay or not at all."""

from __future__ import annotations

import aioice.ice

import edgeattend


def none(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    """In place of this machine's addresses."""
    return []


if __name__ == "__main__":
    aioice.ice.get_host_addresses = none
    edgeattend.main()
