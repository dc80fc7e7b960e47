"""Reads worker Jobs and their pods into what `scale` decides upon. Pure functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dalston.resources.meta import (
    ATTEMPT_LABEL,
    ENGINE_LABEL,
    JOB_LABEL,
    STAGE_LABEL,
    WORKER_LABEL,
)
from dalston_operator.engines.render import KEPT_LABEL, REVISION_ANNOTATION
from dalston_operator.engines.scale import Worker

_JOB_NAME = "batch.kubernetes.io/job-name"
_WAITING_PROBLEMS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "CrashLoopBackOff",
        "RunContainerError",
    }
)


@dataclass(frozen=True)
class JobView:
    """What the operator keeps of a batch/v1 Job."""

    name: str
    engine: str
    owner_job: str | None
    stage: str
    attempt: int
    index: int
    revision: str
    kept: bool
    finished: bool
    failed: bool
    finished_at: datetime | None
    deleting: bool
    problem: str


@dataclass(frozen=True)
class PodView:
    """What the operator keeps of a pod of a worker."""

    job: str
    engine: str
    ready: bool
    problem: str


def view_job(item: Mapping[str, Any]) -> JobView:
    """Read a Job."""
    metadata, status = item["metadata"], item.get("status") or {}
    labels = metadata.get("labels") or {}
    ended = {
        condition["type"]: condition
        for condition in status.get("conditions") or []
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True"
    }
    condition = next(iter(ended.values()), None)
    failed = "Failed" in ended
    return JobView(
        name=metadata["name"],
        engine=labels.get(ENGINE_LABEL, ""),
        owner_job=labels.get(JOB_LABEL),
        stage=labels.get(STAGE_LABEL, ""),
        attempt=int(labels.get(ATTEMPT_LABEL, 0)),
        index=int(labels.get(WORKER_LABEL, -1)),
        revision=(metadata.get("annotations") or {}).get(REVISION_ANNOTATION, ""),
        kept=labels.get(KEPT_LABEL) == "true",
        finished=condition is not None,
        failed=failed,
        finished_at=_time(condition.get("lastTransitionTime")) if condition else None,
        deleting="deletionTimestamp" in metadata,
        problem=_text(condition) if failed and condition else "",
    )


def view_pod(item: Mapping[str, Any]) -> PodView:
    """Read a pod."""
    metadata, status = item["metadata"], item.get("status") or {}
    labels = metadata.get("labels") or {}
    ready = any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in status.get("conditions") or []
    )
    return PodView(
        job=labels.get(_JOB_NAME) or labels.get("job-name", ""),
        engine=labels.get(ENGINE_LABEL, ""),
        ready=ready and "deletionTimestamp" not in metadata,
        problem=_pod_problem(status),
    )


def _pod_problem(status: Mapping[str, Any]) -> str:
    for container in status.get("containerStatuses") or []:
        state = container.get("state") or {}
        waiting, ended = state.get("waiting") or {}, state.get("terminated") or {}
        if waiting.get("reason") in _WAITING_PROBLEMS:
            return _text(waiting)
        if ended and ended.get("exitCode", 0) != 0:
            reason = ended.get("reason") or "Error"
            detail = (ended.get("message") or "").strip()[-600:]
            text = f"{reason}: exit code {ended['exitCode']}"
            return f"{text}: {detail}" if detail else text
    for condition in status.get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return _text(condition)
    return ""


def workers_of(engine: str, jobs: Sequence[JobView], pods: Mapping[str, PodView]) -> list[Worker]:
    """Join the Jobs of an engine's warm workers with their pods, in the order of their numbers."""
    found = []
    for job in jobs:
        if job.engine != engine or job.owner_job is not None:
            continue
        pod = pods.get(job.name)
        found.append(
            Worker(
                name=job.name,
                index=job.index,
                revision=job.revision,
                kept=job.kept,
                finished=job.finished,
                failed=job.failed,
                finished_at=job.finished_at,
                ready=bool(pod and pod.ready) and not job.finished,
                deleting=job.deleting,
                problem=(pod.problem if pod and pod.problem else job.problem)
                if not job.finished or job.failed
                else "",
            )
        )
    return sorted(found, key=lambda worker: worker.index)


def _text(state: Mapping[str, Any]) -> str:
    reason, message = state.get("reason") or "", state.get("message") or ""
    return f"{reason}: {message}" if message else str(reason)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
