"""The worker's queue: order of lanes, handing back, silence, cancelled waits."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dalston.bus import Bus, BusUnavailable, QueueFull
from dalston.bus.settings import BusSettings
from tests.bus.conftest import MakeRequest
from tests.deadlines import until, within
from tests.nats_server import NatsServer

LANES = ["high", "normal", "low"]


async def test_task_comes_from_the_first_lane_that_has_one(
    bus: Bus, make_request: MakeRequest
) -> None:
    for lane in reversed(LANES):
        await bus.publish_task(make_request(f"job-{lane}"), lane=lane)
    served: list[str] = []
    async with bus.tasks("echo", LANES) as queue:
        while (delivery := await queue.next(timeout=0.1)) is not None:
            served.append(delivery.request.job)
            await delivery.ack()
    assert served == ["job-high", "job-normal", "job-low"]


async def test_waiting_worker_is_served_at_once(bus: Bus, make_request: MakeRequest) -> None:
    async with bus.tasks("echo", LANES) as queue:
        waiting = asyncio.create_task(queue.next(timeout=5))
        await _pulls_wait(bus, "low")
        await bus.publish_task(make_request(), lane="low")
        delivery = await within(0.5, waiting)
        assert delivery is not None
        assert delivery.deliveries == 1


async def _pulls_wait(bus: Bus, lane: str, *, wanted: bool = True) -> None:
    async def as_wanted() -> bool:
        info = await bus.js.consumer_info("DALSTON_TASKS", f"echo_{lane}")
        return bool(info.num_waiting) is wanted

    look: Callable[[], Awaitable[bool]] = as_wanted
    await until(look, what=f"pull requests at lane {lane}: {wanted}")


async def test_busy_worker_is_sent_nothing(bus: Bus, make_request: MakeRequest) -> None:
    async with bus.tasks("echo", LANES) as busy, bus.tasks("echo", LANES) as other:
        waiting = asyncio.create_task(busy.next(timeout=5))
        await _pulls_wait(bus, "low")
        await bus.publish_task(make_request("first"), lane="high")
        assert await within(1, waiting) is not None
        await _pulls_wait(bus, "low", wanted=False)
        await bus.publish_task(make_request("second"), lane="low")
        delivery = await within(1, other.next(timeout=5))
        assert delivery is not None
        assert (delivery.request.job, delivery.deliveries) == ("second", 1)


async def test_cancelled_wait_loses_no_task(bus: Bus, make_request: MakeRequest) -> None:
    async with bus.tasks("echo", LANES) as queue:
        waiting = asyncio.create_task(queue.next(timeout=5))
        await _pulls_wait(bus, "normal")
        await bus.publish_task(make_request(), lane="normal")
        waiting.cancel()
        delivery = await within(0.5, queue.next(timeout=5))  # well before the ack wait ends
        assert delivery is not None


async def test_silent_worker_loses_its_task_to_another(bus: Bus, make_request: MakeRequest) -> None:
    await bus.publish_task(make_request(), lane="normal")
    async with bus.tasks("echo", LANES) as queue:
        first = await queue.next(timeout=1)
        again = await within(3, queue.next(timeout=3))
    assert first is not None
    assert again is not None
    assert (again.request, again.deliveries) == (first.request, 2)


async def test_reporting_worker_keeps_its_task(bus: Bus, make_request: MakeRequest) -> None:
    await bus.publish_task(make_request(), lane="normal")
    async with bus.tasks("echo", LANES) as queue:
        held = await queue.next(timeout=1)
        assert held is not None
        for _ in range(4):
            assert await queue.next(timeout=0.4) is None
            await held.in_progress()
        await held.ack()
        assert await queue.next(timeout=1.2) is None


async def test_task_handed_back_comes_at_once(bus: Bus, make_request: MakeRequest) -> None:
    await bus.publish_task(make_request(), lane="normal")
    async with bus.tasks("echo", LANES) as queue:
        delivery = await queue.next(timeout=1)
        assert delivery is not None
        await delivery.hand_back()
        again = await within(0.5, queue.next(timeout=1))
    assert again is not None


async def test_unreadable_task_is_left_for_others(bus: Bus, make_request: MakeRequest) -> None:
    async with bus.tasks("echo", LANES) as queue:
        await bus.js.publish("dalston.task.echo.normal.job-1.transcribe.0", b"{}")
        await bus.publish_task(make_request("job-2"), lane="normal")
        delivery = await within(1, queue.next(timeout=1))
        assert delivery is not None
        assert delivery.request.job == "job-2"
        assert await queue.next(timeout=0.1) is None
    assert (await bus.backlog("echo", "normal")).running == 2


async def test_task_published_twice_counts_once(bus: Bus, make_request: MakeRequest) -> None:
    request = make_request()
    await bus.publish_task(request, lane="normal")
    await bus.publish_task(request, lane="normal")
    async with bus.tasks("echo", ["normal"]):
        assert (await bus.backlog("echo", "normal")).queued == 1


async def test_full_queue_refuses(settings: BusSettings, make_request: MakeRequest) -> None:
    small = settings.model_copy(update={"max_tasks": 1})
    async with await Bus.connect(small, name="test") as bus:
        await bus.ensure_streams()
        await bus.publish_task(make_request("a"), lane="normal")
        with pytest.raises(QueueFull):
            await bus.publish_task(make_request("b"), lane="normal")


async def test_queue_survives_a_restart_of_the_server(
    bus: Bus, make_request: MakeRequest, nats_server: NatsServer
) -> None:
    async with bus.tasks("echo", LANES) as queue:
        assert await queue.next(timeout=0.1) is None
        nats_server.kill()
        with pytest.raises(BusUnavailable):
            await within(3, queue.next(timeout=3))
        nats_server.start()
        await until(lambda: bus.connected)
        await bus.publish_task(make_request(), lane="low")
        assert await within(6, queue.next(timeout=6)) is not None


async def test_deleted_consumer_is_made_again(bus: Bus, make_request: MakeRequest) -> None:
    async with bus.tasks("echo", LANES) as queue:
        await bus.delete_consumer("echo", "normal")
        await bus.publish_task(make_request(), lane="normal")
        assert await within(2, queue.next(timeout=2)) is not None
