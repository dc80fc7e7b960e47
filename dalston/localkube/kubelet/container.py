"""One container of a pod: its runs one after another, as the restart policy wants."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

from dalston.localkube.kubelet.context import PodContext
from dalston.localkube.kubelet.environment import ConfigError
from dalston.localkube.kubelet.images import ImageMissing
from dalston.localkube.kubelet.probes import Probes
from dalston.localkube.kubelet.process import Command, Exit, Run
from dalston.localkube.kubelet.runs import Runs, cannot_start, command_of, note_start_error
from dalston.localkube.kubelet.status import ContainerView
from dalston.localkube.quantities import parse_quantity

JSON = dict[str, Any]


class Container:
    """Runs a container until its policy says never again, or it is stopped."""

    def __init__(self, context: PodContext, spec: JSON, *, init: bool) -> None:
        self.name: str = spec["name"]
        self.spec = spec
        self.run: Run | None = None
        """The run that goes on, or the latest."""
        self._context = context
        self._init = init
        self._runs = Runs(context.folder / "containers" / self.name)
        self._end: Exit | None = None
        self._last: Exit | None = None
        self._waiting = ("PodInitializing" if _has_inits(context) and not init else "", "")
        self._ready = False
        self._started = False
        self._stop = asyncio.Event()
        self._kills: list[asyncio.TimerHandle] = []
        self._deadline = 0.0
        self._quick_failures = 0
        limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
        self.memory_limit = int(parse_quantity(limit)) if limit else None
        """Bytes that it may hold; None: any."""

    @property
    def goes_on(self) -> bool:
        """Whether its processes are there."""
        return self.run is not None and self._end is None

    @property
    def reference(self) -> str:
        """How events name it."""
        field = "initContainers" if self._init else "containers"
        return f"spec.{field}{{{self.name}}}"

    def view(self) -> ContainerView:
        """What its status is made of."""
        run = self.run
        uid = self._context.pod["metadata"]["uid"]
        reason, message = self._waiting
        return ContainerView(
            name=self.name,
            image=str(self.spec["image"]),
            id=f"localkube://{uid}/{self.name}/{run.number}" if run else "",
            waiting=reason or "ContainerCreating",
            message=message,
            started_at=run.started_at if run and self._end is None and not reason else None,
            end=None if reason else self._end,
            last=self._end if reason else self._last,
            restarts=run.number if run else 0,
            ready=self._end is not None and self._end.code == 0 if self._init else self._ready,
            started=self._started,
        )

    async def run_to_end(self) -> Exit | None:
        """Run until the end that is final; None when it was stopped before it ran."""
        run = await self._resume()
        while run is not None:
            end = await self._watch(run) if self.goes_on else self._exit_of(run)
            self._note_end(run, end)
            if self._stop.is_set() or not self._wants_restart(end):
                return end
            run = await self._restart(run, end)
        return self._end

    def stop(self, grace: float) -> None:
        """SIGTERM now, SIGKILL after `grace` seconds; a second call may only shorten that."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        first = not self._stop.is_set()
        self._deadline = deadline if first else min(deadline, self._deadline)
        self._stop.set()
        if self.goes_on and (first or self._deadline == deadline):
            self._terminate(self._deadline, quiet=not first)

    def cancel_timers(self) -> None:
        """Forget planned kills: the run is left to the next kubelet."""
        for timer in self._kills:
            timer.cancel()
        self._kills.clear()
        if self.run is not None:
            self.run.release()

    def kill_for_memory(self) -> None:
        """End it for holding more than its limit; blocks, for a thread."""
        if self.run is not None:
            self.run.kill("OOMKilled")

    def _terminate(self, deadline: float, *, quiet: bool = False) -> None:
        run, loop = self.run, asyncio.get_running_loop()
        assert run is not None
        if not quiet:
            message = f"Stopping container {self.name}"
            self._record("Killing", message)
        run.terminate()
        kill = loop.call_at(deadline, lambda: loop.run_in_executor(None, run.kill))
        self._kills.append(kill)

    async def _resume(self) -> Run | None:
        """Take up the latest run of an earlier kubelet, or start the first."""
        numbers = await asyncio.to_thread(self._runs.numbers)
        if not numbers:
            return await self._start(0)
        if len(numbers) > 1:
            self._last = self._exit_of(self._runs.run(numbers[-2]))
        run = self._runs.run(numbers[-1])
        self._quick_failures = run.number
        if await run.adopt():
            self._begin(run)
            return run
        if run.started() or (run.folder / "exit").exists():
            self._end, self.run = self._exit_of(run), run
            return run
        return await self._start(run.number)

    async def _start(self, number: int) -> Run | None:
        """Start the run of that number, as soon as all it needs is there; None when stopped."""
        command = await self._await_command()
        if command is None:
            return None
        run = self._runs.run(number)
        problem = await asyncio.to_thread(cannot_start, command)
        if problem:
            await asyncio.to_thread(note_start_error, run, problem)
            self._record("Failed", f"Error: {problem}", warning=True)
            self.run, self._end = run, self._exit_of(run)
            self._waiting = ("", "")
            return run
        await run.start(command)
        self._begin(run)
        self._record("Started", f"Started container {self.name}")
        if number > 1:
            await asyncio.to_thread(self._runs.forget_old)
        return run

    async def _await_command(self) -> Command | None:
        while not self._stop.is_set():
            try:
                return await command_of(self._context, self.spec)
            except ImageMissing as error:
                self.wait_for("ErrImagePull", str(error))
            except ConfigError as error:
                self.wait_for("CreateContainerConfigError", str(error))
            await self._sleep(self._context.settings.config_retry_seconds)
        return None

    def wait_for(self, reason: str, message: str) -> None:
        """Say why it does not start yet."""
        self._record("Failed", f"Error: {message}", warning=True)
        if self._waiting != (reason, message):
            self._waiting = (reason, message)
            self._context.changed()

    def _begin(self, run: Run) -> None:
        self.run, self._end, self._waiting = run, None, ("", "")
        self._started = "startupProbe" not in self.spec
        self._ready = self._started and "readinessProbe" not in self.spec
        if self._stop.is_set():
            self._terminate(self._deadline)
        self._context.changed()

    async def _watch(self, run: Run) -> Exit:
        probes = Probes(self, self._context) if not self._init else None
        task = asyncio.create_task(probes.run()) if probes and probes.wanted else None
        try:
            await run.wait()
            return self._exit_of(run)
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def set_started(self) -> None:
        """The startup probe succeeded."""
        self._started = True
        self._ready = "readinessProbe" not in self.spec
        self._context.changed()

    def set_ready(self, ready: bool) -> None:
        """What the readiness probe says now."""
        if ready is not self._ready:
            self._ready = ready
            self._context.changed()

    def probe_failed(self, kind: str, message: str) -> None:
        """Record one failed probe."""
        self._record("Unhealthy", f"{kind} probe failed: {message}", warning=True)

    def restart_for_probe(self, kind: str, grace: float | None) -> None:
        """End a run that a probe gave up on; the restart policy decides what follows."""
        message = f"Container {self.name} failed {kind.lower()} probe, will be restarted"
        self._record("Killing", message)
        if self.goes_on:
            loop = asyncio.get_running_loop()
            wait = self._context.grace if grace is None else grace
            self._terminate(loop.time() + wait, quiet=True)

    def _exit_of(self, run: Run) -> Exit:
        """How a run ended; a failed one tells the end of its log where the pod asks for that."""
        end = run.exit()
        asked = self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if end.code == 0 or end.message or not asked:
            return end
        return replace(end, message=run.log_tail())

    def _note_end(self, run: Run, end: Exit) -> None:
        for timer in self._kills:
            timer.cancel()
        self._kills.clear()
        self._end, self._ready, self._started = end, False, False
        if end.reason == "OOMKilled":
            self._record(
                "OOMKilled", f"Container {self.name} held more than its memory limit", warning=True
            )
        self._context.changed()

    def _wants_restart(self, end: Exit) -> bool:
        policy = self._context.restart_policy
        if end.code == 0:
            return policy == "Always" and not self._init
        return policy != "Never"

    async def _restart(self, run: Run, end: Exit) -> Run | None:
        settings = self._context.settings
        if end.finished_at - end.started_at >= settings.steady_seconds:
            self._quick_failures = 0
        pause = 0.0
        if self._quick_failures:
            pause = min(
                settings.restart_backoff_seconds * 2 ** min(self._quick_failures - 1, 20),
                settings.restart_backoff_limit_seconds,
            )
        self._quick_failures += 1
        left = end.finished_at + pause - time.time()
        if left > 0:
            pod = self._context.pod["metadata"]
            words = f"back-off {pause:g}s restarting failed container={self.name} pod={pod['name']}"
            self._waiting = ("CrashLoopBackOff", words)
            self._record(
                "BackOff", f"Back-off restarting failed container {self.name}", warning=True
            )
            self._context.changed()
            await self._sleep(left)
            if self._stop.is_set():
                self._waiting = ("", "")
        if self._stop.is_set():
            return None
        self._last = end
        return await self._start(run.number + 1)

    async def _sleep(self, seconds: float) -> None:
        """Sleep, but wake up to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    def _record(self, reason: str, message: str, *, warning: bool = False) -> None:
        recorder = self._context.recorder
        record = recorder.warning if warning else recorder.normal
        record(self._context.pod, reason, message, field=self.reference)


def _has_inits(context: PodContext) -> bool:
    return bool(context.pod["spec"].get("initContainers"))
