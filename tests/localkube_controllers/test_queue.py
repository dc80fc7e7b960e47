"""The work queue and the sources that feed it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dalston.kube import Conflict
from dalston.localkube.controllers.queue import WorkQueue
from tests.deadlines import within


@contextlib.asynccontextmanager
async def working(queue: WorkQueue[str]) -> AsyncIterator[None]:
    task = asyncio.create_task(queue.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_queue_never_works_on_a_key_twice_at_once() -> None:
    busy = most = calls = 0
    done = asyncio.Event()

    async def reconcile(_: str) -> None:
        nonlocal busy, most, calls
        busy, calls = busy + 1, calls + 1
        most = max(most, busy)
        if calls == 1:
            queue.add("key")
            queue.add("key")
        await asyncio.sleep(0)
        busy -= 1
        if calls == 2:
            done.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    queue.add("key")
    async with working(queue):
        await within(2, done.wait())
    assert (most, calls) == (1, 2)


async def test_queue_tries_again_after_errors() -> None:
    calls = 0
    done = asyncio.Event()

    async def reconcile(_: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise Conflict(409, {})
        if calls == 2:
            raise RuntimeError("a bug")
        done.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    queue.add("key")
    async with working(queue):
        await within(2, done.wait())
    assert calls == 3


async def test_earlier_of_two_looks_wins() -> None:
    seen = asyncio.Event()

    async def reconcile(_: str) -> None:
        seen.set()

    queue: WorkQueue[str] = WorkQueue("test", reconcile)
    async with working(queue):
        queue.add_after("key", 0.02)
        queue.add_after("key", 60)
        await within(2, seen.wait())
