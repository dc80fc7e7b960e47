"""`python -m dalston.localkube` as a process that tests may kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from dalston.localkube.controllers.connection import connect
from tests.localkube_controllers.cluster import Cluster, write_images

TOKEN = "test-token"


class ServerProcess:
    """One control plane's process; `start` after `kill` goes on with the same state."""

    def __init__(self, folder: Path) -> None:
        write_images(folder)
        self.folder = folder
        self._token = folder / "token"
        self._token.write_text(TOKEN)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Address of the API server."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @contextlib.asynccontextmanager
    async def cluster(self) -> AsyncIterator[Cluster]:
        """A client of it."""
        async with connect(self.url, TOKEN) as client:
            yield Cluster(client, self.folder)

    async def start(self, **environment: str) -> None:
        """Start it, and wait until it answers."""
        with (self.folder / "output").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "dalston.localkube"),
                *("--data-dir", str(self.folder)),
                *("--port", str(self._port)),
                *("--token-file", str(self._token)),
                env={**os.environ, **environment},
                stdout=output,
                stderr=output,
            )
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while not await _answers(session, f"{self.url}/readyz"):
                assert self._process.returncode is None, (self.folder / "output").read_text()
                # Another process: there is nothing to wait on but its port.
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """kill -9."""
        await self.stop(signal.SIGKILL)

    async def stop(self, number: int = signal.SIGTERM) -> None:
        """Signal it and wait for its end."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(number)
        async with asyncio.timeout(20):
            await self._process.wait()


async def _answers(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
