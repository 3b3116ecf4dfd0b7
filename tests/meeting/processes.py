"""The product's own commands as processes, listened to through their JSON events."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from signaling.process import LINK_VARIABLE

ROOT = Path(__file__).parent.parent.parent
CLIPS = ROOT / "peer" / "clips"

Event = dict[str, Any]


class Command:
    """One `edgeattend` process; its events are kept, and can be waited for.

    `within`: a command line in front of it, such as one that enters a namespace; it must become the process itself.
    `environment`: variables more than ours. `strict`: Python's warnings are errors, which a user's are not.
    """

    def __init__(
        self,
        *arguments: str,
        within: Sequence[str] = (),
        module: str = "edgeattend",
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        strict: bool = True,
    ) -> None:
        self.arguments = arguments
        self._environment, self._cwd = os.environ | dict(environment or {}), cwd
        warnings = ("-W", "error") if strict else ()
        self._command = (*within, sys.executable, *warnings, "-m", module, *arguments)
        self.events: list[Event] = []
        self.stderr = ""
        self._came = asyncio.Condition()
        self._ended = False
        self._readers: list[asyncio.Task[None]] = []

    async def start(self, text: str | None = None) -> None:
        """`text`: all of its standard input."""
        self.process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=None if text is None else asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=self._cwd,
        )
        self._readers = [asyncio.create_task(self._read_stdout()), asyncio.create_task(self._read_stderr())]
        if text is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(text.encode())
            self.process.stdin.close()

    async def event(self, kind: str, matches: Callable[[Event], bool] = lambda _: True, *, after: int = 0) -> Event:
        """The first event of `kind` that matches, among those from index `after` on; waits for it."""
        async with asyncio.timeout(30), self._came:
            while True:
                for event in self.events[after:]:
                    if event.get("event") == kind and matches(event):
                        return event
                assert not self._ended, f"ended without {kind!r}: {self.events[-5:]}\n{self.stderr[-2000:]}"
                await self._came.wait()

    async def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and return the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        async with asyncio.timeout(30):
            code = await self.process.wait()
            await asyncio.gather(*self._readers)
        return code

    async def _read_stdout(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            with contextlib.suppress(ValueError):
                self.events.append(json.loads(line))
            async with self._came:
                self._came.notify_all()
        self._ended = True
        async with self._came:
            self._came.notify_all()

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            self.stderr += line.decode(errors="replace")


class Meeting:
    """A server process and what a test asks of it.

    `within`, `module`, `environment`, `cwd` and `strict`: as for `Command`; `http` has to reach the server from there.
    `options`: more for `serve`.
    """

    def __init__(
        self,
        secret_file: Path,
        http: aiohttp.ClientSession,
        *,
        bind: str = "127.0.0.1",
        within: Sequence[str] = (),
        module: str = "edgeattend",
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        strict: bool = True,
    ) -> None:
        self._environment, self._cwd, self._strict = environment or {}, cwd, strict
        self._secret_file = secret_file
        self._options = options
        self._http = http
        self._bind, self._within, self._module = bind, within, module
        self._commands: list[Command] = []
        self.port = 0

    async def open(self) -> None:
        """Start the server; again after `server.end()`, on the same port and with the same secret."""
        options = ["--bind", self._bind, "--port", str(self.port), "--secret-file", str(self._secret_file), "--json"]
        if self._bind != "127.0.0.1":
            options.append("--insecure")
        self.server = await self.run("serve", *options, *self._options)
        self.ready = await self.server.event("ready")
        self.origin = self.ready["participant_url"].split("/r/")[0]
        self.port = int(self.origin.rsplit(":", 1)[1])

    async def run(
        self, *arguments: str, within: Sequence[str] | None = None, environment: Mapping[str, str] | None = None
    ) -> Command:
        """One more command, where the server is unless `within` says otherwise."""
        command = Command(
            *arguments,
            within=self._within if within is None else within,
            module=self._module,
            environment={**self._environment, **(environment or {})},
            cwd=self._cwd,
            strict=self._strict,
        )
        await command.start()
        self._commands.append(command)
        return command

    async def join(
        self, name: str, source: str = str(CLIPS / "ana.mp4"), *options: str, within: Sequence[str] | None = None
    ) -> Command:
        link = {LINK_VARIABLE: self.ready["participant_url"]}
        arguments = ("join", "--name", name, "--source", source, "--json", *options)
        return await self.run(*arguments, within=within, environment=link)

    async def status(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.ready['tokens']['host']}"}
        async with self._http.get(self.ready["status_url"], headers=headers) as response:
            assert response.status == 200
            status: dict[str, Any] = await response.json()
            return status

    async def person(self, name: str, holds: Callable[[dict[str, Any]], Any], timeout_s: float = 30) -> dict[str, Any]:
        """The entry of `name` in the status as soon as `holds` is true of it."""
        entry: dict[str, Any] | None = None
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    people: list[dict[str, Any]] = (await self.status())["participants"]
                    entry = next((p for p in people if p["name"] == name), None)
                    if entry is not None and holds(entry):
                        return entry
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"{name} never got there; last seen as {entry}") from None

    async def nobody(self, name: str, timeout_s: float = 30) -> None:
        """Wait until `name` has no tile."""
        async with asyncio.timeout(timeout_s):
            while any(p["name"] == name for p in (await self.status())["participants"]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def close(self) -> None:
        for command in reversed(self._commands):
            if command.process.returncode is None:
                command.process.kill()
            await command.exit_code()


@contextlib.asynccontextmanager
async def meeting(secret_file: Path) -> AsyncIterator[Meeting]:
    """An open meeting; every process ends with it."""
    async with aiohttp.ClientSession() as http:
        current = Meeting(secret_file, http)
        try:
            await current.open()
            yield current
        finally:
            await current.close()
