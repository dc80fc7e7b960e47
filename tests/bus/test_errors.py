"""Work on the bus can be cancelled at any moment."""

import asyncio
from collections.abc import Awaitable

import pytest

from dalston.bus.errors import answered


async def _swallowing(answer: "asyncio.Future[int]") -> int:
    """Behaves as `wait_for` does when the answer and the cancellation come together."""
    try:
        return await answer
    except asyncio.CancelledError:
        return 1


async def test_cancellation_that_comes_with_an_answer_is_not_lost() -> None:
    call: Awaitable[int] = _swallowing(asyncio.get_running_loop().create_future())
    task = asyncio.ensure_future(answered(call))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_call_while_cleaning_up_after_a_cancellation_is_answered() -> None:
    async def clean_up() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await answered(asyncio.sleep(0, result=7))
        return 0

    task = asyncio.ensure_future(clean_up())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == 7
