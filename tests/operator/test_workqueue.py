"""The work queue: each key once, never twice at a time, again after failures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from dalston_operator.workqueue import WorkQueue

from tests.deadlines import until, within

Handle = Callable[[str], Awaitable[None]]


@asynccontextmanager
async def working(
    queue: WorkQueue[str], handle: Handle, *, workers: int = 2
) -> AsyncIterator[None]:
    """Workers of the queue while the context lasts."""
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
    yield
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_key_added_twice_is_handled_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    handled: list[str] = []

    async def handle(key: str) -> None:
        handled.append(key)

    for key in ("a", "b", "a"):
        queue.add(key)
    assert len(queue) == 2
    async with working(queue, handle):
        await until(lambda: len(handled) == 2)
        await asyncio.sleep(0)
    assert handled == ["a", "b"]


async def test_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    running = 0
    runs = 0
    go_on = asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal running, runs
        running += 1
        runs += 1
        assert running == 1
        await go_on.wait()
        running -= 1

    queue.add("a")
    async with working(queue, handle):
        await until(lambda: running == 1)
        for _ in range(3):
            queue.add("a")
        assert len(queue) == 0
        go_on.set()
        await until(lambda: runs == 2)
        await asyncio.sleep(0.05)
    assert runs == 2


async def test_keys_are_worked_on_side_by_side() -> None:
    queue: WorkQueue[str] = WorkQueue()
    together = asyncio.Barrier(2)

    async def handle(key: str) -> None:
        await within(1, together.wait())

    async with working(queue, handle):
        queue.add("a")
        queue.add("b")
        await until(lambda: together.n_waiting == 0 and len(queue) == 0)


async def test_earliest_time_wins() -> None:
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    handled: list[float] = []

    async def handle(key: str) -> None:
        handled.append(loop.time() - begun)

    begun = loop.time()
    async with working(queue, handle):
        for seconds in (30.0, 0.1, 20.0):
            queue.add_after("a", seconds)
        await until(lambda: handled, seconds=2)
    assert len(handled) == 1
    assert handled[0] >= 0.1


async def test_time_that_has_passed_means_now() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", -1.0)
    assert len(queue) == 1


async def test_forgotten_key_does_not_come_at_its_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("a", 0.01)
    queue.forget("a")
    await asyncio.sleep(0.03)
    assert len(queue) == 0


async def test_failed_key_comes_again_after_growing_pauses() -> None:
    queue: WorkQueue[str] = WorkQueue()
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def handle(key: str) -> None:
        times.append(loop.time())
        if len(times) < 4:
            raise RuntimeError("not yet")

    queue.add("a")
    async with working(queue, handle):
        await until(lambda: len(times) == 4)
        await until(lambda: queue.failures("a") == 0)
    pauses = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    assert [pause >= least for pause, least in zip(pauses, (0.05, 0.1, 0.2), strict=True)] == [
        True
    ] * 3


async def test_failures_without_end_do_not_end_the_worker() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue._failures["a"] = 5000  # as after days of an outage
    failed = asyncio.Event()

    async def handle(key: str) -> None:
        failed.set()
        raise RuntimeError("still not")

    queue.add("a")
    async with working(queue, handle):
        await within(1, failed.wait())
        await until(lambda: queue.failures("a") == 5001)
    queue.forget("a")


async def test_failure_of_one_key_does_not_hold_up_others() -> None:
    queue: WorkQueue[str] = WorkQueue()
    handled: list[str] = []

    async def handle(key: str) -> None:
        handled.append(key)
        if key == "bad":
            raise RuntimeError("no")

    for key in ("bad", "a", "b"):
        queue.add(key)
    async with working(queue, handle, workers=1):
        await until(lambda: {*handled} == {"bad", "a", "b"})
    queue.forget("bad")
