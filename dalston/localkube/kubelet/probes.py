"""Startup, readiness and liveness probes of one run of a container."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from typing import TYPE_CHECKING, Any

import aiohttp

from dalston.localkube.kubelet.context import PodContext
from dalston.localkube.kubelet.environment import ConfigError
from dalston.localkube.kubelet.images import ImageMissing
from dalston.localkube.kubelet.runs import command_of
from dalston.localkube.kubelet.status import pod_address

if TYPE_CHECKING:
    from dalston.localkube.kubelet.container import Container

JSON = dict[str, Any]

_FIRST_LOOK = 0.1


class Probes:
    """Asks as the container's probes say, and tells the container what they found."""

    def __init__(self, container: Container, context: PodContext) -> None:
        self._container = container
        self._context = context

    @property
    def wanted(self) -> bool:
        """Whether the container has any probe."""
        names = ("startupProbe", "readinessProbe", "livenessProbe")
        return any(self._container.spec.get(name) for name in names)

    async def run(self) -> None:
        """Probe until cancelled."""
        spec = self._container.spec
        if spec.get("startupProbe"):
            if not await self._startup(spec["startupProbe"]):
                return
            self._container.set_started()
        async with asyncio.TaskGroup() as group:
            if spec.get("readinessProbe"):
                group.create_task(self._readiness(spec["readinessProbe"]))
            if spec.get("livenessProbe"):
                group.create_task(self._liveness(spec["livenessProbe"]))

    async def _startup(self, probe: JSON) -> bool:
        """Ask often at first: what a slow period would cost is the container's start."""
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        period = float(probe.get("periodSeconds", 10))
        loop = asyncio.get_running_loop()
        give_up = loop.time() + period * int(probe.get("failureThreshold", 3))
        pause = _FIRST_LOOK
        while True:
            problem = await self._ask(probe)
            if problem is None:
                return True
            if loop.time() >= give_up:
                self._container.probe_failed("Startup", problem)
                grace = probe.get("terminationGracePeriodSeconds")
                self._container.restart_for_probe("Startup", grace)
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, period)

    async def _readiness(self, probe: JSON) -> None:
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        period = float(probe.get("periodSeconds", 10))
        ready, streak, pause, began = False, 0, _FIRST_LOOK, False
        while True:
            problem = await self._ask(probe)
            good = problem is None
            began = began or good
            streak = streak + 1 if good is not ready else 0
            needed = int(probe.get("successThreshold" if good else "failureThreshold", 1))
            if streak >= needed:
                ready, streak = good, 0
                self._container.set_ready(ready)
            if problem is not None and (began or pause >= period):
                self._container.probe_failed("Readiness", problem)
            await asyncio.sleep(period if began else pause)
            pause = min(pause * 2, period)

    async def _liveness(self, probe: JSON) -> None:
        await asyncio.sleep(probe.get("initialDelaySeconds", 0))
        failures = 0
        while True:
            await asyncio.sleep(float(probe.get("periodSeconds", 10)))
            problem = await self._ask(probe)
            failures = failures + 1 if problem is not None else 0
            if problem is not None:
                self._container.probe_failed("Liveness", problem)
            if failures >= int(probe.get("failureThreshold", 3)):
                grace = probe.get("terminationGracePeriodSeconds")
                self._container.restart_for_probe("Liveness", grace)
                return

    async def _ask(self, probe: JSON) -> str | None:
        """What is wrong; None when all is well."""
        try:
            async with asyncio.timeout(float(probe.get("timeoutSeconds", 1))):
                if "httpGet" in probe:
                    return await self._http(probe["httpGet"])
                if "tcpSocket" in probe:
                    return await self._tcp(probe["tcpSocket"])
                if "exec" in probe:
                    return await self._exec(probe["exec"])
        except TimeoutError:
            return "context deadline exceeded"
        except (OSError, aiohttp.ClientError, ConfigError, ImageMissing) as error:
            return str(error) or repr(error)
        return f"unsupported probe: {', '.join(sorted(probe))}"

    async def _http(self, action: JSON) -> str | None:
        host = action.get("host") or pod_address(self._context.pod)
        path = str(action.get("path") or "/").lstrip("/")
        scheme = str(action.get("scheme") or "HTTP").lower()
        url = f"{scheme}://{host}:{self._port(action['port'])}/{path}"
        headers = {entry["name"]: entry["value"] for entry in action.get("httpHeaders") or ()}
        async with self._context.http.get(
            url, headers=headers, allow_redirects=False, ssl=False
        ) as answer:
            if 200 <= answer.status < 400:
                return None
            return f"HTTP probe failed with statuscode: {answer.status}"

    async def _tcp(self, action: JSON) -> str | None:
        host = action.get("host") or pod_address(self._context.pod)
        _, writer = await asyncio.open_connection(host, self._port(action["port"]))
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return None

    def _port(self, port: int | str) -> int:
        if str(port).isdigit():
            return int(port)
        for entry in self._container.spec.get("ports") or ():
            if entry.get("name") == port:
                return int(entry["containerPort"])
        raise ConfigError(f"the container has no port named {port}")

    async def _exec(self, action: JSON) -> str | None:
        command = await command_of(self._context, self._container.spec)
        process = await asyncio.create_subprocess_exec(
            *action["command"],
            cwd=command.folder,
            env=dict(command.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = await process.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        return None if process.returncode == 0 else output.decode(errors="replace")[-500:]
