"""What to do about a Job next: pods to create and delete, its next status, when to look again.

The rules are those of Kubernetes' Job controller. Everything is derived from the pods that exist and
from the status last written, so that the controller may be killed between any two writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dalston.localkube.controllers import conditions, job_failure_policy, job_indexes
from dalston.localkube.controllers.job_facts import JobFacts
from dalston.localkube.controllers.job_failure_policy import FAIL_JOB, IGNORE
from dalston.localkube.controllers.pods import PodFacts
from dalston.localkube.controllers.times import stamp

JSON = dict[str, Any]

GONE = "uncountedTerminatedPods"
"""Status field with the uids of counted pods whose objects are gone."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pause after failed pods: `seconds`, doubled with each further failure up to `limit`."""

    seconds: float
    limit: float

    def after(self, failures: int) -> float:
        """The pause after so many failures in a row."""
        if failures == 0:
            return 0.0
        return float(min(self.seconds * 2 ** min(failures - 1, 30), self.limit))


@dataclass(frozen=True, slots=True)
class Deletion:
    """A pod to delete; one that is `counted` is a failure of the Job."""

    pod: PodFacts
    counted: bool


@dataclass(frozen=True, slots=True)
class JobPlan:
    """`creations` holds one entry per pod: its completion index, or None."""

    status: JSON
    creations: tuple[int | None, ...] = ()
    deletions: tuple[Deletion, ...] = ()
    look_again: float | None = None
    expired: bool = False
    events: tuple[tuple[bool, str, str], ...] = ()
    """(warning, reason, message)."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a Job ends. `reason` is empty while it does not."""

    succeeded: bool = False
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """The Job's pods, counted."""

    active: tuple[PodFacts, ...]
    terminating: tuple[PodFacts, ...]
    succeeded: int
    failed: int
    indexes: frozenset[int] = frozenset()
    gone: Mapping[str, bool] = field(default_factory=dict)
    """uid → succeeded, of pods that were counted and whose objects are gone."""
    rule_broken: str = ""
    restarts: int = 0
    failures_in_a_row: int = 0
    last_failure: float = 0.0


def tally(
    job: JobFacts, pods: Sequence[PodFacts], *, gone: Mapping[str, bool], namespace: str
) -> Tally:
    """Count the pods; `gone` are those that vanished since the status was written."""
    written = job.status.get(GONE) or {}
    vanished = dict.fromkeys(written.get("succeeded") or (), True)
    vanished.update(dict.fromkeys(written.get("failed") or (), False))
    vanished.update(gone)
    verdicts = {
        pod.uid: job_failure_policy.judge(job, pod, namespace=namespace)
        for pod in pods
        if pod.phase == "Failed"
    }
    failed = [pod for pod in pods if _failed(job, pod, verdicts.get(pod.uid))]
    succeeded = [pod for pod in pods if pod.phase == "Succeeded"]
    indexes = frozenset(
        job_indexes.expand(job.status.get("completedIndexes")) if job.indexed else ()
    ) | {pod.index for pod in succeeded if job.indexed and pod.index is not None}
    in_a_row, last = _failures_in_a_row(pods)
    return Tally(
        active=tuple(pod for pod in pods if pod.active),
        terminating=tuple(pod for pod in pods if pod.terminating),
        succeeded=len(indexes) if job.indexed else len(succeeded) + sum(vanished.values()),
        failed=len(failed) + sum(not outcome for outcome in vanished.values()),
        indexes=indexes,
        gone=vanished,
        rule_broken=next((v.message for v in verdicts.values() if v.action == FAIL_JOB), ""),
        restarts=sum(pod.restarts for pod in pods if pod.active),
        failures_in_a_row=in_a_row,
        last_failure=last,
    )


def _failed(job: JobFacts, pod: PodFacts, verdict: job_failure_policy.Verdict | None) -> bool:
    if pod.uncounted:
        return False
    if verdict is not None:
        return verdict.action != IGNORE
    return pod.terminating and not job.replace_failed_only


def _failures_in_a_row(pods: Sequence[PodFacts]) -> tuple[int, float]:
    """Failures since the last success, disruptions apart, and the time of the latest."""
    finished = sorted(
        ((pod.finished_at or 0.0, pod) for pod in pods if pod.finished and not pod.disrupted),
        key=lambda entry: entry[0],
    )
    count, last = 0, 0.0
    for at, pod in finished:
        count, last = (0, 0.0) if pod.phase == "Succeeded" else (count + 1, at)
    return count, last


def decide(
    job: JobFacts,
    pods: Sequence[PodFacts],
    *,
    gone: Mapping[str, bool],
    namespace: str,
    backoff: Backoff,
    now: float,
    burst: int = 500,
) -> JobPlan:
    """The next step for a Job."""
    if job.finished_at is not None:
        return _after_the_end(job, now)
    if job.deleting:
        return JobPlan(status=job.status)
    counts = tally(job, pods, gone=gone, namespace=namespace)
    ending = _ending(job, counts, now)
    if ending.reason:
        return _end(job, counts, ending, now)
    plan = _suspend_or_resume(job, JobPlan(status=_counted(job, counts)), now)
    if job.suspended:
        return replace(plan, deletions=tuple(Deletion(pod, False) for pod in counts.active))
    plan = _with_pods(job, counts, plan, backoff=backoff, now=now, burst=burst)
    return _with_deadline(job, plan, now)


def _after_the_end(job: JobFacts, now: float) -> JobPlan:
    if job.ttl is None or job.deleting or job.finished_at is None:
        return JobPlan(status=job.status)
    left = job.finished_at + job.ttl - now
    if left <= 0:
        return JobPlan(status=job.status, expired=True)
    return JobPlan(status=job.status, look_again=left)


def _ending(job: JobFacts, counts: Tally, now: float) -> Ending:
    target = conditions.find(job.conditions, "FailureTarget")
    if target is not None:
        return Ending(False, target["reason"], target.get("message", ""))
    if conditions.is_true(job.conditions, "SuccessCriteriaMet"):
        return Ending(True, "CompletionsReached", "Reached expected number of succeeded pods")
    if counts.rule_broken:
        return Ending(False, "PodFailurePolicy", counts.rule_broken)
    too_many_restarts = (
        job.restarts_containers and counts.restarts > 0 and counts.restarts >= job.backoff_limit
    )
    if counts.failed > job.backoff_limit or too_many_restarts:
        message = "Job has reached the specified backoff limit"
        return Ending(False, "BackoffLimitExceeded", message)
    if _seconds_left(job, now) == 0.0:
        message = "Job was active longer than specified deadline"
        return Ending(False, "DeadlineExceeded", message)
    return _success(job, counts)


def _success(job: JobFacts, counts: Tally) -> Ending:
    if job.completions is None:
        done = counts.succeeded > 0 and not counts.active and not counts.terminating
    else:
        done = counts.succeeded >= job.completions and not job.suspended
    if not done:
        return Ending()
    return Ending(True, "CompletionsReached", "Reached expected number of succeeded pods")


def _seconds_left(job: JobFacts, now: float) -> float | None:
    """Seconds to the deadline, 0 when it has passed, None when there is none."""
    if job.active_deadline is None or job.started_at is None or job.suspended:
        return None
    if conditions.is_true(job.conditions, "Suspended"):
        return None
    return max(0.0, job.started_at + job.active_deadline - now)


def _counted(job: JobFacts, counts: Tally) -> JSON:
    """The status with its numbers renewed."""
    status = dict(job.status)
    succeeded = [uid for uid, outcome in counts.gone.items() if outcome]
    failed = [uid for uid, outcome in counts.gone.items() if not outcome]
    numbers: JSON = {
        "active": len(counts.active),
        "ready": sum(pod.ready for pod in counts.active),
        "terminating": len(counts.terminating),
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "completedIndexes": job_indexes.compress(counts.indexes),
        GONE: {"succeeded": succeeded, "failed": failed} if counts.gone else {},
    }
    status.update(numbers)
    for name in ("active", "succeeded", "failed", "completedIndexes"):
        if not numbers[name]:
            status.pop(name, None)
    return status


def _end(job: JobFacts, counts: Tally, ending: Ending, now: float) -> JobPlan:
    """End the running pods; once there are none, the Job has ended."""
    target, final = (
        ("SuccessCriteriaMet", "Complete")
        if ending.succeeded
        else (
            "FailureTarget",
            "Failed",
        )
    )
    status = _counted(job, counts)
    status.setdefault("startTime", stamp(now))
    words = {"reason": ending.reason, "message": ending.message}
    listed = conditions.with_condition(job.conditions, target, status=True, now=now, **words)
    left = bool(counts.active or counts.terminating)
    events: tuple[tuple[bool, str, str], ...] = ()
    if not left:
        listed = conditions.with_condition(listed, final, status=True, now=now, **words)
        if ending.succeeded:
            status["completionTime"] = stamp(now)
            events = ((False, "Completed", "Job completed"),)
        else:
            events = ((True, ending.reason, ending.message),)
    status["conditions"] = listed
    deletions = tuple(Deletion(pod, not ending.succeeded) for pod in counts.active)
    return JobPlan(status=status, deletions=deletions, events=events)


def _suspend_or_resume(job: JobFacts, plan: JobPlan, now: float) -> JobPlan:
    status, events = dict(plan.status), plan.events
    was = conditions.is_true(job.conditions, "Suspended")
    if job.suspended and not was:
        words = {"reason": "JobSuspended", "message": "Job suspended"}
        listed = conditions.with_condition(
            job.conditions, "Suspended", status=True, now=now, **words
        )
        status["conditions"], events = listed, ((False, "Suspended", "Job suspended"),)
    elif was and not job.suspended:
        words = {"reason": "JobResumed", "message": "Job resumed"}
        listed = conditions.with_condition(
            job.conditions, "Suspended", status=False, now=now, **words
        )
        status["conditions"], events = listed, ((False, "Resumed", "Job resumed"),)
        status["startTime"] = stamp(now)
    elif not job.suspended and job.started_at is None:
        status["startTime"] = stamp(now)
    return replace(plan, status=status, events=events)


def _with_pods(
    job: JobFacts, counts: Tally, plan: JobPlan, *, backoff: Backoff, now: float, burst: int
) -> JobPlan:
    """Create the pods that are missing, delete those that are too many."""
    active = len(counts.active)
    if job.completions is None:
        wanted = active if counts.succeeded > 0 else job.parallelism
        wanted = min(wanted, job.parallelism)
    else:
        wanted = min(job.completions - counts.succeeded, job.parallelism)
    if active > wanted:
        last_first = sorted(counts.active, key=lambda pod: (pod.ready, pod.bound, -pod.created_at))
        surplus = last_first[: active - wanted]
        return replace(plan, deletions=tuple(Deletion(pod, False) for pod in surplus))
    held_back = len(counts.terminating) if job.replace_failed_only else 0
    lacking = min(wanted - active - held_back, burst)
    if lacking <= 0:
        return plan
    pause = counts.last_failure + backoff.after(counts.failures_in_a_row) - now
    if pause > 0:
        return replace(plan, look_again=pause)
    status = {**plan.status, "active": active + lacking}
    if not job.indexed:
        return replace(plan, status=status, creations=(None,) * lacking)
    held = counts.active + (counts.terminating if job.replace_failed_only else ())
    taken = counts.indexes | {pod.index for pod in held if pod.index is not None}
    free = list(job_indexes.missing(job.completions or 0, taken))
    status["active"] = active + len(free[:lacking])
    return replace(plan, status=status, creations=tuple(free[:lacking]))


def _with_deadline(job: JobFacts, plan: JobPlan, now: float) -> JobPlan:
    if job.active_deadline is None:
        return plan
    left = _seconds_left(job, now)
    left = float(job.active_deadline) if left is None else left
    again = left if plan.look_again is None else min(left, plan.look_again)
    return replace(plan, look_again=again)
