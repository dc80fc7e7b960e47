"""What can go wrong on the bus."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import nats.errors
import nats.js.errors

T = TypeVar("T")

LOST = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    nats.errors.ConnectionClosedError,
    nats.errors.ConnectionDrainingError,
    nats.errors.OutboundBufferLimitError,
    nats.js.errors.NoStreamResponseError,
    nats.js.errors.ServiceUnavailableError,
)
"""What the client raises when the server cannot be reached, or did not answer in time."""


class BusUnavailable(Exception):
    """The server cannot be reached, or did not answer in time."""


class QueueFull(Exception):
    """The task stream takes no more messages: try again later."""


_FULL = (10077, 10063)
"""JetStream's codes for a stream that holds as many messages, or bytes, as it may."""


async def answered(call: Awaitable[T]) -> T:
    """Await a call to the server; raises BusUnavailable when it gives no answer.

    Raises QueueFull when a stream takes no more. A cancellation that the client swallows, as it does
    while it flushes, and `wait_for` of Python 3.11 when it comes with the answer, is raised.
    """
    task = asyncio.current_task()
    cancellations = task.cancelling() if task else 0
    try:
        answer = await call
        if task and task.cancelling() > cancellations:
            raise asyncio.CancelledError
        return answer
    except nats.js.errors.APIError as error:
        if getattr(error, "err_code", None) in _FULL:
            raise QueueFull(error.description) from error
        if isinstance(error, LOST):
            raise BusUnavailable(f"NATS did not answer: {error!r}") from error
        raise
    except LOST as error:
        raise BusUnavailable(f"NATS did not answer: {error!r}") from error
