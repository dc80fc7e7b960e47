"""The job's reconciler: order of the stages, retries, ends, suspend, cancel, retry on request."""

from datetime import timedelta
from typing import Any

import pytest

from dalston.pipeline import ErrorKind, StageSummary
from dalston.resources import JobPhase, PartState, Stage, StageState
from dalston.resources.conditions import ConditionStatus, find_condition
from dalston.resources.transcription_status import MAX_PARTS
from tests.operator.jobs.simulation import Simulation, dead, failed, started, succeeded
from tests.resources import examples

T, P, M = Stage.TRANSCRIBE, Stage.PREPARE, Stage.MERGE


def _condition(simulation: Simulation, type: str) -> tuple[str, str, str]:
    condition = find_condition(simulation.job.status.conditions, type)
    assert condition is not None
    return condition.status, condition.reason, condition.message


def _at(stage: Stage, *, parts: int = 1, **spec: Any) -> Simulation:
    """A job whose stage has just been published."""
    simulation = Simulation(examples.job(**spec))
    simulation.finish(until=stage, parts=parts)
    return simulation


def test_stages_are_published_one_after_the_other() -> None:
    simulation = Simulation(examples.job())
    simulation.finish()
    assert [task.stage for task in simulation.published] == [P, T, M]
    assert simulation.job.status.phase == JobPhase.SUCCEEDED


def test_all_seven_stages_run_and_diarize_beside_the_text() -> None:
    engines = examples.all_engines(wordTimestamps=False)
    simulation = Simulation(examples.job(**examples.EVERYTHING), engines)
    rounds = []
    simulation.step()
    while simulation.last.publish:
        rounds.append([str(task.stage) for task in simulation.last.publish])
        simulation.step(*map(succeeded, simulation.last.publish))
    assert rounds == [
        ["prepare"],
        ["transcribe", "diarize"],
        ["align"],
        ["detect"],
        ["refine"],
        ["merge"],
    ]


def test_skipped_stages_say_why() -> None:
    simulation = Simulation(examples.job())
    simulation.step()
    skipped = {
        str(stage.name): stage.message
        for stage in simulation.job.status.stages
        if stage.state == StageState.SKIPPED
    }
    assert skipped == {
        "align": "any-transcribe gives word times",
        "diarize": "speakers.mode is not diarize",
        "detect": "nothing to detect was asked for",
        "refine": "no refinement was asked for",
    }


def test_parts_fan_out_and_join() -> None:
    simulation = _at(T, parts=3)
    assert simulation.tasks() == ["transcribe/0/0", "transcribe/1/0", "transcribe/2/0"]
    assert [task.audio_seconds for task in simulation.last.publish] == [10.0] * 3
    first, second, third = simulation.last.publish
    assert simulation.step(succeeded(second)).publish == ()
    assert simulation.stage(T).parts_done == 1
    assert simulation.step(succeeded(first)).publish == ()
    assert [task.stage for task in simulation.step(succeeded(third)).publish] == [M]


def test_merge_gets_the_results_of_all_parts_in_order() -> None:
    simulation = _at(T, parts=2)
    first, second = simulation.last.publish
    simulation.step(succeeded(second))
    simulation.step(failed(first))
    (again,) = simulation.step(after=2.0).publish
    (merge,) = simulation.step(succeeded(again)).publish
    assert merge.inputs[T] == (
        "jobs/uid-job/transcribe/0/1/manifest.json",
        "jobs/uid-job/transcribe/1/0/manifest.json",
    )
    assert merge.inputs[P] == ("jobs/uid-job/prepare/0/0/manifest.json",)


def test_recording_without_parts_gets_one_task() -> None:
    simulation = Simulation(examples.job())
    (prepare,) = simulation.step().publish
    simulation.step(succeeded(prepare, parts=0))
    assert simulation.tasks() == ["transcribe/0/0"]


def test_more_parts_than_allowed_fail_the_job_rather_than_lose_speech() -> None:
    simulation = Simulation(examples.job())
    (prepare,) = simulation.step().publish
    simulation.step(succeeded(prepare, parts=MAX_PARTS + 1))
    failure = simulation.job.status.failure
    assert failure is not None
    assert (simulation.job.status.phase, failure.code) == (JobPhase.FAILED, "InvalidResult")


def test_merge_without_transcript_fails_the_job() -> None:
    simulation = _at(M)
    simulation.step(succeeded(simulation.last.publish[0], transcript=None))
    failure = simulation.job.status.failure
    assert failure is not None
    assert (simulation.job.status.phase, failure.code) == (JobPhase.FAILED, "InvalidResult")


def test_transcript_is_described() -> None:
    simulation = _at(M, parts=2)
    simulation.step(succeeded(simulation.last.publish[0], speakers=2))
    status = simulation.job.status
    assert status.transcript is not None
    assert status.transcript.model_dump() == {
        "artifact": "jobs/uid-job/t.json",
        "language": "en",
        "words": 7,
        "speakers": 2,
    }
    assert (status.duration_seconds, status.progress, status.phase) == (20.0, 100, "Succeeded")
    assert [stage.parts for stage in status.stages] == [[]] * 7


def test_stage_times_add_up_over_its_parts() -> None:
    simulation = _at(T, parts=2)
    simulation.step(*map(succeeded, simulation.last.publish))
    stage = simulation.stage(T)
    assert (stage.queue_seconds, stage.run_seconds, stage.parts_done) == (1.0, 4.0, 2)


def test_progress_grows_with_the_parts() -> None:
    simulation = _at(T, parts=4)
    seen = [simulation.job.status.progress]
    for task in simulation.last.publish:
        simulation.step(succeeded(task))
        seen.append(simulation.job.status.progress)
    assert seen == sorted(set(seen))
    assert seen[-1] < 100


def test_infrastructure_failure_is_retried_after_a_growing_pause() -> None:
    simulation = _at(T)
    pauses = []
    for attempt in range(2):
        decision = simulation.step(failed(simulation.published[-1]))
        assert decision.publish == ()
        assert simulation.part(T).state == PartState.BACKOFF
        assert decision.wake_at is not None
        pauses.append((decision.wake_at - simulation.now).total_seconds())
        assert simulation.step(after=pauses[-1] - 0.1).publish == ()
        simulation.step(after=0.1)
        assert simulation.tasks() == [f"transcribe/0/{attempt + 1}"]
    assert pauses == [2.0, 4.0]
    simulation.step(failed(simulation.published[-1]))
    assert (simulation.job.status.phase, simulation.stage(T).attempt) == (JobPhase.FAILED, 2)


def test_failure_of_the_last_attempt_tells_what_happened() -> None:
    simulation = _at(T)
    for pause in (2.0, 4.0, 8.0):
        simulation.step(failed(simulation.published[-1]))
        simulation.step(after=pause)
    assert _condition(simulation, "Succeeded") == (
        "False",
        "StageFailed",
        "transcribe: no memory",
    )
    assert simulation.stage(T).message == "Crashed: no memory"
    assert simulation.stage(M).state == StageState.CANCELLED


def test_input_fault_ends_the_job_at_once() -> None:
    simulation = _at(P)
    decision = simulation.step(
        failed(simulation.published[-1], ErrorKind.INPUT, code="Undecodable", message="no audio")
    )
    failure = decision.status.failure
    assert failure is not None
    assert (failure.stage, failure.code, failure.input_fault) == (P, "Undecodable", True)
    assert (decision.stop, decision.publish) == (True, ())
    assert _condition(simulation, "Succeeded") == ("False", "InputRejected", "prepare: no audio")


def test_dead_letter_ends_the_job() -> None:
    simulation = _at(T, parts=2)
    simulation.step(dead(simulation.last.publish[1]))
    failure = simulation.job.status.failure
    assert failure is not None
    assert (failure.code, failure.input_fault) == ("DeadLettered", False)
    assert failure.message.startswith("part 1 was delivered as often as allowed")


def test_long_error_texts_are_cut_to_what_a_status_holds() -> None:
    simulation = _at(T)
    event = failed(simulation.last.publish[0], code="C" * 5000, message="m" * 5000)
    simulation.step(event)
    assert len(simulation.stage(T).message) <= 4096
    for _ in range(2):
        (task,) = simulation.step(after=60.0).publish
        simulation.step(event.model_copy(update={"attempt": task.attempt}))
    failure = simulation.job.status.failure
    assert failure is not None
    assert (len(failure.code), len(failure.message) <= 4096) == (64, True)


def test_warnings_are_kept_once_and_bounded() -> None:
    simulation = _at(T, parts=2)
    long = "w" * 2000
    summaries = [StageSummary(warnings=(long, *map(str, range(100)))) for _ in range(2)]
    simulation.step(
        *(
            succeeded(task).model_copy(update={"summary": summary})
            for task, summary in zip(simulation.last.publish, summaries, strict=True)
        )
    )
    warnings = simulation.job.status.warnings
    assert (len(warnings), len(warnings[0]), warnings.count(long[:1024])) == (64, 1024, 1)


def test_deadline_fails_the_job_and_is_waited_for() -> None:
    simulation = _at(T, activeDeadlineSeconds=60)
    assert simulation.last.wake_at == examples.NOW + timedelta(seconds=60)
    assert simulation.step(after=59.0).status.phase != JobPhase.FAILED
    decision = simulation.step(after=1.0)
    assert decision.stop
    assert _condition(simulation, "Succeeded") == (
        "False",
        "DeadlineExceeded",
        "not finished within 60 s",
    )


def test_suspended_job_publishes_nothing_until_it_is_resumed() -> None:
    simulation = Simulation(examples.job(suspend=True))
    assert simulation.step().publish == ()
    assert simulation.job.status.phase == JobPhase.SUSPENDED
    assert _condition(simulation, "Suspended")[:2] == ("True", "Suspended")
    simulation.set(suspend=False)
    simulation.step()
    assert simulation.tasks() == ["prepare/0/0"]
    assert _condition(simulation, "Suspended")[:2] == ("False", "Resumed")


def test_running_task_of_a_suspended_job_finishes() -> None:
    simulation = _at(T)
    simulation.step(started(simulation.published[-1]))
    simulation.set(suspend=True)
    assert simulation.step().status.phase == JobPhase.RUNNING
    assert simulation.step(succeeded(simulation.published[-1])).publish == ()
    assert simulation.job.status.phase == JobPhase.SUSPENDED
    simulation.set(suspend=False)
    assert [task.stage for task in simulation.step().publish] == [M]


def test_suspended_job_does_not_wake_up_for_a_retry_that_may_not_go_out() -> None:
    simulation = _at(T)
    simulation.set(suspend=True)
    simulation.step(failed(simulation.published[-1]))
    assert simulation.step(after=3.0).wake_at is None
    simulation.set(suspend=False)
    simulation.step()
    assert simulation.tasks() == ["transcribe/0/1"]


def test_cancelled_job_stops() -> None:
    simulation = _at(T)
    simulation.set(cancel=True)
    decision = simulation.step()
    assert (decision.stop, decision.status.phase) == (True, JobPhase.CANCELLED)
    assert simulation.stage(T).state == StageState.CANCELLED
    assert _condition(simulation, "Succeeded")[:2] == ("False", "Cancelled")


def test_result_that_is_there_wins_over_the_cancel() -> None:
    simulation = _at(M)
    simulation.set(cancel=True)
    assert simulation.step(succeeded(simulation.published[-1])).status.phase == JobPhase.SUCCEEDED


@pytest.mark.parametrize("make", [started, succeeded, failed, dead])
def test_events_of_a_finished_job_change_nothing(make: object) -> None:
    simulation = Simulation(examples.job())
    simulation.finish()
    before = simulation.job.status
    assert callable(make)
    decision = simulation.step(*(make(task) for task in simulation.published), after=9.0)
    assert (decision.status, decision.publish) == (before, ())


@pytest.mark.parametrize("make", [started, succeeded, failed, dead])
def test_duplicate_and_late_events_change_nothing(make: object) -> None:
    simulation = _at(T, parts=2)
    first = simulation.last.publish[0]
    simulation.step(succeeded(first))
    before = simulation.job.status
    assert callable(make)
    decision = simulation.step(make(first))
    assert (decision.status, decision.publish) == (before, ())


def test_events_of_an_earlier_attempt_change_nothing() -> None:
    simulation = _at(T)
    first = simulation.published[-1]
    simulation.step(failed(first))
    simulation.step(after=2.0)
    before = simulation.job.status
    decision = simulation.step(succeeded(first), failed(first), started(first), dead(first))
    assert (decision.status, decision.publish) == (before, ())


def test_events_that_come_before_the_lost_status_is_made_again_count() -> None:
    lived = Simulation(examples.job())
    lived.finish(until=M)
    reborn = Simulation(examples.job())
    reborn.step(*map(succeeded, lived.published[:2]))
    assert [task.stage for task in reborn.published] == [P, T, M]


def test_event_that_comes_before_those_it_builds_on_is_kept_for_them() -> None:
    lived = Simulation(examples.job())
    lived.finish(until=M)
    prepared, transcribed = map(succeeded, lived.published[:2])
    reborn = Simulation(examples.job())
    assert reborn.step(transcribed).early == (transcribed,)
    assert reborn.step(prepared).early == ()
    assert reborn.published[-1].stage == M


def test_event_of_a_part_that_there_is_not_is_dropped() -> None:
    simulation = _at(T, parts=2)
    task = simulation.published[-1].model_copy(update={"part": 9})
    before = simulation.job.status
    decision = simulation.step(succeeded(task))
    assert (decision.status, decision.early) == (before, ())


def test_event_of_a_later_attempt_proves_that_it_was_published() -> None:
    lived = _at(T)
    before_the_failure = lived.job
    lived.step(failed(lived.published[-1]))
    (second,) = lived.step(after=2.0).publish
    reborn = Simulation(before_the_failure)
    reborn.step(failed(lived.published[1]), succeeded(second))
    assert [str(task.id) for task in reborn.published] == ["uid-job/merge/0/0"]


def test_rejected_job_is_not_accepted_and_says_what_is_missing() -> None:
    simulation = Simulation(examples.job(), engines=[examples.offering(P)])
    decision = simulation.step()
    assert (decision.publish, decision.stop) == ((), True)
    status, reason, message = _condition(simulation, "Accepted")
    assert (status, reason) == ("False", "NoEngine")
    assert "no engine offers it" in message
    assert _condition(simulation, "Succeeded")[:2] == ("False", "NoEngine")


def test_conditions_follow_the_work() -> None:
    simulation = _at(T, parts=2)
    assert _condition(simulation, "Accepted")[:2] == ("True", "Accepted")
    assert _condition(simulation, "Running") == (
        "False",
        "WaitingForWorker",
        "transcribe waits for a worker of any-transcribe",
    )
    first = simulation.published[-2]
    simulation.step(started(first), succeeded(first), started(simulation.published[-1]))
    assert _condition(simulation, "Running") == ("True", "StageRunning", "transcribe 1/2")
    assert _condition(simulation, "Succeeded")[:2] == ("Unknown", "InProgress")


def test_transition_times_move_only_with_the_status() -> None:
    simulation = Simulation(examples.job())
    simulation.step()
    before = find_condition(simulation.job.status.conditions, "Accepted")
    simulation.step(started(simulation.published[0]), after=5.0)
    running = find_condition(simulation.job.status.conditions, "Running")
    assert find_condition(simulation.job.status.conditions, "Accepted") == before
    assert running is not None
    assert running.last_transition_time == simulation.now
    assert running.status == ConditionStatus.TRUE


def test_retry_on_request_runs_only_what_failed() -> None:
    simulation = _at(T, parts=2)
    first, second = simulation.last.publish
    simulation.step(succeeded(first))
    simulation.step(dead(second))
    simulation.ask_retry("one")
    decision = simulation.step(after=100.0)
    assert simulation.tasks() == ["transcribe/1/3"]
    assert (decision.status.phase, decision.status.failure) == (JobPhase.RUNNING, None)
    assert decision.status.accepted_at == simulation.now
    simulation.step(succeeded(decision.publish[0]))
    simulation.step(succeeded(simulation.published[-1]))
    assert simulation.job.status.phase == JobPhase.SUCCEEDED


def test_retry_on_request_gives_as_many_attempts_again() -> None:
    simulation = _at(T)
    simulation.step(failed(simulation.published[-1], ErrorKind.INPUT))
    simulation.ask_retry("one")
    simulation.step()
    attempts = []
    while simulation.job.status.phase != JobPhase.FAILED:
        attempts.append(simulation.published[-1].attempt)
        simulation.step(failed(simulation.published[-1]))
        simulation.step(after=10.0)
    assert attempts == [3, 4, 5]


def test_retry_counts_once_for_each_value() -> None:
    simulation = _at(T)
    simulation.step(dead(simulation.published[-1]))
    simulation.ask_retry("one")
    simulation.step()
    simulation.step(dead(simulation.published[-1]))
    assert simulation.step().publish == ()
    simulation.ask_retry("x" * 5000)
    assert len(simulation.step().publish) == 1
    simulation.step(dead(simulation.published[-1]))
    assert simulation.step().publish == ()
    assert len(simulation.job.status.retry or "") == 256


def test_retry_of_a_rejected_job_plans_it_anew() -> None:
    simulation = Simulation(examples.job(), engines=[])
    simulation.step()
    simulation.engines = examples.all_engines()
    simulation.ask_retry("now")
    simulation.step()
    assert simulation.tasks() == ["prepare/0/0"]
    assert _condition(simulation, "Accepted")[:2] == ("True", "Accepted")


@pytest.mark.parametrize("cancel", [True, False])
def test_cancelled_job_can_be_retried_once_it_is_no_longer_cancelled(cancel: bool) -> None:
    simulation = _at(T)
    simulation.set(cancel=True)
    simulation.step()
    simulation.set(cancel=cancel)
    simulation.ask_retry("one")
    assert bool(simulation.step().publish) is not cancel


def test_retry_of_a_job_that_succeeded_changes_nothing() -> None:
    simulation = Simulation(examples.job())
    simulation.finish()
    before = simulation.job.status
    simulation.ask_retry("again")
    assert simulation.step().status == before


def test_requests_carry_what_engines_need() -> None:
    chosen = {"stage": "transcribe", "engine": "any-transcribe"}
    simulation = _at(T, language="en", engines=[chosen])
    (task,) = simulation.last.publish
    assert (task.engine, task.options.language) == ("any-transcribe", "en")
    assert task.engines == {stage: f"any-{stage}" for stage in (P, T, M)}
    assert not hasattr(task.options, "source")
