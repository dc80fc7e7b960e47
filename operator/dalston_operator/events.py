"""Reads the event feed and hands each message to whoever it concerns."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import nats.errors
import nats.js.errors
from pydantic import ValidationError

from dalston.bus import Bus, BusUnavailable, EventDelivery
from dalston.kube import ApiError, ApiUnavailable
from dalston_operator.jobs.controller import JobController

logger = logging.getLogger(__name__)

_PAUSE = 0.5
_EXPECTED = (
    ApiError,
    ApiUnavailable,
    BusUnavailable,
    nats.errors.Error,
    nats.js.errors.APIError,
)


async def feed(
    bus: Bus, jobs: JobController, *, bring_back: Callable[[str], Awaitable[bool]]
) -> None:
    """Deliver events until cancelled.

    `bring_back` gets an unfinished job into memory by its uid, and tells whether there is one: an
    event may come before the watch has shown its job.
    """
    async with bus.events() as events:
        while True:
            try:
                deliveries = await events.next()
            except _EXPECTED as error:
                logger.warning("no events: %r", error)
                await asyncio.sleep(_PAUSE)
                continue
            for delivery in deliveries:
                try:
                    await _deliver(bus, jobs, delivery, bring_back)
                except _EXPECTED as error:
                    # Not acknowledged, so it comes again.
                    logger.warning("an event was not handled: %r", error)
                    await asyncio.sleep(_PAUSE)


async def _deliver(
    bus: Bus,
    jobs: JobController,
    delivery: EventDelivery,
    bring_back: Callable[[str], Awaitable[bool]],
) -> None:
    event = delivery.event
    if delivery.undeliverable is not None:
        try:
            request = await bus.bury(delivery.undeliverable)
        except ValidationError as error:
            logger.error("a task that nobody finished cannot be read: %s", error)
            request = None
        if request is not None and (jobs.tracks(request.job) or await bring_back(request.job)):
            jobs.undeliverable(request)
        await delivery.ack()
    elif event is None:
        logger.error("an event cannot be read: %r", delivery.message.data[:500])
        await delivery.ack()
    elif jobs.tracks(event.job) or await bring_back(event.job):
        jobs.deliver(event, delivery)
    else:
        await delivery.ack()
