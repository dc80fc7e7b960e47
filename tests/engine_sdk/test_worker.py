"""The worker: what comes of a task, when it ends, which lane it serves first."""

import threading

import pytest

from dalston.artifacts import keys
from dalston.engine_sdk import InputError, OptionError, Segment, Task, TranscribeResult, Word
from dalston.pipeline import ErrorKind
from tests.deadlines import until
from tests.engine_sdk.conftest import Stack

pytestmark = pytest.mark.usefixtures("free_of_scratch")


async def test_task_succeeds_with_one_manifest_and_event(stack: Stack) -> None:
    def process(task: Task) -> TranscribeResult:
        task.output("notes.txt").write_text("heard")
        words = (Word(text="hello"), Word(text="there"))
        return TranscribeResult(language="en", segments=(Segment(text="hello there", words=words),))

    task = await stack.publish()
    async with stack.worker(process) as running:
        event = await stack.event("succeeded", task)
        await stack.until_empty()
        await until(lambda: running.count("succeeded") == 1)
    manifest = await stack.manifest(task)
    assert manifest.summary == event.summary
    assert (manifest.summary.words, manifest.summary.language) == (2, "en")
    assert manifest.result["segments"][0]["text"] == "hello there"
    assert await stack.store.get(f"{manifest.folder}/notes.txt") == b"heard"
    assert manifest.worker == event.worker == "worker-a"
    assert event.queue_seconds is not None
    assert event.run_seconds is not None
    assert len(stack.told("started", task)) == 1


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (InputError("NoSpeech", "There is no speech."), ErrorKind.INPUT, "NoSpeech"),
        (RuntimeError("CUDA error"), ErrorKind.INFRASTRUCTURE, "EngineFailed"),
        (SystemExit(0), ErrorKind.INFRASTRUCTURE, "EngineDefect"),
        (MemoryError(), ErrorKind.INFRASTRUCTURE, "OutOfMemory"),
    ],
)
async def test_error_is_told_once_and_the_message_removed(
    stack: Stack, error: BaseException, kind: ErrorKind, code: str
) -> None:
    def process(task: Task) -> TranscribeResult:
        raise error

    task = await stack.publish()
    async with stack.worker(process):
        event = await stack.event("failed", task)
        await stack.until_empty()
    assert event.error is not None
    assert (event.error.kind, event.error.code) == (kind, code)
    assert len(stack.told("failed")) == 1
    assert not await stack.store.exists(keys.manifest(task))


async def test_worker_goes_on_after_a_failed_task(stack: Stack) -> None:
    def process(task: Task) -> TranscribeResult:
        if task.request.job == "bad":
            raise ValueError("no")
        return TranscribeResult()

    await stack.publish("bad")
    good = await stack.publish("good")
    async with stack.worker(process):
        await stack.event("succeeded", good)


async def test_result_of_another_stage_is_a_defect(stack: Stack) -> None:
    from dalston.engine_sdk import AlignResult

    task = await stack.publish()
    async with stack.worker(lambda task: AlignResult()):
        event = await stack.event("failed", task)
    assert event.error is not None
    assert event.error.code == "EngineDefect"
    assert "TranscribeResult" in event.error.message


async def test_lanes_are_served_in_order(stack: Stack) -> None:
    order: list[str] = []

    def process(task: Task) -> TranscribeResult:
        order.append(task.request.job)
        return TranscribeResult()

    tasks = [await stack.publish(f"job-{lane}", lane=lane) for lane in ("low", "normal", "high")]
    async with stack.worker(process):
        for task in tasks:
            await stack.event("succeeded", task)
    assert order == ["job-high", "job-normal", "job-low"]


async def test_slots_work_side_by_side(stack: Stack) -> None:
    meeting = threading.Barrier(3, timeout=5)

    def process(task: Task) -> TranscribeResult:
        meeting.wait()
        return TranscribeResult()

    tasks = [await stack.publish(part=n, parts_total=3) for n in range(3)]
    async with stack.worker(process, concurrency=3):
        for task in tasks:
            await stack.event("succeeded", task)


async def test_idle_worker_ends_with_status_zero(stack: Stack) -> None:
    task = await stack.publish()
    async with stack.worker(idle_seconds=0.2) as running:
        assert await running.exit_status() == 0
    assert stack.told("succeeded", task)


async def test_kept_worker_stays(stack: Stack) -> None:
    async with stack.worker(idle_seconds=0.0, keep=True) as running:
        await until(lambda: running.worker.ready)
        task = await stack.publish()
        await stack.event("succeeded", task)
        assert not running.ended.done()


async def test_dedicated_worker_ends_after_its_tasks(stack: Stack) -> None:
    tasks = [await stack.publish(part=n, lane="job-job-1") for n in range(3)]
    async with stack.worker(lanes=["job-job-1"], max_tasks=2) as running:
        assert await running.exit_status() == 0
    assert [len(stack.told("succeeded", task)) for task in tasks] == [1, 1, 0]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("UndecodableAudio", "no audio"), 42),
        (OptionError("UnsupportedLanguage", "no Klingon"), 43),
        (RuntimeError("broken"), 1),
    ],
)
async def test_dedicated_worker_tells_by_its_status(
    stack: Stack, error: Exception, status: int
) -> None:
    def process(task: Task) -> TranscribeResult:
        raise error

    await stack.publish()
    async with stack.worker(process, max_tasks=1) as running:
        assert await running.exit_status() == status


async def test_dedicated_worker_does_not_count_a_superseded_task(stack: Stack) -> None:
    old = await stack.publish(attempt=0)
    await stack.bus.claims.take(old._replace(attempt=1), "nobody")
    async with stack.worker(max_tasks=1) as running:
        await until(lambda: running.count("superseded") == 1)
        new = await stack.publish(attempt=1)
        assert await running.exit_status() == 0
    assert stack.told("succeeded", new)
    assert not stack.told("succeeded", old)
