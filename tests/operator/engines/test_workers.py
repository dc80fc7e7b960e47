"""What the operator reads from worker Jobs and their pods."""

from typing import Any

import pytest
from dalston_operator.engines.render import WorkerEnvironment, worker_job
from dalston_operator.engines.workers import JobView, PodView, view_job, view_pod, workers_of

from dalston.resources import Stage
from tests.resources.examples import engine

_LABELS = {"dalston.io/engine": "echo", "batch.kubernetes.io/job-name": "echo-worker-0"}


def _job(*, index: int = 0, kept: bool = False, **status: Any) -> JobView:
    rendered = worker_job(engine("echo", Stage.MERGE), WorkerEnvironment(), index=index, kept=kept)
    return view_job({**rendered, "status": status})


def _ended(type: str, **fields: str) -> dict[str, Any]:
    condition = {"type": type, "status": "True", "lastTransitionTime": "2026-01-01T12:00:00Z"}
    return {"conditions": [condition | fields]}


def _pod(*containers: dict[str, Any], conditions: list[dict[str, str]] | None = None) -> PodView:
    states = [{"state": state} for state in containers]
    status = {"containerStatuses": states, "conditions": conditions or []}
    return view_pod({"metadata": {"name": "p", "labels": _LABELS}, "status": status})


def test_rendered_job_is_read_back() -> None:
    view = _job(index=3, kept=True)
    assert (view.name, view.engine, view.index, view.kept) == ("echo-worker-3", "echo", 3, True)
    assert (view.finished, view.owner_job, len(view.revision)) == (False, None, 16)


@pytest.mark.parametrize(("type", "failed"), [("Complete", False), ("Failed", True)])
def test_end_of_a_job_is_read(type: str, failed: bool) -> None:
    view = _job(**_ended(type, reason="BackoffLimitExceeded", message="too often"))
    assert (view.finished, view.failed) == (True, failed)
    assert view.problem == ("BackoffLimitExceeded: too often" if failed else "")
    assert view.finished_at is not None


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"running": {}}, ""),
        ({"waiting": {"reason": "ContainerCreating"}}, ""),
        ({"waiting": {"reason": "ErrImagePull", "message": "no image"}}, "ErrImagePull: no image"),
        ({"terminated": {"exitCode": 0, "reason": "Completed"}}, ""),
        ({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}, "OOMKilled: exit code 137"),
        (
            {"terminated": {"exitCode": 1, "reason": "Error", "message": "no model\n"}},
            "Error: exit code 1: no model",
        ),
    ],
)
def test_problem_of_a_pod_is_told(state: dict[str, Any], problem: str) -> None:
    assert _pod(state).problem == problem


def test_pod_that_fits_nowhere_says_so() -> None:
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: no nvidia.com/gpu",
    }
    expected = "Unschedulable: 0/3 nodes are available: no nvidia.com/gpu"
    assert _pod(conditions=[condition]).problem == expected


def test_readiness_is_that_of_the_pod() -> None:
    ready = _pod({"running": {}}, conditions=[{"type": "Ready", "status": "True"}])
    (worker,) = workers_of("echo", [_job()], {"echo-worker-0": ready})
    assert (worker.ready, worker.problem) == (True, "")


def test_pod_that_is_going_is_not_ready() -> None:
    metadata = {"name": "p", "labels": _LABELS, "deletionTimestamp": "2026-01-01T12:00:00Z"}
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    assert not view_pod({"metadata": metadata, "status": status}).ready


def test_failed_worker_tells_what_its_pod_said() -> None:
    pod = _pod({"terminated": {"exitCode": 1, "reason": "Error", "message": "no model"}})
    (worker,) = workers_of("echo", [_job(**_ended("Failed"))], {"echo-worker-0": pod})
    assert (worker.failed, worker.problem) == (True, "Error: exit code 1: no model")


def test_worker_that_ended_well_has_no_problem() -> None:
    pod = _pod({"terminated": {"exitCode": 1, "reason": "Error"}})
    (worker,) = workers_of("echo", [_job(**_ended("Complete"))], {"echo-worker-0": pod})
    assert worker.problem == ""


def test_workers_are_those_of_the_engine_in_the_order_of_their_numbers() -> None:
    jobs = [_job(index=2), _job(index=0)]
    assert [worker.index for worker in workers_of("echo", jobs, {})] == [0, 2]
    assert workers_of("other", jobs, {}) == []
