"""One task from delivery to acknowledgement: at-least-once work, exactly-once effect.

Files go under a folder of this execution's own; the manifest, created only if absent, makes them the
result. It is written only while the claim is ours. The event follows the manifest, the
acknowledgement the event, so whoever finds the message again finds all that is needed to go on.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from dalston.artifacts import keys
from dalston.artifacts.store import (
    ArtifactNotFound,
    StoreFull,
    StoreUnavailable,
)
from dalston.bus import BusUnavailable, Claim, TaskDelivery
from dalston.engine_sdk.engine import Engine
from dalston.engine_sdk.files import StoreFiles
from dalston.engine_sdk.outcomes import (
    Outcome,
    Produced,
    Stop,
    describe_error,
    exit_code_of,
    failed_event,
    judge_claim,
    started_event,
    succeeded_event,
    write_manifest,
)
from dalston.engine_sdk.performing import perform
from dalston.engine_sdk.progress import ProgressReport
from dalston.engine_sdk.task import Task
from dalston.engine_sdk.threads import EngineThread
from dalston.engine_sdk.workplace import Workplace
from dalston.pipeline.tasks import ErrorKind, Manifest

T = TypeVar("T")

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
"""Seconds between tries while the bus or the store is away: doubling from the first."""


class EngineStuck(Exception):
    """The engine does not stop, or makes no progress: only ending the process helps."""


class _Stopped(Exception):
    """The execution is to be abandoned; `Execution.reason` says why."""


class Execution:
    """The execution of one delivered task in one engine thread."""

    def __init__(
        self, place: Workplace, delivery: TaskDelivery, *, engine: Engine, thread: EngineThread
    ) -> None:
        self._place = place
        self._engine = engine
        self._delivery = delivery
        self._thread = thread
        self._request = delivery.request
        self._started_at = time.monotonic()
        self._queue_seconds = max(
            0.0, (datetime.now(UTC) - self._request.published_at).total_seconds()
        )
        self._loop = asyncio.get_running_loop()
        self._stopping: asyncio.Future[None] = self._loop.create_future()
        self._claim: Claim | None = None
        self._task: Task | None = None
        self._files: StoreFiles | None = None
        self._report = ProgressReport(place.bus, delivery.request, place.settings)
        self._scratch = place.scratch.task_folder()
        self._storing = False
        self._committed = False
        self.reason: Stop | None = None
        self.exit_code = 0
        """Exit status that a worker of a Dedicated job ends with after this task."""

    @property
    def job(self) -> str:
        """Uid of the task's job."""
        return self._request.job

    @property
    def storing(self) -> bool:
        """Whether the engine is done and its result is on its way."""
        return self._storing

    def is_stopped(self) -> bool:
        """Tell whether it was asked to stop."""
        return self.reason is not None

    async def run(self) -> Outcome:
        """Do all of it; raises EngineStuck when the process has to end."""
        self._place.metrics.started(stage=self._request.stage, queue_seconds=self._queue_seconds)
        try:
            outcome = await self._run()
        except _Stopped:
            outcome = await self._abandon()
        self._place.metrics.ended(
            stage=self._request.stage,
            outcome=outcome,
            run_seconds=self._run_seconds(),
            audio_seconds=self._request.audio_seconds,
        )
        logger.info(
            "task ended", extra={"outcome": outcome, "run_seconds": round(self._run_seconds(), 4)}
        )
        return outcome

    def stop(self, reason: Stop) -> None:
        """Ask the work to stop, unless its result counts already; the first reason holds."""
        if self.reason is not None or self._committed:
            return
        self.reason = reason
        if self._task is not None and self._files is not None:
            self._task.cancelled.set()
            self._files.cancel()
        self._stopping.set_result(None)

    async def beat(self) -> None:
        """Report that work goes on, and stop it when the claim is not ours or nothing moves."""
        if self._report.hangs:
            self.stop(Stop.HUNG)
            return
        try:
            await self._delivery.in_progress()
            if self._claim is None or self._committed:
                return
            reason = judge_claim(self._claim, await self._place.bus.claims.get(self._request.id))
        except BusUnavailable as error:
            logger.warning("no heartbeat: %s", error)
            return
        if reason is not None:
            self.stop(reason)

    async def _run(self) -> Outcome:
        bus, request = self._place.bus, self._request
        self._claim = await self._persist(
            lambda: bus.claims.take(request.id, self._place.settings.name)
        )
        if self._claim is None:
            await self._settle(self._delivery.ack(confirmed=False))
            return Outcome.SUPERSEDED
        manifest = await self._persist(self._find_manifest)
        if manifest is not None:
            return await self._announce(manifest, Outcome.REPEATED)
        await self._settle(
            bus.tell_event(
                started_event(
                    request, worker=self._place.settings.name, queue_seconds=self._queue_seconds
                )
            )
        )
        try:
            return await self._finish(await self._process(self._claim), self._claim)
        except (_Stopped, EngineStuck):
            raise
        except Exception as error:  # noqa: BLE001 - logged, and told to the operator
            return await self._fail(error, self._claim)

    async def _process(self, claim: Claim) -> Produced:
        self._files = StoreFiles(
            self._place.store,
            loop=self._loop,
            scratch=self._scratch,
            fetching=self._place.fetching,
            on_bytes=self._report.touch,
        )
        self._task = Task(
            self._request, files=self._files, scratch=self._scratch, on_progress=self._report
        )
        self._report.touch()
        if self.is_stopped():
            raise _Stopped
        folder = keys.result_folder(self._request.id, claim.revision)
        work = self._thread.run(partial(perform, self._engine, self._task, folder=folder))
        either: set[asyncio.Future[Any]] = {work, self._stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self.is_stopped():
            await self._stop_engine(work)
            raise _Stopped
        self._report.end()
        return work.result()

    async def _stop_engine(self, work: "asyncio.Future[Produced]") -> None:
        """Wait for the engine to stop; raises EngineStuck when it does not."""
        if self.reason is Stop.HUNG:
            raise EngineStuck(f"no progress for {self._report.patience:.0f} s")
        if self.reason is not Stop.TERMINATED:  # there the process ends anyway, with its threads
            await asyncio.wait({work}, timeout=self._place.settings.cancel_seconds)
            if not work.done():
                await self._abandon()
                raise EngineStuck("the engine goes on although its task was cancelled")
            if (error := work.exception()) is not None:
                logger.info("the engine stopped: %r", error)
        self._report.end()

    async def _finish(self, produced: Produced, claim: Claim) -> Outcome:
        self._storing = True
        store, request = self._place.store, self._request
        folder = keys.result_folder(request.id, claim.revision)
        for path in produced.files:
            await self._persist(partial(store.move_file, f"{folder}/{path.name}", path))
        await self._persist(partial(self._confirm, claim))
        manifest = Manifest(
            task=str(request.id),
            engine=request.engine,
            worker=self._place.settings.name,
            folder=folder,
            result={},
            summary=produced.summary,
            finished_at=datetime.now(UTC),
            queue_seconds=self._queue_seconds,
            run_seconds=self._run_seconds(),
        )
        data = write_manifest(manifest, produced)
        created = await self._persist(partial(store.create, keys.manifest(request.id), data))
        self._committed = True
        if not created:
            return await self._yield_to_other(folder)
        return await self._announce(manifest, Outcome.SUCCEEDED)

    async def _confirm(self, claim: Claim) -> None:
        """Stop unless the claim is still ours."""
        found = await self._place.bus.claims.get(self._request.id)
        reason = judge_claim(claim, found)
        if reason is not None:
            self.stop(reason)
            raise _Stopped

    async def _yield_to_other(self, folder: str) -> Outcome:
        """There is a manifest already: announce that one. It is ours after a create whose answer
        was lost."""
        manifest = await self._persist(self._find_manifest)
        if manifest is None:  # removed with its job
            await self._settle(self._delivery.ack(confirmed=False))
            return Outcome.CANCELLED
        if manifest.folder == folder:
            return await self._announce(manifest, Outcome.SUCCEEDED)
        self._place.metrics.lost()
        await self._settle(self._place.store.delete_folder(folder))
        return await self._announce(manifest, Outcome.LOST)

    async def _find_manifest(self) -> Manifest | None:
        try:
            data = await self._place.store.get(keys.manifest(self._request.id))
        except ArtifactNotFound:
            return None
        return Manifest.model_validate_json(data)

    async def _announce(self, manifest: Manifest, outcome: Outcome) -> Outcome:
        event = succeeded_event(self._request, manifest)
        await self._persist(partial(self._place.bus.publish_event, event))
        await self._settle(self._delivery.ack(confirmed=False))
        return outcome

    async def _fail(self, error: Exception, claim: Claim) -> Outcome:
        self._report.end()
        described = describe_error(error)
        by_input = described.kind is ErrorKind.INPUT
        logger.log(
            logging.INFO if by_input else logging.ERROR,
            "task failed: %s",
            described.message,
            extra={"code": described.code},
            exc_info=None if by_input else error,
        )
        await self._persist(partial(self._confirm, claim))
        if isinstance(error, StoreFull):  # what was stored already takes room for nothing
            folder = keys.result_folder(self._request.id, claim.revision)
            await self._settle(self._place.store.delete_folder(folder))
        event = failed_event(
            self._request,
            described,
            worker=self._place.settings.name,
            queue_seconds=self._queue_seconds,
            run_seconds=self._run_seconds(),
        )
        await self._persist(partial(self._place.bus.publish_event, event))
        await self._settle(self._delivery.ack(confirmed=False))
        self.exit_code = exit_code_of(error)
        return Outcome.INPUT_ERROR if by_input else Outcome.FAILED

    async def _abandon(self) -> Outcome:
        """Leave the task to whom it belongs now, and nothing of ours in the store."""
        reason = self.reason
        if self._storing and self._claim is not None:
            folder = keys.result_folder(self._request.id, self._claim.revision)
            await self._settle(self._place.store.delete_folder(folder))
        if reason is Stop.CANCELLED and self._claim is not None:
            try:
                found = await self._place.bus.claims.get(self._request.id)
                reason = judge_claim(self._claim, found) or reason
            except BusUnavailable as error:
                logger.warning("the claim of a cancelled task cannot be read: %s", error)
        if reason in (Stop.GONE, Stop.TAKEN_OVER):
            self._place.metrics.lost()
        if reason is Stop.GONE:
            await self._settle(self._delivery.ack(confirmed=False))
            return Outcome.CANCELLED
        if reason is Stop.TAKEN_OVER:
            return Outcome.LOST
        if reason is Stop.CANCELLED:
            # The job's messages are about to be removed; if not, the notice was wrong.
            delay = self._place.bus.settings.ack_wait
            await self._settle(self._delivery.hand_back(delay=delay))
            return Outcome.CANCELLED
        await self._settle(self._delivery.hand_back())
        return Outcome.HANDED_BACK

    async def _persist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Repeat a call until the bus and the store are there; raises _Stopped when asked to stop."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await call()
            except StoreFull:
                raise
            except (BusUnavailable, StoreUnavailable) as error:
                self._place.metrics.retried()
                logger.warning("trying again in %.1f s: %s", pause, error)
            await asyncio.wait({self._stopping}, timeout=pause)
            if self.is_stopped():
                raise _Stopped
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _settle(self, call: Awaitable[object]) -> None:
        """Do what may fail: without it the task is delivered once more, or a file stays a while."""
        try:
            await call
        except (BusUnavailable, StoreUnavailable, ArtifactNotFound) as error:
            logger.warning("left undone: %s", error)

    def _run_seconds(self) -> float:
        return time.monotonic() - self._started_at

    async def close(self) -> None:
        """Remove the task's files."""
        await self._report.close()
        if self._files is not None:
            await self._files.close()
        if self._scratch.exists():
            await asyncio.to_thread(shutil.rmtree, self._scratch, ignore_errors=True)
