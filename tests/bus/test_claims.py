"""Claims: taken over within an attempt, superseded by later ones, removed with the job."""

import asyncio

import pytest

from dalston.bus import Bus, BusUnavailable
from dalston.pipeline import TaskId
from dalston.resources import Stage
from tests.nats_server import NatsServer

TASK = TaskId("job-1", Stage.TRANSCRIBE, 0, 0)


async def test_claim_holds_until_it_is_taken_over(bus: Bus) -> None:
    first = await bus.claims.take(TASK, "worker-a")
    assert first is not None
    assert await bus.claims.holds(TASK, first)
    second = await bus.claims.take(TASK, "worker-b")
    assert second is not None
    assert second.revision > first.revision
    assert (await bus.claims.get(TASK), await bus.claims.holds(TASK, first)) == (second, False)


async def test_later_attempt_supersedes(bus: Bus) -> None:
    later = await bus.claims.take(TASK._replace(attempt=1), "worker-b")
    assert await bus.claims.take(TASK, "worker-a") is None
    assert later is not None
    assert await bus.claims.holds(TASK, later)


async def test_claim_of_removed_job_is_gone_and_can_be_taken_anew(bus: Bus) -> None:
    claim = await bus.claims.take(TASK, "worker-a")
    assert claim is not None
    await bus.forget_job(TASK.job)
    assert await bus.claims.get(TASK) is None
    assert await bus.claims.take(TASK, "worker-a") is not None


async def test_contenders_end_with_one_holder(bus: Bus) -> None:
    taken = await asyncio.gather(*(bus.claims.take(TASK, f"worker-{n}") for n in range(8)))
    held = [await bus.claims.holds(TASK, claim) for claim in taken if claim is not None]
    assert (len(held), held.count(True)) == (8, 1)


async def test_claimed_jobs_are_listed(bus: Bus) -> None:
    assert await bus.claims.jobs() == set()
    await bus.claims.take(TASK, "worker-a")
    await bus.claims.take(TASK._replace(part=1), "worker-a")
    assert await bus.claims.jobs() == {"job-1"}


async def test_server_that_is_down_is_said_to_be(bus: Bus, nats_server: NatsServer) -> None:
    await bus.claims.take(TASK, "worker-a")
    nats_server.kill()
    with pytest.raises(BusUnavailable):
        await bus.claims.get(TASK)
