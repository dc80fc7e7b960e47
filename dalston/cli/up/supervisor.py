"""Starts the parts, reports, waits for a signal or a fault, and stops the parts in order."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dalston.cli.up import leftovers, parts
from dalston.cli.up.checkout import EngineFolder, read_crds
from dalston.cli.up.keeper import Keeper
from dalston.cli.up.logfile import LogFile
from dalston.cli.up.part import Part
from dalston.cli.up.parts import Setup
from dalston.cli.up.state import Running, shown

JSON = dict[str, Any]

_START_SECONDS = 60.0
"""How long a part may take until it serves: fifty times what it takes on a quiet machine."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `dalston up` brings up."""

    setup: Setup
    engines: Sequence[EngineFolder]
    manifests: Sequence[JSON]
    warm: bool


class Supervisor:
    """The parts of one state folder."""

    def __init__(self, plan: Plan, *, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._say = say
        self._began = time.monotonic()
        self._keepers: dict[str, Keeper] = {}
        self._stop = asyncio.Event()
        self._killed = False
        setup = plan.setup
        self._running = Running(
            pid=os.getpid(),
            started=datetime.now(UTC).isoformat(timespec="seconds"),
            gateway=setup.gateway_url,
            kubernetes=setup.kubernetes_url,
            nats=setup.nats_url,
            kubeconfig=str(setup.state.kubeconfig.resolve()),
        )

    async def run(self) -> None:
        """Bring everything up, keep it up until a signal comes, take it down; raises PartFailed."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled)
        try:
            await self._unless_stopped(self._bring_up())
            if not self._stop.is_set():
                await self._unless_stopped(self._keep_up())
        finally:
            await self._take_down()

    async def _bring_up(self) -> None:
        setup = self._plan.setup
        self._start(parts.nats(setup))
        self._start(parts.localkube(setup))
        crds = read_crds()
        # Takes as long to import as the control plane takes to start: the two go side by side.
        from dalston.cli.up import install

        await self._keepers[parts.LOCALKUBE].ready(_START_SECONDS)
        await install.apply_crds(self._kube(), crds)
        await install.forget_workers(self._kube())
        await self._keepers[parts.NATS].ready(_START_SECONDS)
        self._start(parts.operator(setup))
        self._start(parts.gateway(setup))
        await install.apply_engines(self._kube(), self._plan.manifests)
        for name in (parts.OPERATOR, parts.GATEWAY):
            await self._keepers[name].ready(_START_SECONDS)
        self._tell(ready=True)
        self._say(
            f"ready after {self._elapsed()}: {setup.gateway_url} (reference at /docs), "
            f"kubectl --kubeconfig {shown(setup.state.kubeconfig)}"
        )

    async def _report_warm(self) -> None:
        from dalston.cli.up import install

        async def failing(name: str, reason: str) -> None:
            words = await install.last_words(self._kube(), name)
            self._say(f"engine {name} has no worker yet: {words or reason}")

        names = [engine.name for engine in self._plan.engines]
        await install.await_warm(self._kube(), names, on_failing=failing)
        self._say(f"engines warm after {self._elapsed()}: {', '.join(names)}")

    async def _keep_up(self) -> None:
        """Return never; raises PartFailed, or what went wrong while waiting for the workers."""
        watching = {asyncio.create_task(keeper.failed()) for keeper in self._keepers.values()}
        if self._plan.warm:
            watching.add(asyncio.create_task(self._report_warm()))
        try:
            while watching:
                done, watching = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _start(self, part: Part) -> None:
        log = LogFile(self._plan.setup.state.logs / f"{part.name}.log")
        keeper = Keeper(part, log=log, say=self._say, changed=self._tell)
        self._keepers[part.name] = keeper
        keeper.start()

    def _tell(self, *, ready: bool | None = None) -> None:
        pids = {name: keeper.pid for name, keeper in self._keepers.items()}
        self._running = replace(
            self._running,
            ready=self._running.ready if ready is None else ready,
            parts={name: pid for name, pid in pids.items() if pid is not None},
        )
        self._plan.setup.state.write_running(self._running)

    def _kube(self) -> Any:
        from dalston.kube import KubeSettings

        return KubeSettings(config=self._plan.setup.state.kubeconfig)

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"

    async def _unless_stopped(self, work: Any) -> None:
        """Do the work, but drop it when a signal comes; its errors come through."""
        doing = asyncio.create_task(work)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait([doing, stopped], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not doing.done():
            doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing

    def _signalled(self) -> None:
        if self._stop.is_set():
            self._killed = True
            self._say("killing everything")
            for keeper in self._keepers.values():
                keeper.kill()
            return
        self._stop.set()
        self._say("stopping (again to kill)")

    async def _take_down(self) -> None:
        self._stop.set()
        for name in (parts.GATEWAY, parts.OPERATOR, parts.LOCALKUBE, parts.NATS):
            if name in self._keepers:
                await self._keepers[name].stop()
        root = self._plan.setup.state.root
        if left := leftovers.marked(root):
            grace = 0.0 if self._killed else 5.0
            await asyncio.to_thread(leftovers.end, left, grace=grace)
        self._plan.setup.state.forget_running()
        self._say(f"stopped after {self._elapsed()}")
