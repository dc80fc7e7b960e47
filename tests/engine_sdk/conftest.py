"""A small cluster in one process: a bus, a folder store, and workers of tiny engines."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dalston.artifacts import ArtifactSettings, ArtifactStore, keys
from dalston.bus import Bus, BusSettings
from dalston.engine_sdk import (
    Engine,
    EngineContext,
    Part,
    PrepareResult,
    Source,
    Stage,
    StageResult,
    Task,
    TaskRequest,
    Track,
    TranscribeResult,
    TranscriptionOptions,
)
from dalston.engine_sdk.metrics import WorkerMetrics
from dalston.engine_sdk.scratch import Scratch
from dalston.engine_sdk.settings import WorkerSettings
from dalston.engine_sdk.worker import Worker
from dalston.engine_sdk.workplace import Workplace
from dalston.fetch import FetchSettings
from dalston.pipeline import Manifest, StageSummary, TaskEvent, TaskId
from tests.deadlines import until, within
from tests.nats_server import NatsServer

ENGINE = "tiny"
Process = Callable[[Task], StageResult]


class TinyEngine(Engine):
    """Does what the test wants."""

    def __init__(self, process: Process) -> None:
        super().__init__(EngineContext(name=ENGINE))
        self._process = process

    def process(self, task: Task) -> StageResult:
        return self._process(task)


def nothing(task: Task) -> TranscribeResult:
    """The engine that does nothing."""
    return TranscribeResult()


@dataclass
class RunningWorker:
    """A worker in this process, and where its end shows."""

    worker: Worker
    ended: "asyncio.Task[int]"
    metrics: WorkerMetrics

    async def exit_status(self, seconds: float = 10.0) -> int:
        return await within(seconds, asyncio.shield(self.ended), what="the worker's end")

    def count(self, outcome: str, stage: str = "transcribe") -> float:
        labels = {"engine": ENGINE, "stage": stage, "outcome": outcome}
        found = self.metrics.registry.get_sample_value("dalston_worker_tasks_total", labels)
        return found or 0.0


@dataclass
class Stack:
    """What tests talk to: they publish as the operator does, and hear what it hears."""

    bus: Bus
    store: ArtifactStore
    folder: Path
    events: list[TaskEvent] = field(default_factory=list)
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def request(self, job: str = "job-1", **fields: Any) -> TaskRequest:
        values: dict[str, Any] = {
            "job": job,
            "job_name": "recording",
            "namespace": "default",
            "stage": Stage.TRANSCRIBE,
            "engine": ENGINE,
            "source": Source(artifact="uploads/one/source"),
            "options": TranscriptionOptions(),
            "published_at": datetime.now(UTC),
        }
        return TaskRequest(**{**values, **fields})

    async def publish(self, job: str = "job-1", *, lane: str = "normal", **fields: Any) -> TaskId:
        request = self.request(job, **fields)
        await self.bus.publish_task(request, lane=lane)
        return request.id

    def told(self, kind: str, task: TaskId | None = None) -> list[TaskEvent]:
        return [e for e in self.events if e.type == kind and (task is None or e.task == task)]

    async def event(self, kind: str, task: TaskId, *, seconds: float = 10.0) -> TaskEvent:
        """Wait for an event of a task."""
        await within(seconds, self._until_told(kind, task), what=f"{kind} of {task}")
        return self.told(kind, task)[-1]

    async def _until_told(self, kind: str, task: TaskId) -> None:
        while not self.told(kind, task):
            self.heard.clear()
            await self.heard.wait()

    async def manifest(self, task: TaskId) -> Manifest:
        return Manifest.model_validate_json(await self.store.get(keys.manifest(task)))

    async def until_empty(self, *lanes: str, seconds: float = 5.0) -> None:
        """Wait until no task is queued or held."""

        async def left() -> bool:
            found = [await self.bus.backlog(ENGINE, lane) for lane in lanes or ("normal",)]
            return not any(each.queued or each.running for each in found)

        await until(left, seconds=seconds, what="an empty queue")  # type: ignore[arg-type]

    def settings(self, **fields: Any) -> WorkerSettings:
        values: dict[str, Any] = {"engine": ENGINE, "name": "worker-a", "idle_seconds": 60}
        return WorkerSettings(**{**values, **fields})

    @asynccontextmanager
    async def worker(
        self, process: Process = nothing, *, store: ArtifactStore | None = None, **fields: Any
    ) -> AsyncIterator[RunningWorker]:
        """A worker that lives while the context is open."""
        settings = self.settings(**fields)
        metrics = WorkerMetrics(ENGINE, slots=settings.concurrency)
        async with await Bus.connect(self.bus.settings, name=settings.name) as bus:
            with Scratch(self.folder / "scratch") as scratch:
                place = Workplace(
                    settings=settings,
                    bus=bus,
                    store=store or self.store,
                    scratch=scratch,
                    metrics=metrics,
                    fetching=FetchSettings(),
                )
                worker = Worker(place)
                ended = asyncio.create_task(worker.run(lambda: TinyEngine(process)))
                try:
                    yield RunningWorker(worker, ended, metrics)
                finally:
                    worker.terminate()
                    await within(10, ended, what="the worker's end")

    async def store_prepared(
        self, job: str, *, wav: bytes, seconds: float, parts: tuple[Part, ...] | None = None
    ) -> dict[Stage, tuple[str, ...]]:
        """Store a PREPARE result with one track; gives the inputs of later stages."""
        task = TaskId(job, Stage.PREPARE, 0, 0)
        folder = keys.result_folder(task, 1)
        await self.store.put(f"{folder}/track-0.wav", wav)
        track = Track(index=0, audio="track-0.wav", duration=seconds)
        result = PrepareResult(
            duration=seconds,
            channels=1,
            sample_rate=16_000,
            container="wav",
            codec="pcm_s16le",
            tracks=(track,),
            parts=parts or (Part(index=0, track=0, start=0.0, end=seconds),),
        )
        manifest = Manifest(
            task=str(task),
            engine="prepare",
            worker="worker-p",
            folder=folder,
            result=result.model_dump(mode="json"),
            summary=StageSummary(),
            finished_at=datetime.now(UTC),
        )
        await self.store.put(keys.manifest(task), manifest.model_dump_json().encode())
        return {Stage.PREPARE: (keys.manifest(task),)}


@pytest.fixture
def bus_settings(nats_server: NatsServer) -> BusSettings:
    """Short times, so that a redelivery takes a second."""
    return BusSettings(url=nats_server.url, ack_wait=1.0, request_timeout=1.0)


@pytest.fixture
def store_settings(tmp_path: Path) -> ArtifactSettings:
    """A store in a folder."""
    return ArtifactSettings(url=f"file://{tmp_path}/store")


@pytest.fixture
async def stack(
    bus_settings: BusSettings, store_settings: ArtifactSettings, tmp_path: Path
) -> AsyncIterator[Stack]:
    """A bus with its streams, a store, and an ear on the events."""
    async with await Bus.connect(bus_settings, name="test") as bus:
        await bus.ensure_streams()
        found = Stack(bus, ArtifactStore.open(store_settings), tmp_path)
        async with bus.events() as feed:
            listening = asyncio.create_task(_listen(found, feed))
            yield found
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _listen(stack: Stack, feed: Any) -> None:
    while True:
        for delivery in await feed.next():
            if delivery.event is not None:
                stack.events.append(delivery.event)
            await delivery.ack()
        stack.heard.set()


@pytest.fixture
def free_of_scratch(tmp_path: Path) -> Iterator[None]:
    """Fails a test that leaves temporary folders."""
    yield
    left = list((tmp_path / "scratch").glob("*"))
    assert left == []
