"""How many workers an engine gets, and what its status says."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from dalston_operator.engines.scale import Load, Refusal, Worker, WorkerPlan, describe, plan_workers

from dalston.resources import Stage
from dalston.resources.conditions import find_condition
from dalston.resources.reasons import EngineReason
from tests.resources.examples import NOW, engine

CURRENT = "rev-1"


def _worker(index: int, **fields: Any) -> Worker:
    values = {"revision": CURRENT, "kept": False, "ready": True, **fields}
    return Worker(name=f"w-{index}", index=index, **values)


def _failed(index: int, *, ago: float = 0.0) -> Worker:
    at = NOW - timedelta(seconds=ago)
    return _worker(index, finished=True, failed=True, finished_at=at, ready=False)


def _plan(load: Load, workers: Sequence[Worker] = (), **limits: int) -> WorkerPlan:
    return plan_workers(
        engine("echo", Stage.MERGE, workers={"max": 4, **limits}),
        load,
        workers,
        revision=CURRENT,
        now=NOW,
        backoff_limit=60.0,
    )


@pytest.mark.parametrize(
    ("queued", "running", "limits", "existing", "created"),
    [
        (0, 0, {}, 0, 0),
        (1, 0, {}, 0, 1),
        (3, 0, {}, 0, 3),
        (9, 0, {}, 0, 4),
        (9, 0, {"concurrency": 4}, 0, 3),
        (1, 2, {}, 2, 1),
        (9, 4, {}, 4, 0),
        (0, 0, {}, 2, 0),
        (0, 0, {"min": 2}, 0, 2),
        (1, 0, {"min": 2}, 2, 0),
        (5, 0, {"min": 2}, 2, 2),
    ],
)
def test_workers_follow_the_backlog_within_the_limits(
    queued: int, running: int, limits: dict[str, int], existing: int, created: int
) -> None:
    workers = [_worker(index) for index in range(existing)]
    plan = _plan(Load(queued, running), workers, **limits)
    assert (len(plan.create), plan.delete) == (created, ())


def test_numbers_are_the_lowest_that_are_free() -> None:
    workers = [_worker(0), _worker(2), _worker(3, finished=True, ready=False)]
    assert _plan(Load(4, 0), workers).create == ((1, False), (4, False))


def test_the_minimum_is_kept_and_what_is_beyond_is_not() -> None:
    assert _plan(Load(4, 0), min=2).create == ((0, True), (1, True), (2, False), (3, False))


def test_kept_workers_beyond_the_minimum_go_once_there_is_no_work() -> None:
    kept = [_worker(index, kept=True) for index in range(3)]
    assert _plan(Load(0, 1), kept, min=1).delete == ()
    assert _plan(Load(0, 0), kept, min=1).delete == ("w-1", "w-2")


def test_workers_that_are_not_kept_end_by_themselves() -> None:
    assert _plan(Load(0, 0), [_worker(0), _worker(1)]).delete == ()


def test_outdated_workers_are_replaced_at_once() -> None:
    workers = [_worker(0, revision="rev-0"), _worker(1)]
    plan = _plan(Load(0, 2), workers)
    assert (plan.delete, plan.create) == (("w-0",), ((2, False),))


def test_worker_that_is_being_deleted_counts_no_more() -> None:
    assert _plan(Load(1, 0), [_worker(0, deleting=True)]).create == ((1, False),)


def test_first_loss_is_made_good_at_once() -> None:
    assert _plan(Load(1, 0), [_failed(0)]).create == ((1, False),)


@pytest.mark.parametrize(("failures", "pause"), [(2, 1), (3, 2), (4, 4), (7, 32), (20, 60)])
def test_pause_grows_with_the_failures_of_late(failures: int, pause: int) -> None:
    plan = _plan(Load(1, 0), [_failed(index) for index in range(failures)])
    assert (plan.create, plan.wake_at) == ((), NOW + timedelta(seconds=pause))


def test_worker_is_created_when_the_pause_is_over() -> None:
    assert len(_plan(Load(1, 0), [_failed(0, ago=9), _failed(1, ago=1)]).create) == 1


def _status(
    load: Load, workers: Sequence[Worker] = (), *, refused: Refusal | None = None
) -> tuple[str, ...]:
    status = describe(engine("echo", Stage.MERGE), load, workers, refused=refused, now=NOW)
    ready = find_condition(status.conditions, "Ready")
    progressing = find_condition(status.conditions, "Progressing")
    assert ready is not None
    assert progressing is not None
    return ready.status, ready.reason, progressing.status, status.failing


_BROKEN = _worker(0, ready=False, problem="ErrImagePull: no such image")


@pytest.mark.parametrize(
    ("load", "workers", "expected"),
    [
        (Load(0, 0), [], ("True", "Idle", "False", "")),
        (Load(3, 0), [], ("False", "Starting", "False", "")),
        (Load(3, 0), [_worker(0, ready=False)], ("False", "Starting", "True", "")),
        (Load(0, 3), [_worker(0)], ("True", "WorkersReady", "False", "")),
        (Load(3, 0), [_BROKEN], ("False", "WorkersFailing", "True", _BROKEN.problem)),
        (Load(0, 1), [_BROKEN, _worker(1)], ("True", "WorkersReady", "True", _BROKEN.problem)),
    ],
)
def test_conditions_tell_how_the_workers_are(
    load: Load, workers: list[Worker], expected: tuple[str, ...]
) -> None:
    assert _status(load, workers) == expected


def test_refusal_of_the_api_server_is_told() -> None:
    refusal = Refusal(EngineReason.QUOTA_EXCEEDED, "exceeded quota: gpus")
    assert _status(Load(1, 0), refused=refusal) == (
        "False",
        "QuotaExceeded",
        "False",
        "exceeded quota: gpus",
    )


def test_counts_leave_finished_workers_out() -> None:
    workers = [_worker(0), _worker(1, ready=False), _failed(2)]
    status = describe(engine("echo", Stage.MERGE), Load(5, 1), workers, refused=None, now=NOW)
    counts = (status.queued, status.running, status.workers, status.ready, status.selector)
    assert counts == (5, 1, 2, 1, "dalston.io/engine=echo")


def test_long_problems_are_cut_to_what_a_status_holds() -> None:
    workers = [_worker(0, ready=False, problem="p" * 5000)]
    status = describe(engine("echo", Stage.MERGE), Load(1, 0), workers, refused=None, now=NOW)
    assert len(status.failing) == 1024
