"""The worker: loads its engine, pulls a task whenever a slot is free, and ends in a known way.

Exit statuses: 0 nothing left to do; 42 and 43 the input of a Dedicated task was at fault; 1 the engine
did not load, or a Dedicated task failed; 70 the engine hung; 75 tasks were handed back on SIGTERM.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from functools import partial
from typing import Any

from dalston.bus import BusUnavailable, TaskDelivery, TaskQueue
from dalston.engine_sdk.engine import Engine
from dalston.engine_sdk.execution import EngineStuck, Execution
from dalston.engine_sdk.outcomes import Outcome, Stop
from dalston.engine_sdk.threads import EngineThread
from dalston.engine_sdk.workplace import Workplace
from dalston.observability import log_context

logger = logging.getLogger(__name__)

_BUS_PAUSE = 0.5
"""Seconds between tries to pull while the bus is away."""

_LOOK_AGAIN = 5.0
"""Seconds after which a worker that waits for tasks beside running ones looks whether it is idle."""

_LAST_SECONDS = 1.0
"""Seconds to hand back what runs when the process has to end at once."""


class ExitStatus(IntEnum):
    """Exit statuses that do not come from a task's error."""

    DONE = 0
    FAILED = 1
    HUNG = 70
    HANDED_BACK = 75


class Worker:
    """Serves one engine until it is idle, has done its tasks, or is told to end."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._settings = place.settings
        self._running: dict[asyncio.Task[None], Execution] = {}
        self._free: asyncio.Queue[EngineThread] = asyncio.Queue()
        self._ending: asyncio.Future[ExitStatus] = asyncio.get_running_loop().create_future()
        self._pulled = 0
        self._idle_since = asyncio.get_running_loop().time()
        self._exit_code = 0
        self._handed_back = False
        self.loaded = asyncio.Event()

    @property
    def ready(self) -> bool:
        """Whether the engine is loaded and NATS is connected."""
        return self.loaded.is_set() and self._place.bus.connected

    def terminate(self) -> None:
        """End soon: finish what is being stored, hand back the rest."""
        self._end(ExitStatus.HANDED_BACK)

    async def run(self, make_engine: Callable[[], Engine]) -> int:
        """Make and load the engine in the first engine thread, then work; gives the exit status."""
        threads = [EngineThread(f"engine-{n}") for n in range(self._settings.concurrency)]
        try:
            engine = await self._load(threads[0], make_engine)
            if engine is None:
                return ExitStatus.DONE if self._ending.done() else ExitStatus.FAILED
            for thread in threads:
                self._free.put_nowait(thread)
            return await self._work(engine)
        finally:
            for thread in threads:
                thread.stop()

    async def _load(self, thread: EngineThread, make_engine: Callable[[], Engine]) -> Engine | None:
        loading = thread.run(partial(_made_and_loaded, make_engine))
        await _first({loading, self._ending})
        if not loading.done():
            return None  # told to end meanwhile
        error = loading.exception()
        if error is not None:
            logger.error("the engine did not load: %s", error, exc_info=error)
            return None
        self.loaded.set()
        logger.info("ready", extra={"engine": self._settings.engine})
        return loading.result()

    async def _work(self, engine: Engine) -> int:
        subscription = await self._place.bus.on_cancel(self._cancel_job)
        beat = asyncio.create_task(self._beat())
        pull = asyncio.create_task(self._pull(engine))
        try:
            await _first({pull, beat, self._ending})
            if self._ending.done():
                return await self._break_off(pull, self._ending.result())
            for task in (pull, beat):
                if task.done():
                    task.result()  # a defect of the worker itself comes through
            return self._exit_code
        finally:
            for task in (pull, beat):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if self._place.bus.connected:
                await subscription.unsubscribe()

    async def _pull(self, engine: Engine) -> None:
        """Pull until idle, or until as many tasks were done as this worker is for."""
        async with self._place.bus.tasks(self._settings.engine, self._settings.lanes) as queue:
            while True:
                if self._has_pulled_all():
                    if not self._running:
                        return
                    await asyncio.wait(set(self._running))  # one that is superseded does not count
                    continue
                thread = await self._free.get()
                delivery = await self._next(queue)
                if delivery is not None:
                    self._start(delivery, engine=engine, thread=thread)
                    continue
                self._free.put_nowait(thread)
                if self._is_idle():
                    logger.info("nothing to do", extra={"idle": self._settings.idle_seconds})
                    return

    def _has_pulled_all(self) -> bool:
        most = self._settings.max_tasks
        return most is not None and self._pulled >= most

    async def _next(self, queue: TaskQueue) -> TaskDelivery | None:
        left = _LOOK_AGAIN
        if not (self._running or self._settings.keep):
            idle = asyncio.get_running_loop().time() - self._idle_since
            left = self._settings.idle_seconds - idle
        try:
            return await queue.next(timeout=max(left, 0.0))
        except BusUnavailable as error:
            logger.warning("no tasks can be pulled: %s", error)
            await asyncio.sleep(_BUS_PAUSE)
            return None

    def _is_idle(self) -> bool:
        idle = asyncio.get_running_loop().time() - self._idle_since
        return not (
            self._running
            or self._settings.keep
            or idle < self._settings.idle_seconds
            or not self._place.bus.connected
        )

    def _start(self, delivery: TaskDelivery, *, engine: Engine, thread: EngineThread) -> None:
        self._pulled += 1
        execution = Execution(self._place, delivery, engine=engine, thread=thread)
        request = delivery.request
        with log_context(
            job=request.job, stage=request.stage, part=request.part, attempt=request.attempt
        ):
            task = asyncio.create_task(self._execute(execution))
        self._running[task] = execution
        self._place.metrics.busy(len(self._running))
        task.add_done_callback(partial(self._ended, thread))

    async def _execute(self, execution: Execution) -> None:
        try:
            outcome = await execution.run()
        except EngineStuck as error:
            logger.error("ending the process: %s", error)
            self._end(ExitStatus.HUNG)
            return
        finally:
            await execution.close()
        if outcome is Outcome.SUPERSEDED:
            self._pulled -= 1
        self._handed_back |= outcome is Outcome.HANDED_BACK
        self._exit_code = self._exit_code or (
            execution.exit_code if self._settings.max_tasks else 0
        )

    def _ended(self, thread: EngineThread, task: "asyncio.Task[None]") -> None:
        del self._running[task]
        self._place.metrics.busy(len(self._running))
        self._idle_since = asyncio.get_running_loop().time()
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a defect in the worker", exc_info=error)
            self._end(ExitStatus.FAILED)
        elif not self._ending.done():
            self._free.put_nowait(thread)

    async def _beat(self) -> None:
        """Report all running tasks three times in each ack wait, and look after their claims."""
        interval = self._place.bus.settings.ack_wait / 3
        while True:
            await asyncio.sleep(interval)
            if self._running:
                await asyncio.gather(*(each.beat() for each in self._running.values()))

    def _cancel_job(self, job: str) -> None:
        for execution in self._running.values():
            if execution.job == job:
                execution.stop(Stop.CANCELLED)

    def _end(self, status: ExitStatus) -> None:
        if not self._ending.done():
            self._ending.set_result(status)

    async def _break_off(self, pull: "asyncio.Task[None]", status: ExitStatus) -> int:
        """Stop pulling and processing; what is being stored may finish, in time."""
        pull.cancel()
        with suppress(asyncio.CancelledError):
            await pull
        at_once = status is not ExitStatus.HANDED_BACK
        self._stop_running(all_of_them=at_once)
        if self._running:
            limit = _LAST_SECONDS if at_once else self._settings.term_seconds
            await asyncio.wait(set(self._running), timeout=limit)
        if self._running:
            self._stop_running(all_of_them=True)
            await asyncio.wait(set(self._running), timeout=_LAST_SECONDS)
        logger.info("ending", extra={"status": status.name, "left": len(self._running)})
        if status is ExitStatus.HANDED_BACK and not (self._handed_back or self._running):
            return ExitStatus.DONE
        return status

    def _stop_running(self, *, all_of_them: bool) -> None:
        for execution in self._running.values():
            if all_of_them or not execution.storing:
                execution.stop(Stop.TERMINATED)


def _made_and_loaded(make_engine: Callable[[], Engine]) -> Engine:
    engine = make_engine()
    engine.load()
    return engine


async def _first(futures: set[asyncio.Future[Any]]) -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
