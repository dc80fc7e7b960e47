"""Faults inside one process: takeovers, cancelling, stores and servers that go away."""

import asyncio
import threading

import pytest

from dalston.artifacts import ArtifactSettings, ArtifactStore, StoreFull, StoreUnavailable, keys
from dalston.engine_sdk import Task, TranscribeResult
from dalston.pipeline import ErrorKind, Manifest
from tests.deadlines import until, within
from tests.engine_sdk.conftest import Stack, nothing
from tests.nats_server import NatsServer

pytestmark = pytest.mark.usefixtures("free_of_scratch")


class Gate:
    """An engine that waits to be let through; it stops when its task is cancelled."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.calls = 0

    def __call__(self, task: Task) -> TranscribeResult:
        self.calls += 1
        self.entered.set()
        while not self.open.wait(0.01):
            task.check_cancelled()
        task.output("text.txt").write_text("done")
        return TranscribeResult()

    async def until_entered(self) -> None:
        await until(self.entered.is_set, what="the engine at work")


async def test_task_delivered_twice_runs_once(stack: Stack) -> None:
    gate = Gate()
    gate.open.set()
    request = stack.request()
    await stack.bus.publish_task(request, lane="normal")
    async with stack.worker(gate) as running:
        await stack.event("succeeded", request.id)
        first = await stack.manifest(request.id)
        await stack.bus.publish_task(request, lane="normal", again="-again")
        await until(lambda: running.count("repeated") == 1)
        await until(lambda: len(stack.told("succeeded")) == 2)
        await stack.until_empty()
    assert gate.calls == 1
    assert await stack.manifest(request.id) == first
    assert [event.summary for event in stack.told("succeeded")] == [first.summary] * 2


async def test_claim_taken_over_stops_the_first_worker(stack: Stack) -> None:
    gate = Gate()
    task = await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        await stack.bus.claims.take(task, "worker-b")
        await until(lambda: running.count("lost") == 1)
        assert running.metrics.registry.get_sample_value(
            "dalston_worker_claims_lost_total", {"engine": "tiny"}
        )
    assert not stack.told("succeeded")
    assert not await stack.store.exists(keys.manifest(task))
    # The message is the other worker's to acknowledge.
    assert (await stack.bus.backlog("tiny", "normal")).running == 1


async def test_later_attempt_stops_the_earlier_and_removes_its_message(stack: Stack) -> None:
    gate = Gate()
    task = await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        await stack.bus.claims.take(task._replace(attempt=1), "worker-b")
        await until(lambda: running.count("cancelled") == 1)
        await stack.until_empty()
    assert not stack.told("failed")


class RivalStore(ArtifactStore):
    """A store in which another executor is always quicker with the manifest."""

    async def create(self, key: str, data: bytes) -> bool:
        rival = Manifest.model_validate_json(data)
        rival = rival.model_copy(update={"worker": "worker-b", "folder": f"{rival.folder}-b"})
        await super().put(key, rival.model_dump_json().encode())
        return await super().create(key, data)


async def test_result_written_twice_counts_once(
    stack: Stack, store_settings: ArtifactSettings
) -> None:
    gate = Gate()
    gate.open.set()
    task = await stack.publish()
    async with stack.worker(gate, store=RivalStore.open(store_settings)) as running:
        event = await stack.event("succeeded", task)
        await until(lambda: running.count("lost") == 1)
    manifest = await stack.manifest(task)
    assert manifest.worker == event.worker == "worker-b"
    assert await stack.store.keys(manifest.folder.removesuffix("-b")) == []


async def test_cancelled_job_stops_within_five_seconds(stack: Stack) -> None:
    gate = Gate()
    await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        await stack.bus.forget_job("job-1")
        await stack.bus.cancel("job-1")
        await until(lambda: running.count("cancelled") == 1, seconds=5)
        other = await stack.publish("job-2")
        gate.open.set()
        await stack.event("succeeded", other)
    assert [event.job for event in stack.told("succeeded")] == ["job-2"]
    assert await stack.bus.claims.jobs() == {"job-2"}


async def test_cancelling_without_a_notice_works_too(stack: Stack) -> None:
    gate = Gate()
    await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        await stack.bus.forget_job("job-1")
        await until(lambda: running.count("cancelled") == 1, seconds=5)


async def test_false_notice_loses_nothing(stack: Stack) -> None:
    gate = Gate()
    task = await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        await stack.bus.cancel("job-1")
        await until(lambda: running.count("cancelled") == 1)
        gate.open.set()
        await stack.event("succeeded", task)


async def test_engine_that_does_not_stop_ends_the_process(stack: Stack) -> None:
    release = threading.Event()

    def stubborn(task: Task) -> TranscribeResult:
        release.wait(20)
        return TranscribeResult()

    task = await stack.publish()
    async with stack.worker(stubborn, cancel_seconds=0.2) as running:
        await stack.event("started", task)
        await stack.bus.forget_job("job-1")
        await stack.bus.cancel("job-1")
        assert await running.exit_status(5) == 70
    release.set()


async def test_watchdog_ends_the_process_and_others_are_handed_back(stack: Stack) -> None:
    release = threading.Event()
    moving = Gate()

    def process(task: Task) -> TranscribeResult:
        if task.request.job == "hangs":
            release.wait(20)
            return TranscribeResult()
        while not moving.open.is_set():
            task.progress(1, 2)
            task.check_cancelled()
            moving.open.wait(0.05)
        return TranscribeResult()

    hangs = await stack.publish("hangs", audio_seconds=0.1)
    other = await stack.publish("moves", audio_seconds=0.1)
    async with stack.worker(process, concurrency=2, watchdog_seconds=0.5) as running:
        await stack.event("started", hangs)
        await stack.event("started", other)
        assert await running.exit_status(5) == 70
        assert running.count("handed_back") == 1
    release.set()
    async with stack.worker(nothing, name="worker-b"):
        await stack.event("succeeded", other)
        await stack.event("succeeded", hangs)


async def test_progress_is_told_and_keeps_the_watchdog_quiet(stack: Stack) -> None:
    told: list[float] = []

    def process(task: Task) -> TranscribeResult:
        for done in range(100):
            task.progress(done, 99)
            threading.Event().wait(0.01)
        return TranscribeResult()

    await stack.bus.on_progress("job-1", lambda progress: told.append(progress.done_seconds))
    task = await stack.publish(audio_seconds=0.1)
    async with stack.worker(process, watchdog_seconds=0.2):
        await stack.event("succeeded", task)
    assert 2 <= len(told) <= 5  # two a second, and the last
    assert told[-1] == 99


async def test_sigterm_hands_back_at_once(stack: Stack) -> None:
    gate = Gate()
    task = await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        running.worker.terminate()
        assert await running.exit_status(3) == 75
    async with stack.worker(nothing, name="worker-b"):
        await stack.event("succeeded", task, seconds=0.9)  # before the ack wait ends


async def test_sigterm_of_an_idle_worker_ends_well(stack: Stack) -> None:
    async with stack.worker() as running:
        await until(lambda: running.worker.ready)
        running.worker.terminate()
        assert await running.exit_status(3) == 0


class SlowStore(ArtifactStore):
    """A store that waits before it takes a file."""

    reached: asyncio.Event
    go_on: asyncio.Event

    async def move_file(self, key: str, path: object) -> None:
        self.reached.set()
        await self.go_on.wait()
        await super().move_file(key, path)  # type: ignore[arg-type]


async def test_sigterm_lets_a_finished_result_be_stored(
    stack: Stack, store_settings: ArtifactSettings
) -> None:
    gate = Gate()
    gate.open.set()
    store = SlowStore.open(store_settings)
    store.reached, store.go_on = asyncio.Event(), asyncio.Event()
    task = await stack.publish()
    async with stack.worker(gate, store=store) as running:
        await within(5, store.reached.wait())
        running.worker.terminate()
        store.go_on.set()
        assert await running.exit_status() == 0
    await stack.event("succeeded", task)


class FailingStore(ArtifactStore):
    """A store that fails a few times."""

    error: StoreUnavailable
    times: int

    async def move_file(self, key: str, path: object) -> None:
        if self.times:
            self.times -= 1
            raise self.error
        await super().move_file(key, path)  # type: ignore[arg-type]


async def test_store_that_is_away_is_waited_for(
    stack: Stack, store_settings: ArtifactSettings
) -> None:
    gate = Gate()
    gate.open.set()
    store = FailingStore.open(store_settings)
    store.error, store.times = StoreUnavailable("away"), 4
    task = await stack.publish()
    async with stack.worker(gate, store=store):  # 1.5 s: longer than the ack wait
        await stack.event("succeeded", task)
        await stack.until_empty()
    assert gate.calls == 1


async def test_full_store_is_told(stack: Stack, store_settings: ArtifactSettings) -> None:
    gate = Gate()
    gate.open.set()
    store = FailingStore.open(store_settings)
    store.error, store.times = StoreFull("no room"), 1
    task = await stack.publish()
    async with stack.worker(gate, store=store):
        event = await stack.event("failed", task)
    assert event.error is not None
    assert (event.error.kind, event.error.code) == (ErrorKind.INFRASTRUCTURE, "StoreFull")


async def test_server_that_restarts_in_mid_task_changes_nothing(
    stack: Stack, nats_server: NatsServer
) -> None:
    gate = Gate()
    task = await stack.publish()
    async with stack.worker(gate) as running:
        await gate.until_entered()
        nats_server.kill()
        gate.open.set()
        await until(lambda: not stack.bus.connected)
        nats_server.start()
        await stack.event("succeeded", task)
        await stack.until_empty(seconds=10)
        assert running.count("failed") == 0
    assert len({event.run_seconds for event in stack.told("succeeded")}) == 1
