"""Decides how many workers an engine needs, and what its status says. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from dalston.resources.conditions import ConditionStatus, set_condition
from dalston.resources.engine import Engine, EngineStatus
from dalston.resources.reasons import EngineCondition, EngineReason
from dalston_operator.engines.render import selector


@dataclass(frozen=True)
class Worker:
    """The Job of one worker of an engine, as far as its controller knows.

    `problem` says why its pod does not run or has failed.
    """

    name: str
    index: int
    revision: str
    kept: bool
    finished: bool = False
    failed: bool = False
    finished_at: datetime | None = None
    ready: bool = False
    deleting: bool = False
    problem: str = ""


@dataclass(frozen=True)
class Load:
    """Tasks of an engine over all lanes: waiting, and held by workers."""

    queued: int
    running: int


@dataclass(frozen=True)
class Refusal:
    """Why the API server took no further worker."""

    reason: EngineReason
    message: str


@dataclass(frozen=True)
class WorkerPlan:
    """Workers to create, as (number, kept), and Jobs to delete; look again at `wake_at`."""

    create: tuple[tuple[int, bool], ...] = ()
    delete: tuple[str, ...] = ()
    wake_at: datetime | None = None


def plan_workers(
    engine: Engine,
    load: Load,
    workers: Sequence[Worker],
    *,
    revision: str,
    now: datetime,
    backoff_limit: float,
) -> WorkerPlan:
    """Compare the backlog with the workers.

    Outdated workers go at once: they hand their task back, and a new one takes it. A worker is not
    replaced before a pause that doubles with every one that failed of late.
    """
    active = [worker for worker in workers if not worker.finished and not worker.deleting]
    outdated = [worker for worker in active if worker.revision != revision]
    current = [worker for worker in active if worker.revision == revision]
    limits = engine.spec.workers
    busy = ceil((load.queued + load.running) / limits.concurrency)
    wanted = min(max(busy, limits.min), max(limits.max, limits.min))
    surplus = _surplus(current, load, limits.min)
    delete = tuple(worker.name for worker in [*outdated, *surplus])
    missing = wanted - (len(current) - len(surplus))
    if missing <= 0:
        return WorkerPlan(delete=delete)
    resume = _resume_at(workers, now=now, limit=backoff_limit)
    if resume is not None and resume > now:
        return WorkerPlan(delete=delete, wake_at=resume)
    taken = {worker.index for worker in workers}
    free = (index for index in range(len(taken) + missing) if index not in taken)
    kept = sum(worker.kept for worker in current)
    create = []
    for _, index in zip(range(missing), free, strict=False):
        create.append((index, kept < limits.min))
        kept += 1
    return WorkerPlan(create=tuple(create), delete=delete)


def _surplus(current: Sequence[Worker], load: Load, minimum: int) -> list[Worker]:
    """Give kept workers beyond the minimum, once there is no work that they might hold."""
    kept = sorted((worker for worker in current if worker.kept), key=lambda worker: worker.index)
    if load.queued or load.running:
        return []
    return kept[minimum:]


def _resume_at(workers: Sequence[Worker], *, now: datetime, limit: float) -> datetime | None:
    """Give the time before which no worker is created, after the failures of late."""
    failures = [
        worker.finished_at for worker in workers if worker.failed and worker.finished_at is not None
    ]
    if len(failures) < 2:
        # One loss is what nodes and people do; the next worker starts at once.
        return None
    pause = min(2.0 ** (len(failures) - 2), limit)
    return max(failures) + timedelta(seconds=pause)


def describe(
    engine: Engine,
    load: Load,
    workers: Sequence[Worker],
    *,
    refused: Refusal | None,
    now: datetime,
) -> EngineStatus:
    """Give the status: counts, what fails, and the conditions Ready and Progressing."""
    active = [worker for worker in workers if not worker.finished and not worker.deleting]
    ready = sum(worker.ready for worker in active)
    problems = [worker.problem for worker in workers if worker.problem and not worker.ready]
    failing = problems[-1] if problems and ready < max(len(active), 1) else ""
    if refused is not None:
        failing = refused.message
    status = EngineStatus(
        observed_generation=engine.metadata.generation,
        conditions=engine.status.conditions,
        queued=load.queued,
        running=load.running,
        workers=len(active),
        ready=ready,
        selector=selector(engine.metadata.name),
        failing=failing[:1024],
    )
    for type, value, reason, message in (
        _ready(status, refused),
        _progressing(status),
    ):
        status.conditions = set_condition(
            status.conditions,
            type=type,
            status=value,
            reason=reason,
            message=message,
            now=now,
            generation=engine.metadata.generation,
        )
    return status


_Row = tuple[EngineCondition, ConditionStatus, EngineReason, str]


def _ready(status: EngineStatus, refused: Refusal | None) -> _Row:
    if refused is not None:
        return EngineCondition.READY, ConditionStatus.FALSE, refused.reason, status.failing
    if status.ready:
        text = f"{status.ready} of {status.workers} workers are ready"
        return EngineCondition.READY, ConditionStatus.TRUE, EngineReason.WORKERS_READY, text
    if status.failing:
        return (
            EngineCondition.READY,
            ConditionStatus.FALSE,
            EngineReason.WORKERS_FAILING,
            status.failing,
        )
    if status.workers or status.queued:
        text = "workers are starting"
        return EngineCondition.READY, ConditionStatus.FALSE, EngineReason.STARTING, text
    text = "no work, no workers; one starts with the first task"
    return EngineCondition.READY, ConditionStatus.TRUE, EngineReason.IDLE, text


def _progressing(status: EngineStatus) -> _Row:
    if status.workers > status.ready:
        text = f"{status.workers - status.ready} workers are starting"
        return EngineCondition.PROGRESSING, ConditionStatus.TRUE, EngineReason.SCALING, text
    return EngineCondition.PROGRESSING, ConditionStatus.FALSE, EngineReason.STEADY, ""
