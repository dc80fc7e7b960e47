"""The operator's probes: whether the process is alive, which a standby is too.

`/healthz` fails when the event loop stands still, when a watch has heard nothing for too long, or
when the Lease is past its time: what a restart mends. A lost NATS is not: it comes back by itself.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from dalston.bus import Bus
from dalston.kube.lease import Lease
from dalston_operator.operator import Operator
from dalston_operator.settings import OperatorSettings

_LOOP_LIMIT = 30.0
_WATCH_LIMIT = 180.0


class Health:
    """Answers probes; `operator` is None in a standby."""

    def __init__(self, settings: OperatorSettings, bus: Bus, lease: Lease) -> None:
        self.operator: Operator | None = None
        self._settings = settings
        self._bus = bus
        self._lease = lease

    def problems(self) -> list[str]:
        """Give what a restart would mend."""
        operator = self.operator
        if operator is None:
            return []
        found = []
        now = time.monotonic()
        if now - operator.last_loop_check > _LOOP_LIMIT:
            found.append("the event loop stands still")
        for name, informer in (
            ("transcriptionjobs", operator.retention.jobs),
            ("jobs", operator.engines.jobs),
            ("pods", operator.engines.pods),
        ):
            if informer.synced.is_set() and now - informer.last_activity > _WATCH_LIMIT:
                found.append(f"the watch of {name} has heard nothing for {_WATCH_LIMIT:.0f} s")
        return found

    def state(self) -> dict[str, object]:
        """Give what people want to know."""
        operator = self.operator
        return {
            "leader": self._lease.held,
            "nats": self._bus.connected,
            "jobs": len(operator.jobs.tracked) if operator else 0,
            "engines": len(operator.engines.engines) if operator else 0,
            "queue": len(operator.jobs.queue) if operator else 0,
            "problems": self.problems(),
        }

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve `/healthz` while the context lasts."""
        if not self._settings.probe_port:
            yield
            return

        async def answer(_: web.Request) -> web.Response:
            state = self.state()
            return web.json_response(state, status=500 if state["problems"] else 200)

        app = web.Application()
        app.router.add_get("/healthz", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.probe_host, self._settings.probe_port).start()
            yield
        finally:
            await runner.cleanup()
