"""Keeps one part running: starts it again, with growing pauses, whenever it ends by itself.

A part that ends `START_ATTEMPTS` times before it ever served is given up: that is a fault of the
set-up, which starting again does not mend.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from dalston.cli.up.logfile import LogFile
from dalston.cli.up.part import Part, Run, serving

START_ATTEMPTS = 3
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 15.0
_STEADY_SECONDS = 30.0
"""A run of this length counts as steady: the next fault starts over with the shortest pause."""


class PartFailed(Exception):
    """A part that cannot start; `tail` is the end of its log."""

    def __init__(self, name: str, *, status: int | None, tail: list[str]) -> None:
        self.name = name
        self.status = status
        self.tail = tail
        super().__init__(name)


def pause_after(failures: int) -> float:
    """Give the seconds to wait before the start that follows that many faults in a row."""
    return float(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** (failures - 1)))


class Keeper:
    """Starts a part and keeps it running until `stop`."""

    def __init__(
        self,
        part: Part,
        *,
        log: LogFile,
        say: Callable[[str], None],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.part = part
        self.log = log
        self._say = say
        self._changed = changed
        self._run: Run | None = None
        self._stopping = asyncio.Event()
        self._served = asyncio.Event()
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the present run."""
        return self._run.pid if self._run else None

    def start(self) -> None:
        """Begin; does not wait."""
        self._task = asyncio.create_task(self._keep(), name=self.part.name)

    async def ready(self, seconds: float) -> None:
        """Wait until the part has served once; raises PartFailed."""
        assert self._task is not None, "not started"
        served = asyncio.create_task(self._served.wait())
        try:
            await asyncio.wait(
                [served, self._task], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            served.cancel()
        if self._task.done() and not self._stopping.is_set():
            self._task.result()
        if not self._served.is_set():
            raise PartFailed(self.part.name, status=None, tail=self.log.tail(15))

    async def failed(self) -> None:
        """Wait until the part is given up; raises PartFailed then."""
        assert self._task is not None, "not started"
        await asyncio.shield(self._task)

    async def stop(self) -> None:
        """Stop the part for good."""
        self._stopping.set()
        if self._run is not None and not await self._run.stop(self.part.stop_seconds):
            self._say(f"{self.part.name} did not stop within {self.part.stop_seconds:g} s: killed")
        if self._task is not None:
            with suppress(PartFailed):
                await self._task
        self.log.close()

    def kill(self) -> None:
        """Kill the present run; with `stop` under way this hurries it."""
        self._stopping.set()
        if self._run is not None:
            self._run.kill()

    async def _keep(self) -> None:
        while not self._stopping.is_set():
            status = await self._run_once()
            if self._stopping.is_set():
                return
            self._failures += 1
            if not self._served.is_set() and self._failures >= START_ATTEMPTS:
                raise PartFailed(self.part.name, status=status, tail=self.log.tail(15))
            pause = pause_after(self._failures)
            self._say(f"{self.part.name} {_how(status)}; starting it again in {pause:g} s")
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopping.wait()

    async def _run_once(self) -> int:
        began = time.monotonic()
        run = self._run = await Run.start(self.part, self.log)
        if self._stopping.is_set():  # `stop` came before there was a process to stop
            run.kill()
        self._changed()
        probing = asyncio.create_task(self._announce())
        try:
            status = await run.ended()
        finally:
            probing.cancel()
            with suppress(asyncio.CancelledError):
                await probing
        self._run = None
        await run.close()
        if time.monotonic() - began > _STEADY_SECONDS:
            self._failures = 0
        return status

    async def _announce(self) -> None:
        await serving(self.part)
        if self._served.is_set():
            self._say(f"{self.part.name} is back")
        self._served.set()


def _how(status: int) -> str:
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with exit status {status}"
