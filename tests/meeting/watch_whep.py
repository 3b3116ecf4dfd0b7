"""A viewer as a process: URL, with its token in EDGEATTEND_TOKEN.

A JSON line says how many frames of the grid have come, as soon as there are more.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import aiohttp

from tests.fake_peer import FakePeer


async def main() -> None:
    (url,), token = sys.argv[1:], os.environ["EDGEATTEND_TOKEN"]
    peer = FakePeer(None)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/sdp"}
    async with aiohttp.ClientSession() as http, http.post(url, data=await peer.offer(), headers=headers) as response:
        assert response.status == 201, await response.text()
        await peer.accept(await response.text())
    told = 0
    while True:
        await asyncio.sleep(0.2)
        if len(peer.grid) > told:
            told = len(peer.grid)
            print(json.dumps({"event": "frames", "frames": told}), flush=True)


asyncio.run(main())
