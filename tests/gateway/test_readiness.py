"""Requests that come before the watches have told anything."""

import asyncio

import pytest
from dalston_gateway.problems import Fault, GatewayProblem
from dalston_gateway.readiness import known


async def test_a_request_waits_for_the_first_list() -> None:
    synced = asyncio.Event()
    waiting = asyncio.create_task(known(synced, what="engines", timeout=5))
    await asyncio.sleep(0)
    assert not waiting.done()
    synced.set()
    await waiting


async def test_a_request_does_not_wait_for_ever() -> None:
    with pytest.raises(GatewayProblem) as caught:
        await known(asyncio.Event(), what="engines", timeout=0.01)
    assert caught.value.fault == Fault.UNAVAILABLE
