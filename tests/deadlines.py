"""Waiting for a state with a deadline that says what was waited for."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")

_POLL_SECONDS = 0.02
"""How often `until` looks: only for states of other processes, which offer no event to wait for."""


async def within(seconds: float, awaitable: Awaitable[T], *, what: str = "") -> T:
    """The awaitable's result; fails the test, naming `what`, when it takes longer."""
    try:
        async with asyncio.timeout(seconds) as limit:
            return await awaitable
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise AssertionError(f"not within {seconds:g} s: {what or repr(awaitable)}") from error


@overload
async def until(
    look: Callable[[], Awaitable[T]], *, seconds: float = 10.0, what: str = ""
) -> T: ...


@overload
async def until(look: Callable[[], T], *, seconds: float = 10.0, what: str = "") -> T: ...


async def until(
    look: Callable[[], T | Awaitable[T]], *, seconds: float = 10.0, what: str = ""
) -> T:
    """Looks again and again until the result is true, and returns it; fails after `seconds`."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + seconds
    while True:
        seen = look()
        value: T = await seen if inspect.isawaitable(seen) else seen
        if value:
            return value
        if loop.time() > give_up:
            raise AssertionError(
                f"not within {seconds:g} s: {what or repr(look)}; last seen {value!r}"
            )
        await asyncio.sleep(_POLL_SECONDS)
