"""Engines: workers for their backlog, dedicated workers, what their status shows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dalston.bus import TaskDelivery, subjects
from dalston.kube.kinds import ENGINES, JOBS, TRANSCRIPTION_JOBS
from dalston.pipeline import EventType
from dalston.resources import Engine, JobPhase, Stage
from dalston.resources.conditions import find_condition
from dalston.resources.transcription_job import Priority
from tests.deadlines import until
from tests.operator.rig import NAMESPACE, Rig, Worker, succeed

Look = Callable[[], Awaitable[bool]]


async def _engine(rig: Rig, name: str) -> Engine:
    return Engine.model_validate(await rig.client.get(ENGINES, name, namespace=NAMESPACE))


async def _workers(rig: Rig, prefix: str) -> list[str]:
    return sorted(name for name in await rig.worker_jobs() if name.startswith(prefix))


async def _wait_workers(rig: Rig, prefix: str, *names: str) -> None:
    async def there() -> bool:
        return await _workers(rig, prefix) == [*names]

    look: Look = there
    await until(look, what=f"the workers {names}, got {await _workers(rig, prefix)}")


async def _wait_status(rig: Rig, name: str, **wanted: Any) -> None:
    async def shown() -> bool:
        status = (await _engine(rig, name)).status
        return all(getattr(status, field) == value for field, value in wanted.items())

    look: Look = shown
    await until(look, what=f"status {wanted}, got {(await _engine(rig, name)).status}")


async def _consumers(rig: Rig, engine: str) -> set[str]:
    return {lane for name, lane in await rig.bus.consumers() if name == engine}


async def test_backlog_gets_workers_and_the_status_shows_both(rig: Rig) -> None:
    await rig.change_engine("any-prepare", workers={"max": 2})
    await rig.start_operator()
    for number in range(3):
        await rig.create_job(f"recording-{number}")
    await _wait_workers(rig, "any-prepare", "any-prepare-worker-0", "any-prepare-worker-1")
    await _wait_status(rig, "any-prepare", queued=3, running=0, workers=2, ready=0)
    assert await _workers(rig, "any-transcribe") == []


async def test_idle_worker_is_not_replaced_and_failed_one_is(rig: Rig) -> None:
    await rig.start_operator()
    await rig.create_job("recording")
    await _wait_workers(rig, "any-prepare", "any-prepare-worker-0")
    await rig.end_worker_job("any-prepare-worker-0", "Failed", reason="BackoffLimitExceeded")
    await _wait_workers(rig, "any-prepare", "any-prepare-worker-0", "any-prepare-worker-1")
    rig.work("any-prepare")
    await _wait_status(rig, "any-prepare", queued=0, running=0)
    await rig.end_worker_job("any-prepare-worker-1", "Complete")
    await _wait_status(rig, "any-prepare", workers=0)
    await asyncio.sleep(0.5)  # longer than an engine's interval
    assert len(await _workers(rig, "any-prepare")) == 2


async def test_minimum_is_kept_and_changed_engine_gets_new_workers(rig: Rig) -> None:
    await rig.start_operator()
    await rig.change_engine("any-merge", workers={"min": 1})
    await _wait_workers(rig, "any-merge", "any-merge-worker-0")
    await rig.change_engine("any-merge", image="example/engine:2")
    await _wait_workers(rig, "any-merge", "any-merge-worker-1")
    jobs = await rig.worker_jobs()
    template = jobs["any-merge-worker-1"]["spec"]["template"]["spec"]
    assert template["containers"][0]["image"] == "example/engine:2"


async def test_worker_that_the_api_server_refuses_shows_in_the_status(rig: Rig) -> None:
    rig.kube.faults.refuse(422, times=1000, method="POST", path="/jobs")
    await rig.start_operator()
    await rig.change_engine("any-merge", workers={"min": 1})
    await _wait_status(rig, "any-merge", failing="injected")
    ready = find_condition((await _engine(rig, "any-merge")).status.conditions, "Ready")
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "WorkersFailing")


async def test_quota_that_is_full_shows_until_there_is_room(rig: Rig) -> None:
    rig.kube.faults.refuse(403, times=2, method="POST", path="/jobs")
    await rig.start_operator()
    await rig.change_engine("any-merge", workers={"min": 1})
    await _wait_status(rig, "any-merge", failing="injected")
    await _wait_workers(rig, "any-merge", "any-merge-worker-0")
    await _wait_status(rig, "any-merge", failing="", workers=1)


async def test_deleted_engine_takes_its_workers_and_consumers_along(rig: Rig) -> None:
    await rig.start_operator(sweep_interval=0.3)
    await rig.create_job("recording")
    await _wait_workers(rig, "any-prepare", "any-prepare-worker-0")
    late = rig.work("any-prepare")  # makes its consumers again when they are deleted
    await until(lambda: late.done)
    await rig.client.delete(ENGINES, "any-prepare", namespace=NAMESPACE)
    await _wait_workers(rig, "any-prepare")

    async def gone() -> bool:
        return not await _consumers(rig, "any-prepare")

    look: Look = gone
    await until(look)


async def test_engine_that_comes_back_finds_its_tasks(rig: Rig) -> None:
    await rig.start_operator()
    uid = await rig.create_job("recording")
    await rig.published(uid)
    await rig.client.delete(ENGINES, "any-prepare", namespace=NAMESPACE)
    await rig.create_engine("any-prepare", Stage.PREPARE)
    rig.work_everything()
    await rig.ends("recording")


async def test_dedicated_job_gets_jobs_of_its_own(rig: Rig) -> None:
    await rig.start_operator()
    execution = {"mode": "Dedicated", "queueName": "batch"}
    uid = await rig.create_job("recording", execution=execution)
    lane = subjects.dedicated_lane(uid)
    for stage in (Stage.PREPARE, Stage.TRANSCRIBE, Stage.MERGE):
        name = f"recording-{stage}-{uid[:8]}-0"
        await _wait_workers(rig, f"recording-{stage}", name)
        body = (await rig.worker_jobs())[name]
        assert body["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "batch"
        rig.work(f"any-{stage}", lanes=[lane])
    await rig.ends("recording")
    assert await _workers(rig, "any-") == []

    async def lanes_gone() -> bool:
        return all(lane != other for _, other in await rig.bus.consumers())

    rig.stop_workers()
    look: Look = lanes_gone
    await until(look)


async def test_lost_dedicated_worker_is_replaced_by_the_next_attempt(rig: Rig) -> None:
    await rig.start_operator()
    uid = await rig.create_job("recording", execution={"mode": "Dedicated"})
    first = f"recording-prepare-{uid[:8]}-0"
    await _wait_workers(rig, "recording", first)
    await rig.end_worker_job(first, "Failed", reason="PodFailurePolicy", message="OOM")
    second = f"recording-prepare-{uid[:8]}-1"
    await _wait_workers(rig, "recording", first, second)

    async def told() -> bool:
        stage = await rig.stage("recording", Stage.PREPARE)
        return stage is not None and "WorkerLost: PodFailurePolicy: OOM" in stage.message

    look: Look = told
    await until(look)


async def test_dedicated_worker_lost_while_no_operator_ran_is_replaced(rig: Rig) -> None:
    running = await rig.start_operator()
    uid = await rig.create_job("recording", execution={"mode": "Dedicated"})
    first = f"recording-prepare-{uid[:8]}-0"
    await _wait_workers(rig, "recording", first)

    async def written() -> bool:
        return await rig.stage("recording", Stage.PREPARE) is not None

    look: Look = written
    await until(look)
    await running.crash()
    await rig.client.delete(JOBS, first, namespace=NAMESPACE)  # as its time to live does
    await rig.start_operator()
    await _wait_workers(rig, "recording", f"recording-prepare-{uid[:8]}-1")


async def test_dedicated_worker_that_ended_after_its_result_is_not_missed(rig: Rig) -> None:
    async def succeed_in_silence(worker: Worker, delivery: TaskDelivery) -> None:
        await worker.store_result(delivery.request)
        await worker.tell(delivery.request, EventType.STARTED)
        await delivery.ack()

    await rig.start_operator()
    uid = await rig.create_job("recording", execution={"mode": "Dedicated"})
    first = f"recording-prepare-{uid[:8]}-0"
    await _wait_workers(rig, "recording", first)
    worker = rig.work("any-prepare", succeed_in_silence, lanes=[subjects.dedicated_lane(uid)])
    await until(lambda: worker.done)
    await rig.end_worker_job(first, "Complete")
    await _wait_workers(rig, "recording-transcribe", f"recording-transcribe-{uid[:8]}-0")
    assert await _workers(rig, "recording-prepare") == [first]


async def test_deleted_dedicated_job_leaves_no_lane(rig: Rig) -> None:
    await rig.start_operator()
    uid = await rig.create_job("recording", execution={"mode": "Dedicated"})
    await _wait_workers(rig, "recording", f"recording-prepare-{uid[:8]}-0")

    async def planned() -> bool:
        return await rig.stage("recording", Stage.PREPARE) is not None

    look: Look = planned
    await until(look)
    await rig.client.delete(TRANSCRIPTION_JOBS, "recording", namespace=NAMESPACE)

    async def gone() -> bool:
        lanes = {lane for _, lane in await rig.bus.consumers()}
        return lanes == set(Priority) and not await rig.worker_jobs()

    look = gone
    await until(look)


async def test_task_of_a_dedicated_job_fails_when_its_engine_is_gone(rig: Rig) -> None:
    await rig.start_operator(recheck_interval=0.5)
    uid = await rig.create_job("recording", execution={"mode": "Dedicated"})
    await _wait_workers(rig, "recording", f"recording-prepare-{uid[:8]}-0")
    await rig.client.delete(ENGINES, "any-transcribe", namespace=NAMESPACE)
    rig.work("any-prepare", succeed, lanes=[subjects.dedicated_lane(uid)])
    job = await rig.ends("recording", JobPhase.FAILED)
    assert job.status.failure is not None
    assert job.status.failure.code == "WorkerLost"
