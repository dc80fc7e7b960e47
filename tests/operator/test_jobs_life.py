"""Jobs from creation to their end, and what is left of them afterwards."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dalston.artifacts import ArtifactNotFound, StoreUnavailable, keys
from dalston.bus import TaskDelivery, subjects
from dalston.kube.kinds import TRANSCRIPTION_JOBS
from dalston.pipeline import ErrorKind, EventType, TaskError
from dalston.resources import JobPhase, PartState, Stage
from dalston.resources.conditions import find_condition
from dalston.resources.meta import RETRY_ANNOTATION
from tests.deadlines import until, within
from tests.operator.rig import NAMESPACE, Rig, Worker, succeed
from tests.resources.examples import EVERYTHING

Look = Callable[[], Awaitable[bool]]


async def never(worker: Worker, delivery: TaskDelivery) -> None:
    """Take the task up and say nothing more."""
    await worker.tell(delivery.request, EventType.STARTED)


async def _wait_state(rig: Rig, name: str, stage: Stage, state: PartState) -> None:
    async def reached() -> bool:
        found = await rig.stage(name, stage)
        return found is not None and any(part.state == state for part in found.parts)

    look: Look = reached
    await until(look, what=f"{stage} of {name} {state}")


async def _wait_gone(rig: Rig, uid: str, *folders: str) -> None:
    async def gone() -> bool:
        tasks = await rig.queued(subjects.TASKS, subjects.tasks_of_job(uid))
        files = [key for folder in folders for key in await rig.store.keys(folder)]
        return not tasks and not files and uid not in await rig.bus.claimed_jobs()

    look: Look = gone
    await until(look, what=f"nothing to be left of {uid}")


async def test_job_runs_through_all_its_stages(rig: Rig) -> None:
    await rig.start_operator()
    workers = rig.work_everything()
    await rig.create_job("recording", **EVERYTHING)
    job = await rig.ends("recording")
    assert job.status.transcript is not None
    assert job.status.transcript.words == 22
    done = {stage: len(worker.done) for stage, worker in workers.items()}
    assert done == {stage: int(stage != Stage.ALIGN) for stage in Stage}


async def test_finished_job_leaves_no_tasks_and_claims(rig: Rig) -> None:
    await rig.start_operator()
    rig.work_everything()
    uid = await rig.create_job("recording")
    await rig.ends("recording")
    await _wait_gone(rig, uid)
    assert await rig.store.keys(keys.job_folder(uid))  # the results stay with the job


async def test_many_jobs_at_once_all_end(rig: Rig) -> None:
    await rig.start_operator()
    workers = rig.work_everything()
    names = [f"recording-{number}" for number in range(30)]
    await asyncio.gather(*(rig.create_job(name) for name in names))
    await asyncio.gather(*(rig.ends(name, seconds=20) for name in names))
    assert len(workers[Stage.MERGE].done) == 30


async def test_job_without_engine_is_rejected_with_the_alternative(rig: Rig) -> None:
    await rig.start_operator()
    await rig.create_job("recording", engines=[{"stage": "transcribe", "engine": "unknown"}])
    job = await rig.ends("recording", JobPhase.FAILED)
    accepted = find_condition(job.status.conditions, "Accepted")
    assert accepted is not None
    assert (accepted.status, accepted.reason) == ("False", "UnknownEngine")
    assert accepted.message.endswith("engines that do: any-transcribe")


async def test_infrastructure_failure_is_retried_until_it_works(rig: Rig) -> None:
    async def fail_twice(worker: Worker, delivery: TaskDelivery) -> None:
        if delivery.request.attempt == 2:
            await succeed(worker, delivery)
            return
        error = TaskError(kind=ErrorKind.INFRASTRUCTURE, code="Crashed")
        await worker.tell(delivery.request, EventType.FAILED, error=error)
        await delivery.ack()

    await rig.start_operator()
    workers = rig.work_everything(transcribe=fail_twice)
    await rig.create_job("recording")
    await rig.ends("recording")
    assert [request.attempt for request in workers[Stage.TRANSCRIBE].done] == [0, 1, 2]


async def test_lost_event_is_made_good_by_the_manifest(rig: Rig) -> None:
    async def forget_to_tell(worker: Worker, delivery: TaskDelivery) -> None:
        await worker.store_result(delivery.request)
        await delivery.ack()

    await rig.start_operator(recheck_interval=0.4)
    workers = rig.work_everything(prepare=forget_to_tell)
    await rig.create_job("recording")
    await rig.ends("recording")
    assert len(workers[Stage.PREPARE].done) == 1


async def test_lost_task_is_published_again(rig: Rig) -> None:
    await rig.start_operator(recheck_interval=0.4)
    uid = await rig.create_job("recording")
    await rig.published(uid)
    await rig.bus.js.purge_stream(subjects.TASKS)
    workers = rig.work_everything()
    await rig.ends("recording")
    assert len(workers[Stage.PREPARE].done) == 1


async def test_job_that_waits_long_is_looked_after_less_and_less_often(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0

    async def get(key: str) -> bytes:
        nonlocal looks
        looks += 1
        raise ArtifactNotFound(key)

    await rig.start_operator(recheck_interval=0.1)
    monkeypatch.setattr(rig.store, "get", get)  # one read for each look
    uid = await rig.create_job("recording")
    await rig.published(uid)
    await asyncio.sleep(1.0)
    assert 2 <= looks <= 4  # after 0.1, 0.3, 0.7 seconds, then every 0.8


async def test_task_whose_lane_was_changed_is_not_done_twice(rig: Rig) -> None:
    await rig.start_operator(recheck_interval=0.3)
    uid = await rig.create_job("recording")
    await rig.published(uid)
    await rig.change_job("recording", priority="high")
    await asyncio.sleep(0.8)  # two rechecks
    assert await rig.queued(subjects.TASKS, subjects.tasks_of_job(uid)) == 1


async def test_task_that_nobody_finishes_becomes_a_dead_letter_and_can_be_replayed(
    rig: Rig,
) -> None:
    await rig.start_operator()
    stuck = rig.work("any-prepare", never)
    uid = await rig.create_job("recording")
    job = await rig.ends("recording", JobPhase.FAILED)
    assert job.status.failure is not None
    assert (job.status.failure.code, len(stuck.done)) == ("DeadLettered", 2)
    assert await rig.queued(subjects.DEAD, subjects.dead_of_job(uid)) == 1
    stuck.script = succeed
    workers = {stage: rig.work(f"any-{stage}") for stage in (Stage.TRANSCRIBE, Stage.MERGE)}
    annotation = {"metadata": {"annotations": {RETRY_ANNOTATION: "1"}}}
    await rig.client.patch(TRANSCRIPTION_JOBS, "recording", annotation, namespace=NAMESPACE)

    async def succeeded() -> bool:
        job = await rig.job("recording")
        return job is not None and job.status.phase == JobPhase.SUCCEEDED

    look: Look = succeeded
    await until(look)
    assert len(workers[Stage.MERGE].done) == 1
    assert await rig.queued(subjects.DEAD, subjects.dead_of_job(uid)) == 0


async def test_cancelled_job_tells_workers_and_takes_its_tasks_along(rig: Rig) -> None:
    await rig.start_operator()
    rig.work("any-prepare", never)
    uid = await rig.create_job("recording")
    await _wait_state(rig, "recording", Stage.PREPARE, PartState.RUNNING)
    told: asyncio.Queue[str] = asyncio.Queue()
    await rig.bus.on_cancel(told.put_nowait)
    await rig.change_job("recording", cancel=True)
    assert await within(5, told.get()) == uid
    await rig.ends("recording", JobPhase.CANCELLED)
    await _wait_gone(rig, uid)


async def test_deleted_job_leaves_nothing(rig: Rig) -> None:
    await rig.start_operator()
    rig.work("any-prepare")
    rig.work("any-transcribe", never)
    await rig.store.put(keys.upload_source("recording"), b"RIFF")
    source = {"artifact": keys.upload_source("recording")}
    uid = await rig.create_job("recording", source=source)
    await _wait_state(rig, "recording", Stage.TRANSCRIBE, PartState.RUNNING)
    await rig.client.delete(TRANSCRIPTION_JOBS, "recording", namespace=NAMESPACE)
    await _wait_gone(rig, uid, keys.job_folder(uid), keys.upload_folder("recording"))


async def test_upload_stays_while_another_job_uses_it(rig: Rig) -> None:
    await rig.start_operator()
    await rig.store.put(keys.upload_source("shared"), b"RIFF")
    source = {"artifact": keys.upload_source("shared")}
    uid = await rig.create_job("one", source=source)
    await rig.create_job("two", source=source)
    await rig.published(uid)
    await rig.client.delete(TRANSCRIPTION_JOBS, "one", namespace=NAMESPACE)
    await _wait_gone(rig, uid)
    assert await rig.store.exists(keys.upload_source("shared"))


async def test_job_deleted_while_no_operator_ran_is_swept(rig: Rig) -> None:
    first = await rig.start_operator()
    rig.work("any-prepare")
    uid = await rig.create_job("recording")
    await _wait_state(rig, "recording", Stage.TRANSCRIBE, PartState.QUEUED)
    await first.crash()
    await rig.client.delete(TRANSCRIPTION_JOBS, "recording", namespace=NAMESPACE)
    await rig.start_operator(sweep_interval=0.2)
    await until_empty(rig, uid)


async def until_empty(rig: Rig, uid: str) -> None:
    """Wait until the store holds nothing of a job."""

    async def empty() -> bool:
        return await rig.store.keys(keys.job_folder(uid)) == []

    look: Look = empty
    await until(look)


async def test_finished_job_is_deleted_when_its_time_is_over(rig: Rig) -> None:
    await rig.start_operator()
    rig.work_everything()
    uid = await rig.create_job("recording", ttlSecondsAfterFinished=0)

    async def gone() -> bool:
        return await rig.job("recording") is None

    look: Look = gone
    await until(look)
    await _wait_gone(rig, uid, keys.job_folder(uid))


async def test_suspended_job_publishes_nothing_until_it_is_resumed(rig: Rig) -> None:
    await rig.start_operator()
    rig.work_everything()
    uid = await rig.create_job("recording", suspend=True)

    async def suspended() -> bool:
        job = await rig.job("recording")
        return job is not None and job.status.phase == JobPhase.SUSPENDED

    look: Look = suspended
    await until(look)
    assert await rig.queued(subjects.TASKS, subjects.tasks_of_job(uid)) == 0
    await rig.change_job("recording", suspend=False)
    await rig.ends("recording")


async def test_job_recreated_under_its_name_runs_too(rig: Rig) -> None:
    await rig.start_operator()
    first = await rig.create_job("recording")
    await rig.published(first)
    await rig.client.delete(TRANSCRIPTION_JOBS, "recording", namespace=NAMESPACE)
    second = await rig.create_job("recording")
    rig.work_everything()
    job = await rig.ends("recording")
    assert job.metadata.uid == second
    assert job.status.transcript is not None
    assert second in job.status.transcript.artifact


async def test_late_watch_event_does_not_bring_a_finished_job_back(rig: Rig) -> None:
    running = await rig.start_operator()
    rig.work_everything()
    uid = await rig.create_job("recording")
    early = await rig.client.get(TRANSCRIPTION_JOBS, "recording", namespace=NAMESPACE)
    await rig.ends("recording")
    await until(lambda: not running.operator.jobs.tracks(uid))
    running.operator.job_seen("MODIFIED", early)
    assert not running.operator.jobs.tracks(uid)


async def test_operator_that_crashes_in_mid_job_goes_on(rig: Rig) -> None:
    running = await rig.start_operator(status_interval=9.0)
    await rig.create_job("recording")
    workers = rig.work_everything()
    await until(lambda: workers[Stage.TRANSCRIBE].done)
    await running.crash()  # its status says nothing yet of what it published
    await rig.start_operator()
    await rig.ends("recording")
    assert [len(worker.done) for worker in workers.values() if worker.done] == [1, 1, 1]


async def test_job_that_was_done_while_no_operator_ran_ends_at_once(rig: Rig) -> None:
    running = await rig.start_operator(status_interval=9.0)
    await rig.create_job("recording")
    workers = rig.work_everything()
    await until(lambda: workers[Stage.MERGE].done)
    await running.crash()
    await rig.bus.js.purge_stream(subjects.EVENTS)  # what it had not acknowledged comes much later
    await rig.start_operator()
    await rig.ends("recording", seconds=3)
    assert len(workers[Stage.MERGE].done) == 1


async def test_nats_that_restarts_in_mid_job_delays_it_only(rig: Rig) -> None:
    await rig.start_operator(recheck_interval=1.0)
    uid = await rig.create_job("recording")
    await rig.published(uid)
    rig.nats.kill()
    await rig.create_job("second")
    rig.nats.start()
    rig.work_everything()
    for name in ("recording", "second"):
        await rig.ends(name, seconds=20)


async def test_store_that_is_away_delays_a_job_only(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = asyncio.Event()

    async def refuse(key: str) -> bytes:
        refused.set()
        raise StoreUnavailable(key)

    running = await rig.start_operator(recheck_interval=0.3)
    uid = await rig.create_job("recording")
    await rig.published(uid)
    with monkeypatch.context() as away:
        away.setattr(rig.store, "get", refuse)  # a folder on this machine cannot be away
        await within(5, refused.wait())
    rig.work_everything()
    await rig.ends("recording")
    assert not running.task.done()


async def test_unreadable_result_costs_an_attempt_only(rig: Rig) -> None:
    async def write_garbage(worker: Worker, delivery: TaskDelivery) -> None:
        if delivery.request.attempt == 0:
            await worker.store.put(keys.manifest(delivery.request.id), b"{")
            await delivery.ack()
        else:
            await succeed(worker, delivery)

    await rig.start_operator(recheck_interval=0.3)
    workers = rig.work_everything(prepare=write_garbage)
    await rig.create_job("recording")
    await rig.ends("recording")
    assert [request.attempt for request in workers[Stage.PREPARE].done] == [0, 1]


async def test_job_with_a_deadline_fails_when_nobody_works(rig: Rig) -> None:
    await rig.start_operator()
    uid = await rig.create_job("recording", activeDeadlineSeconds=1)
    job = await rig.ends("recording", JobPhase.FAILED)
    assert job.status.failure is not None
    assert job.status.failure.code == "DeadlineExceeded"
    await _wait_gone(rig, uid)
