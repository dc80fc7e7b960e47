"""A job with its reconciler, driven by hand: events are made of the tasks that were published."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dalston_operator.jobs.folding import RetryPolicy
from dalston_operator.jobs.reconcile import Decision, Observed, reconcile

from dalston.pipeline import ErrorKind, EventType, StageSummary, TaskError, TaskEvent, TaskRequest
from dalston.resources import Engine, PartStatus, Stage, StageStatus, TranscriptionJob
from dalston.resources.meta import RETRY_ANNOTATION
from tests.resources import examples

RETRY = RetryPolicy(max_attempts=3, backoff_seconds=2.0)


@dataclass
class Simulation:
    """One job over time; `published` are all task requests so far."""

    job: TranscriptionJob
    engines: Sequence[Engine] = field(default_factory=examples.all_engines)
    now: datetime = examples.NOW
    published: list[TaskRequest] = field(default_factory=list)
    early: tuple[TaskEvent, ...] = ()
    last: Decision = field(init=False)

    def step(self, *events: TaskEvent, after: float = 0.0) -> Decision:
        """Let time pass, reconcile with those events, and keep the status."""
        self.now += timedelta(seconds=after)
        given = (*self.early, *events)
        self.last = reconcile(Observed(self.job, self.engines, given, self.now, RETRY))
        self.early = self.last.early
        self.job = self.job.model_copy(update={"status": self.last.status})
        self.published.extend(self.last.publish)
        return self.last

    def set(self, **spec: Any) -> None:
        """Change the spec."""
        spec_now = self.job.spec.model_copy(update=spec)
        meta = self.job.metadata.model_copy(update={"generation": self.job.metadata.generation + 1})
        self.job = self.job.model_copy(update={"spec": spec_now, "metadata": meta})

    def ask_retry(self, token: str) -> None:
        """Annotate the job."""
        meta = self.job.metadata.model_copy(update={"annotations": {RETRY_ANNOTATION: token}})
        self.job = self.job.model_copy(update={"metadata": meta})

    def stage(self, name: Stage) -> StageStatus:
        """The status of a stage."""
        return next(stage for stage in self.job.status.stages if stage.name == name)

    def part(self, name: Stage, index: int = 0) -> PartStatus:
        """The status of one of its parts."""
        return self.stage(name).parts[index]

    def tasks(self) -> list[str]:
        """The tasks that the last step published, without the job's uid."""
        return [str(request.id).split("/", 1)[1] for request in self.last.publish]

    def finish(self, *, until: Stage | None = None, parts: int = 1) -> None:
        """Answer every task with success until nothing is published, or that stage is."""
        self.step()
        while self.last.publish and all(task.stage != until for task in self.last.publish):
            self.step(*(succeeded(task, parts=parts) for task in self.last.publish))


def started(task: TaskRequest) -> TaskEvent:
    """A worker took up the task."""
    return _event(EventType.STARTED, task)


def succeeded(task: TaskRequest, *, parts: int = 1, **summary: Any) -> TaskEvent:
    """The task has a result; PREPARE's has that many parts of 10 s."""
    if task.stage == Stage.PREPARE:
        summary = {"duration_seconds": 10.0 * parts, "parts": (10.0,) * parts, **summary}
    if task.stage == Stage.MERGE:
        summary = {"transcript": f"jobs/{task.job}/t.json", "language": "en", "words": 7, **summary}
    return _event(
        EventType.SUCCEEDED,
        task,
        queue_seconds=0.5,
        run_seconds=2.0,
        summary=StageSummary(**summary),
    )


def failed(
    task: TaskRequest, kind: ErrorKind = ErrorKind.INFRASTRUCTURE, **error: Any
) -> TaskEvent:
    """The attempt failed."""
    given = TaskError(kind=kind, **{"code": "Crashed", "message": "no memory", **error})
    return _event(EventType.FAILED, task, error=given, run_seconds=1.0)


def dead(task: TaskRequest) -> TaskEvent:
    """The task was delivered as often as allowed."""
    return _event(EventType.DEAD, task)


def _event(type: EventType, task: TaskRequest, **fields: Any) -> TaskEvent:
    return TaskEvent(
        type=type,
        job=task.job,
        stage=task.stage,
        part=task.part,
        attempt=task.attempt,
        at=examples.NOW,
        **fields,
    )
