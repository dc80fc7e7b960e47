"""The decisions about Jobs, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from dalston.localkube.controllers import job_indexes
from dalston.localkube.controllers.conditions import merge_patch
from dalston.localkube.controllers.job_decision import GONE, Backoff, JobPlan, decide
from dalston.localkube.controllers.job_facts import JobFacts
from dalston.localkube.controllers.pods import ContainerExit, PodFacts
from dalston.localkube.controllers.times import stamp

NOW = 1_800_000_000.0
BACKOFF = Backoff(10.0, 600.0)


def running(name: str, **facts: Any) -> PodFacts:
    return PodFacts(name, f"uid-{name}", phase="Running", bound=True, **facts)


def failed(name: str, *, ago: float = 100.0, code: int = 1, **facts: Any) -> PodFacts:
    exits = (ContainerExit("main", code),)
    return PodFacts(
        name, f"uid-{name}", phase="Failed", finished_at=NOW - ago, exits=exits, **facts
    )


def succeeded(name: str, *, ago: float = 100.0, **facts: Any) -> PodFacts:
    return PodFacts(name, f"uid-{name}", phase="Succeeded", finished_at=NOW - ago, **facts)


def plan(job: JobFacts, *pods: PodFacts, gone: dict[str, bool] | None = None) -> JobPlan:
    return decide(job, pods, gone=gone or {}, namespace="default", backoff=BACKOFF, now=NOW)


def types(plan: JobPlan) -> dict[str, str]:
    return {entry["type"]: entry.get("reason", "") for entry in plan.status.get("conditions", ())}


STARTED = {"startTime": stamp(NOW - 1000)}
JOB = JobFacts("job", "uid", status=STARTED)


@pytest.mark.parametrize(
    ("failures", "pause"), [(0, 0.0), (1, 10.0), (2, 20.0), (4, 80.0), (40, 600.0)]
)
def test_backoff_doubles_up_to_its_limit(failures: int, pause: float) -> None:
    assert BACKOFF.after(failures) == pause


def test_replacement_waits_for_the_backoff() -> None:
    found = plan(JOB, failed("a", ago=50), failed("b", ago=5))
    assert not found.creations
    assert found.look_again == pytest.approx(15)


def test_success_ends_the_row_of_failures() -> None:
    job = JobFacts("job", "uid", completions=3, status=STARTED)
    found = plan(job, failed("a", ago=50), succeeded("b", ago=5))
    assert found.creations == (None,)


def test_disruption_is_replaced_at_once() -> None:
    rules = ({"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},)
    job = JobFacts("job", "uid", backoff_limit=0, failure_rules=rules, status=STARTED)
    found = plan(job, failed("a", ago=0, conditions=(("DisruptionTarget", "True"),)))
    assert found.creations == (None,)
    assert "failed" not in found.status


@pytest.mark.parametrize(
    ("operator", "values", "matches"),
    [("In", [1, 2], True), ("In", [2], False), ("NotIn", [2], True), ("NotIn", [1], False)],
)
def test_exit_codes_match_by_operator(operator: str, values: list[int], matches: bool) -> None:
    rules = ({"action": "FailJob", "onExitCodes": {"operator": operator, "values": values}},)
    job = JobFacts("job", "uid", failure_rules=rules, status=STARTED)
    assert ("Failed" in types(plan(job, failed("a", code=1)))) is matches


def test_failed_job_ends_its_pods_before_it_is_failed() -> None:
    job = JobFacts("job", "uid", parallelism=2, completions=2, backoff_limit=0, status=STARTED)
    first = plan(job, failed("a"), running("b"))
    assert types(first) == {"FailureTarget": "BackoffLimitExceeded"}
    assert [entry.pod.name for entry in first.deletions] == ["b"]
    job = JobFacts("job", "uid", backoff_limit=0, status=first.status)
    second = plan(job, failed("a"), gone={"uid-b": False})
    assert types(second)["Failed"] == "BackoffLimitExceeded"
    assert second.status["failed"] == 2


def test_terminating_pod_is_replaced_at_once_by_default() -> None:
    found = plan(JOB, running("a", deleting=True))
    assert found.creations == (None,)
    assert found.status["failed"] == 1


def test_replacement_waits_for_terminating_pods_when_told_to() -> None:
    job = JobFacts("job", "uid", replace_failed_only=True, status=STARTED)
    found = plan(job, running("a", deleting=True))
    assert found.creations == ()
    assert "failed" not in found.status


def test_vanished_pods_stay_counted() -> None:
    written = {**STARTED, GONE: {"failed": ["x"], "succeeded": ["y"]}}
    job = JobFacts("job", "uid", completions=3, parallelism=3, status=written)
    found = plan(job, gone={"z": False})
    assert found.status["failed"] == 2
    assert found.status["succeeded"] == 1
    assert len(found.creations) == 2


def test_lower_parallelism_ends_pods_without_counting_them() -> None:
    job = JobFacts("job", "uid", completions=5, parallelism=1, status=STARTED)
    found = plan(job, running("a", ready=True, created_at=1), running("b", created_at=2))
    assert [(entry.pod.name, entry.counted) for entry in found.deletions] == [("b", False)]


def test_work_queue_job_starts_no_pods_after_the_first_success() -> None:
    job = JobFacts("job", "uid", completions=None, parallelism=3, status=STARTED)
    found = plan(job, succeeded("a"), running("b"))
    assert not found.creations
    assert "Complete" not in types(found)
    assert "Complete" in types(plan(job, succeeded("a"), succeeded("b")))


def test_deadline_counts_from_the_start() -> None:
    job = JobFacts("job", "uid", active_deadline=999, status=STARTED)
    assert types(plan(job, running("a"))) == {"FailureTarget": "DeadlineExceeded"}
    job = JobFacts("job", "uid", active_deadline=1030, status=STARTED)
    assert plan(job, running("a")).look_again == pytest.approx(30)


def test_ttl_counts_from_the_end() -> None:
    ended = {"type": "Complete", "status": "True", "lastTransitionTime": stamp(NOW - 10)}
    job = JobFacts("job", "uid", ttl=60, status={"conditions": [ended]})
    assert plan(job).look_again == pytest.approx(50)
    job = JobFacts("job", "uid", ttl=5, status={"conditions": [ended]})
    assert plan(job).expired


def test_finished_job_is_left_alone() -> None:
    ended = {"type": "Failed", "status": "True", "lastTransitionTime": stamp(NOW)}
    job = JobFacts("job", "uid", status={"conditions": [ended]})
    assert plan(job, succeeded("a")) == JobPlan(status=job.status)


def test_indexed_job_runs_the_lowest_missing_indexes() -> None:
    job = JobFacts(
        "job",
        "uid",
        completions=5,
        parallelism=2,
        indexed=True,
        status={**STARTED, "completedIndexes": "0"},
    )
    found = plan(job, succeeded("b", index=2), running("c", index=1))
    assert found.creations == (3,)
    assert found.status["completedIndexes"] == "0,2"


@pytest.mark.parametrize("indexes", [set(), {0}, {0, 1, 2, 5}, {3, 4, 9}])
def test_indexes_survive_their_notation(indexes: set[int]) -> None:
    assert job_indexes.expand(job_indexes.compress(indexes)) == indexes


def test_merge_patch_removes_what_is_gone() -> None:
    assert merge_patch({"a": 1, "b": 2}, {"b": 3}) == {"a": None, "b": 3}
