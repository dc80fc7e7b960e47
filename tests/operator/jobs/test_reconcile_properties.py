"""The job's reconciler under random events, crashes and duplicates.

A model of the world around it: workers that answer what was published, in any order and more than
once; an event feed that delivers again what was not acknowledged; an operator that crashes and
starts again from the status that was written last; people who suspend, cancel and ask for retries.
"""

from typing import Any

from dalston_operator.jobs.requests import task_request
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dalston.pipeline import ErrorKind, EventType, TaskEvent, TaskRequest
from dalston.resources import (
    JobPhase,
    PartState,
    Stage,
    StageState,
    TranscriptionJob,
    TranscriptionJobStatus,
)
from tests.operator.jobs.simulation import RETRY, Simulation, dead, failed, started, succeeded
from tests.resources import examples

_RANK = {
    StageState.PENDING: 0,
    StageState.QUEUED: 1,
    StageState.RUNNING: 2,
    StageState.SUCCEEDED: 3,
    StageState.SKIPPED: 3,
    StageState.FAILED: 3,
    StageState.CANCELLED: 3,
}
_AFTER: dict[Stage, set[Stage]] = {
    Stage.PREPARE: set(),
    Stage.TRANSCRIBE: {Stage.PREPARE},
    Stage.ALIGN: {Stage.TRANSCRIBE},
    Stage.DIARIZE: {Stage.PREPARE},
    Stage.DETECT: {Stage.TRANSCRIBE, Stage.ALIGN},
    Stage.REFINE: {Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE, Stage.DETECT},
    Stage.MERGE: {*Stage} - {Stage.MERGE},
}
"""What must have a result, or be skipped, before a stage may start."""

_SPECS: list[dict[str, Any]] = [{}, examples.EVERYTHING, {"speakers": {"mode": "diarize"}}]


class JobUnderFire(RuleBasedStateMachine):
    """`simulation` is the operator's memory; `stored` what the API server has."""

    simulation: Simulation
    stored: TranscriptionJob

    def __init__(self) -> None:
        super().__init__()
        self.open: dict[str, TaskRequest] = {}
        """Published and without an answer."""
        self.answers: dict[str, TaskEvent] = {}
        """What the workers said last; a task that is published again is answered the same."""
        self.feed: list[TaskEvent] = []
        """Events that were sent and not yet handed to the operator."""
        self.unacked: list[TaskEvent] = []
        """Events that were handed over, their effect not yet written."""
        self.retries = 0
        self.parts = 1
        self.likely = "ok"

    @initialize(
        spec=st.sampled_from(_SPECS),
        aligned=st.booleans(),
        parts=st.sampled_from([3, 2, 1, 0]),
        deadline=st.none() | st.none() | st.integers(5, 300),
        likely=st.sampled_from(["ok", "ok", "infra"]),
    )
    def create(
        self, spec: dict[str, Any], aligned: bool, parts: int, deadline: int | None, likely: str
    ) -> None:
        self.parts = parts
        self.likely = likely
        self.simulation = Simulation(
            examples.job(activeDeadlineSeconds=deadline, **spec),
            examples.all_engines(wordTimestamps=not aligned),
        )
        self.stored = self.simulation.job
        self.reconcile()

    # What the operator does.

    def reconcile(self, *events: TaskEvent, after: float = 0.0) -> None:
        before = self.simulation.job
        decision = self.simulation.step(*events, after=after)
        _moved_forward(before, self.simulation.job)
        for request in decision.publish:
            self._publish(before, request)
        if decision.stop:
            self.open.clear()

    def _publish(self, before: TranscriptionJob, request: TaskRequest) -> None:
        simulation, task = self.simulation, str(request.id)
        assert not before.spec.suspend
        for need in _AFTER[request.stage]:
            assert simulation.stage(need).state in (StageState.SUCCEEDED, StageState.SKIPPED)
        assert simulation.part(request.stage, request.part).attempt >= request.attempt
        assert request.attempt < RETRY.max_attempts * (self.retries + 1)
        if task in self.answers:
            self.feed.append(self.answers[task])
        else:
            self.open[task] = request

    @rule(count=st.integers(1, 6), data=st.data())
    def deliver(self, count: int, data: st.DataObject) -> None:
        """Hand events over, in any order."""
        chosen = []
        for _ in range(min(count, len(self.feed))):
            chosen.append(self.feed.pop(data.draw(st.integers(0, len(self.feed) - 1))))
        self.unacked.extend(chosen)
        self.reconcile(*chosen)

    @rule(seconds=st.sampled_from([0.0, 1.0, 5.0, 60.0]))
    def wait(self, seconds: float) -> None:
        self.reconcile(after=seconds)

    @rule()
    def write(self) -> None:
        """The status is written, and what it holds acknowledged."""
        self.stored = self.simulation.job
        self.unacked = list(self.simulation.early)

    @rule()
    def crash(self) -> None:
        """What was not written is forgotten; what was not acknowledged comes again."""
        status = self.stored.status
        self.simulation.job = self.simulation.job.model_copy(update={"status": status})
        self.simulation.early = ()
        self.feed[:0] = self.unacked
        self.unacked.clear()
        self.reconcile()

    @rule()
    def recheck(self) -> None:
        """Tasks in flight are looked for: the store has their result, or the queue has lost them."""
        found = []
        for stage in self.simulation.job.status.stages:
            for part in stage.parts:
                if part.state not in (PartState.QUEUED, PartState.RUNNING):
                    continue
                request = task_request(
                    self.simulation.job,
                    self.simulation.job.status,
                    stage,
                    part,
                    self.simulation.now,
                )
                answer = self.answers.get(str(request.id))
                if answer is not None and answer.type == EventType.SUCCEEDED:
                    found.append(answer)
                else:
                    self.open.setdefault(str(request.id), request)
        self.reconcile(*found)

    # What workers do.

    @precondition(lambda self: self.open)
    @rule(data=st.data(), times=st.integers(1, 2))
    def answer(self, data: st.DataObject, times: int) -> None:
        task = data.draw(st.sampled_from(sorted(self.open)))
        request = self.open.pop(task)
        kind = data.draw(
            st.sampled_from([self.likely] * 7 + ["ok", "started", "infra", "input", "dead"])
        )
        if kind == "started":
            self.open[task] = request
            self.feed.extend([started(request)] * times)
            return
        self.answers[task] = {
            "ok": lambda: succeeded(request, parts=self.parts),
            "infra": lambda: failed(request),
            "input": lambda: failed(request, ErrorKind.INPUT),
            "dead": lambda: dead(request),
        }[kind]()
        self.feed.extend([self.answers[task]] * times)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """An old event comes once more."""
        self.feed.append(self.answers[data.draw(st.sampled_from(sorted(self.answers)))])

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def contradict(self, data: st.DataObject) -> None:
        """A second worker, which was thought lost, answers the same task otherwise."""
        said = self.answers[data.draw(st.sampled_from(sorted(self.answers)))]
        other = EventType.DEAD if said.type != EventType.DEAD else EventType.STARTED
        self.feed.append(said.model_copy(update={"type": other, "error": None, "summary": None}))

    # What people do.

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self._set(suspend=suspend)

    @rule(cancel=st.sampled_from([True, False, False, False]))
    def cancel(self, cancel: bool) -> None:
        self._set(cancel=cancel)

    @precondition(lambda self: self.finished)
    @rule()
    def retry(self) -> None:
        self.write()  # a person sees what is written
        self.retries += 1
        self.simulation.ask_retry(str(self.retries))
        self.reconcile()

    def _set(self, **spec: Any) -> None:
        self.simulation.set(**spec)
        self.reconcile()

    # What holds at any time.

    @property
    def finished(self) -> bool:
        return _finished(self.simulation.job)

    @invariant()
    def each_result_is_used_once(self) -> None:
        for stage in self.simulation.job.status.stages:
            if not stage.parts:
                continue
            spent = sum(part.attempt + 2.0 for part in stage.parts)
            assert (stage.run_seconds or 0.0) <= spent
            done = [part for part in stage.parts if part.state == PartState.SUCCEEDED]
            assert stage.parts_done == len(done) <= max(stage.parts_total, 1)
            for part in done:
                task = (
                    f"{self.simulation.job.metadata.uid}/{stage.name}/{part.index}/{part.attempt}"
                )
                assert self.answers[task].type == EventType.SUCCEEDED

    @invariant()
    def status_can_be_written(self) -> None:
        status = self.simulation.job.status
        wire = status.to_wire()
        assert TranscriptionJobStatus.model_validate(wire).to_wire() == wire
        assert len(status.warnings) <= 64
        assert 0 <= status.progress <= 100

    def teardown(self) -> None:
        """Left alone, with every published task answered well or badly, the job ends."""
        if not hasattr(self, "simulation"):
            return
        self._set(suspend=False)
        for _ in range(200):
            if self.finished:
                return
            for task, request in self.open.items():
                good = self.likely == "ok"
                answer = succeeded(request, parts=self.parts) if good else failed(request)
                self.answers[task] = answer
                self.feed.append(answer)
            self.open.clear()
            events, self.feed = self.feed, []
            self.reconcile(*events, after=10.0)
            self.recheck()
        raise AssertionError(f"never ends: {self.simulation.job.status}")


def _moved_forward(before: TranscriptionJob, after: TranscriptionJob) -> None:
    old, new = before.status, after.status
    retried = old.retry != new.retry
    if _finished(before) and not retried:
        assert new.model_copy(update={"observed_generation": 0}) == old.model_copy(
            update={"observed_generation": 0}
        )
        return
    for was, now in zip(old.stages, new.stages, strict=False):
        assert (was.name, was.engine) == (now.name, now.engine)
        if was.state in (StageState.SUCCEEDED, StageState.SKIPPED):
            assert now.state == was.state
        elif not retried:
            assert _RANK[now.state] >= _RANK[was.state]
        assert now.parts_done >= was.parts_done
        for part, later in zip(was.parts, now.parts, strict=False):
            assert later.attempt >= part.attempt
            if part.state == PartState.SUCCEEDED:
                assert later == part
    if not retried:
        assert new.progress >= old.progress


def _finished(job: TranscriptionJob) -> bool:
    return job.status.phase is not None and JobPhase(job.status.phase).finished


TestJobUnderFire = JobUnderFire.TestCase
TestJobUnderFire.settings = settings(
    max_examples=200,
    stateful_step_count=40,
    deadline=None,
    report_multiple_bugs=False,
    print_blob=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
