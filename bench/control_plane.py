"""How fast the control plane is: bursts of jobs, whole lifecycles, and a restart with many jobs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from bench.processes import CHECKOUT, ControlPlane, control_plane, cpu_seconds, memory_mib, metric
from bench.report import Figure
from dalston.bus import subjects
from dalston.kube.kinds import TRANSCRIPTION_JOBS
from dalston.resources.stages import Stage

_PARALLEL = 8
_DEADLINE = 180.0


async def measure(
    *, burst: int = 2000, lifecycles: int = 600, restart: int = 10_000
) -> list[Figure]:
    """Take all figures of the control plane."""
    async with control_plane() as plane:
        figures = [await _burst(plane, burst)]
    async with control_plane() as plane:
        figures += await _lifecycles(plane, lifecycles)
    async with control_plane() as plane:
        figures += await _restart(plane, restart)
    return figures


async def _burst(plane: ControlPlane, count: int) -> Figure:
    """Create jobs in one burst, with nobody to do the work, until each has its first task."""
    operator = plane.start("dalston_operator")
    await _settled(plane)
    began = time.monotonic()
    await _create(plane, count)
    created = time.monotonic()
    await _until(lambda: _tasks_published(plane), count)
    seconds = time.monotonic() - began
    plane.stop(operator)
    return Figure(
        "jobs created to first task published, burst",
        count / seconds,
        "jobs/s",
        ">=",
        100,
        {"jobs": count, "seconds": seconds, "created_per_second": count / (created - began)},
    )


async def _lifecycles(plane: ControlPlane, count: int) -> list[Figure]:
    """Run whole seven-stage jobs through operator, JetStream and one SDK worker."""
    operator = plane.start("dalston_operator", DALSTON_OPERATOR_METRICS_PORT="18092")
    worker = plane.start(
        "dalston.engine_sdk",
        "worker",
        folder=CHECKOUT / "bench" / "noop",
        DALSTON_WORKER_ENGINE="noop",
        DALSTON_WORKER_NAME="bench",
        DALSTON_WORKER_CONCURRENCY="8",
        DALSTON_WORKER_KEEP="true",
        DALSTON_HEALTH_PORT="0",
    )
    await _settled(plane)
    await _create(plane, 5)
    await _until(lambda: _finished(plane), 5)
    writes_before = metric(18092, _WRITES)
    used_before, worker_before = cpu_seconds(operator), cpu_seconds(worker)
    began = time.monotonic()
    await _create(plane, count, prefix="cycle")
    await _until(lambda: _finished(plane), count + 5)
    seconds = time.monotonic() - began
    used = cpu_seconds(operator) - used_before
    writes = metric(18092, _WRITES) - writes_before
    details = {
        "jobs": count,
        "seconds": seconds,
        "operator_cpu_ms_per_job": 1000 * used / count,
        "worker_cpu_ms_per_job": 1000 * (cpu_seconds(worker) - worker_before) / count,
    }
    plane.stop(worker)
    plane.stop(operator)
    return [
        Figure("seven-stage lifecycles", count / seconds, "jobs/s", ">=", 30, details),
        Figure("API writes a job, its creation too", 1 + writes / count, "writes", "<=", 5),
    ]


_WRITES = 'dalston_operator_status_writes_total{kind="TranscriptionJob"}'


async def _restart(plane: ControlPlane, count: int) -> list[Figure]:
    """Start the operator with jobs that are there already, a tenth of them unfinished."""
    await _create(plane, count)
    unfinished = count // 10
    await _gather(_finish(plane, f"job-{number}") for number in range(unfinished, count))
    began = time.monotonic()
    operator = plane.start("dalston_operator")
    await _until(lambda: _tasks_published(plane), unfinished)
    seconds = time.monotonic() - began
    memory = memory_mib(operator)
    plane.stop(operator)
    details = {"jobs": count, "unfinished": unfinished}
    return [
        Figure(f"operator restart with {count} jobs, to steady", seconds, "s", "<=", 30, details),
        Figure("operator memory then", memory, "MiB", "<=", 150, details),
    ]


def _job(name: str) -> dict[str, Any]:
    return {
        "apiVersion": TRANSCRIPTION_JOBS.api_version,
        "kind": TRANSCRIPTION_JOBS.kind,
        "metadata": {"name": name},
        "spec": {
            "source": {"artifact": "bench/nothing"},
            "timestamps": "word",
            "speakers": {"mode": "diarize"},
            "detect": {"audioEvents": True},
            "refine": {"noVerbatim": True},
        },
    }


async def _create(plane: ControlPlane, count: int, *, prefix: str = "job") -> None:
    await _gather(
        plane.client.create(TRANSCRIPTION_JOBS, _job(f"{prefix}-{number}"), namespace="default")
        for number in range(count)
    )


async def _finish(plane: ControlPlane, name: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    stages = [{"name": stage, "state": "Succeeded", "engine": "noop"} for stage in Stage]
    condition = {"status": "True", "reason": "Completed", "lastTransitionTime": now}
    status = {
        "phase": "Succeeded",
        "progress": 100,
        "finishedAt": now,
        "stages": stages,
        "conditions": [
            {"type": type, **condition}
            for type in ("Accepted", "Running", "Succeeded", "Suspended")
        ],
    }
    await plane.client.patch(
        TRANSCRIPTION_JOBS, name, {"status": status}, namespace="default", sub="status"
    )


async def _gather(calls: Iterable[Awaitable[Any]]) -> None:
    """Await calls, a few at a time."""
    limit = asyncio.Semaphore(_PARALLEL)

    async def one(call: Awaitable[Any]) -> None:
        async with limit:
            await call

    await asyncio.gather(*(one(call) for call in calls))


async def _until(look: Callable[[], Awaitable[int]], count: int) -> None:
    async with asyncio.timeout(_DEADLINE):
        while await look() < count:
            await asyncio.sleep(0.05)


async def _settled(plane: ControlPlane) -> None:
    """Wait until the operator plans and publishes, which a first job shows."""
    await plane.client.create(TRANSCRIPTION_JOBS, _job("first"), namespace="default")
    await _until(lambda: _tasks_published(plane), 1)
    await plane.client.delete(TRANSCRIPTION_JOBS, "first", namespace="default")


async def _tasks_published(plane: ControlPlane) -> int:
    info = await plane.bus.js.stream_info(subjects.TASKS)
    return int(info.state.messages)


async def _finished(plane: ControlPlane) -> int:
    items, _ = await plane.client.list(
        TRANSCRIPTION_JOBS, namespace="default", fields="status.phase=Succeeded"
    )
    return len(items)
