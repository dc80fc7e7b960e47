"""The Lease: one holder, who is replaced when it falls silent and stops before that."""

import asyncio

import pytest

from dalston.kube import KubeClient
from dalston.kube.kinds import LEASES
from dalston.kube.lease import Lease, LeaseLost, LeaseTimes
from dalston.localkube import LocalKube
from tests.deadlines import within

_SHORT = LeaseTimes.of(1.0)


def _lease(client: KubeClient, identity: str, times: LeaseTimes = _SHORT) -> Lease:
    return Lease(client, namespace="default", name="one", identity=identity, times=times)


async def _spec(client: KubeClient) -> dict[str, object]:
    lease = await client.get(LEASES, "one", namespace="default")
    spec: dict[str, object] = lease["spec"]
    return spec


async def test_first_to_ask_holds_it(client: KubeClient) -> None:
    lease = _lease(client, "a")
    await within(1, lease.acquire())
    assert lease.held
    spec = await _spec(client)
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (
        "a",
        1,
        1,
    )


async def test_second_waits_while_the_first_renews(client: KubeClient) -> None:
    first, second = _lease(client, "a"), _lease(client, "b")
    await first.acquire()
    holding = asyncio.create_task(first.hold())
    with pytest.raises(AssertionError, match="not within 2 s"):
        await within(2, second.acquire())
    assert not second.held
    holding.cancel()
    await asyncio.wait([holding])


async def test_silent_holder_is_replaced(client: KubeClient) -> None:
    await _lease(client, "a").acquire()
    second = _lease(client, "b")
    loop = asyncio.get_running_loop()
    asked = loop.time()
    await within(3, second.acquire())
    assert loop.time() - asked >= 1.0
    spec = await _spec(client)
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("b", 2)


async def test_released_lease_is_taken_at_once(client: KubeClient) -> None:
    first, second = _lease(client, "a"), _lease(client, "b")
    await first.acquire()
    await first.release()
    assert not first.held
    await within(0.5, second.acquire())


async def test_same_identity_takes_its_lease_back_at_once(client: KubeClient) -> None:
    await _lease(client, "a").acquire()
    await within(0.5, _lease(client, "a").acquire())
    assert (await _spec(client))["leaseTransitions"] == 1


async def test_holder_that_was_replaced_is_told(client: KubeClient) -> None:
    first = _lease(client, "a")
    await first.acquire()
    body = {"spec": {"holderIdentity": "b"}}
    await client.patch(LEASES, "one", body, namespace="default")
    with pytest.raises(LeaseLost, match="taken"):
        await within(2, first.hold())
    assert not first.held


async def test_holder_gives_up_before_another_may_take_over(
    client: KubeClient, kube: LocalKube
) -> None:
    first = _lease(client, "a")
    await first.acquire()
    kube.faults.refuse(503, times=1000, method="PUT")
    loop = asyncio.get_running_loop()
    begun = loop.time()
    with pytest.raises(LeaseLost, match="not renewed"):
        await within(2, first.hold())
    assert loop.time() - begun < _SHORT.duration_seconds


async def test_holder_outlives_a_short_outage(client: KubeClient, kube: LocalKube) -> None:
    first = _lease(client, "a", LeaseTimes.of(6.0))
    await first.acquire()
    kube.faults.refuse(503, times=2, method="PUT")
    with pytest.raises(AssertionError, match="not within"):
        await within(4.5, first.hold())
    assert first.held


async def test_lease_that_somebody_deleted_is_made_again(client: KubeClient) -> None:
    first = _lease(client, "a")
    await first.acquire()
    await client.delete(LEASES, "one", namespace="default")
    with pytest.raises(AssertionError, match="not within"):
        await within(0.8, first.hold())
    assert (await _spec(client))["holderIdentity"] == "a"


async def test_only_one_of_many_holds_it(client: KubeClient) -> None:
    leases = [_lease(client, f"holder-{number}") for number in range(6)]
    tasks = [asyncio.create_task(lease.acquire()) for lease in leases]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    assert sum(lease.held for lease in leases) == 1
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
