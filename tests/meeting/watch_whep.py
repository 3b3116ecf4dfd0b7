"""A viewer as a process: URL TOKEN; a JSON line per second that says how many frames of the grid have come."""

from __future__ import annotations

import asyncio
import json
import sys

import aiohttp

from tests.fake_peer import FakePeer


async def main() -> None:
    url, token = sys.argv[1:]
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
