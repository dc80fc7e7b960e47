"""A part of the system: how it is started, how one knows that it serves, and one run of it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from dalston.cli.up.logfile import LogFile

_CHUNK = 65536
_PR_SET_PDEATHSIG = 1
_PROBE_SECONDS = 0.04
"""How often a part is asked whether it serves: another process offers no event to wait for."""
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True)
class Part:
    """What to run and how to stop it; `serves` answers at once, True when the part is ready."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    serves: Callable[[], Awaitable[bool]]
    stop_seconds: float = 10.0


class Run:
    """One process of a part; its output goes to the part's log."""

    def __init__(self, process: asyncio.subprocess.Process, log: LogFile) -> None:
        self._process = process
        self._copying = asyncio.create_task(_copy(process, log))

    @classmethod
    async def start(cls, part: Part, log: LogFile) -> Run:
        """Start the process in a group of its own, so that Ctrl-C reaches the supervisor alone."""
        process = await asyncio.create_subprocess_exec(
            *part.command,
            env=dict(part.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(os.getpid()),
        )
        return cls(process, log)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    async def ended(self) -> int:
        """Wait until the process has ended; gives its exit status, negative for a signal."""
        return await self._process.wait()

    async def close(self) -> None:
        """Copy what is left of the output of an ended process."""
        # Its own children may hold the pipe open for longer than it lived.
        _, pending = await asyncio.wait([self._copying], timeout=0.2)
        for task in pending:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def stop(self, seconds: float) -> bool:
        """SIGTERM, and SIGKILL after that many seconds; tells whether SIGTERM was enough."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL."""
        if self._process.returncode is None:
            self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)


async def serving(part: Part) -> None:
    """Return once the part serves."""
    while not await part.serves():  # noqa: ASYNC110 - see _PROBE_SECONDS
        await asyncio.sleep(_PROBE_SECONDS)


async def _copy(process: asyncio.subprocess.Process, log: LogFile) -> None:
    assert process.stdout is not None
    while chunk := await process.stdout.read(_CHUNK):
        log.write(chunk)


def _end_with_parent(parent: int) -> Callable[[], None] | None:
    """Give what a child does before it becomes the part: ask for SIGTERM when the supervisor dies."""
    libc = _LIBC
    if libc is None:
        return None

    def ask() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before the request
            os._exit(1)

    return ask


async def answers(host: str, port: int, *, path: str) -> bool:
    """Tell whether GET `path` gives 200 there."""
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    line = await _first_line(host, port, request.encode())
    return line.split(b" ")[1:2] == [b"200"]


async def greets(host: str, port: int, *, greeting: bytes) -> bool:
    """Tell whether a server speaks first there, with that greeting."""
    return (await _first_line(host, port, b"")).startswith(greeting)


async def _first_line(host: str, port: int, request: bytes) -> bytes:
    try:
        async with asyncio.timeout(5.0):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError):
        return b""
